/** Issue 6 row 28: control groups of pods carry limits, as kubelet's (cm/helpers_linux.go), and go with their pods. */
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import type { Container, Pod, PodSpec } from '../pod-spec/types.js';
import { CgroupHierarchy, findMounts, parseMounts } from './hierarchy.js';
import { nodeGroupLimits, podGroupLimits, qosGroupLimits, weightOf } from './limits.js';
import type { GroupLimits } from './limits.js';
import { KernelPodCgroups, cgroupRootOf, podCgroupOf } from './pod-cgroups.js';

const container = (
  requests?: Record<string, string>,
  limits?: Record<string, string>,
  more: Partial<Container> = {},
): Container => ({
  name: 'c',
  image: 'x',
  resources: { ...(requests === undefined ? {} : { requests }), ...(limits === undefined ? {} : { limits }) },
  ...more,
});
const podOf = (uid: string, containers: Container[], more: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: uid, namespace: 'd', uid },
  spec: { containers, ...more },
});
const MIB = 2 ** 20;

describe('of a pod', () => {
  it.each<[string, Pod, GroupLimits]>([
    ['BestEffort', podOf('a', [container()]), { cpuShares: 2 }],
    [
      'Guaranteed',
      podOf('a', [container({ cpu: '1', memory: '64Mi' }, { cpu: '1', memory: '64Mi' })]),
      { cpuShares: 1024, cpuQuota_us: 100_000, memory_bytes: 64 * MIB },
    ],
    ['Burstable without limits', podOf('a', [container({ cpu: '50m' })]), { cpuShares: 51 }],
    [
      'Burstable, summed',
      podOf('a', [
        container({ cpu: '100m', memory: '1Mi' }, { cpu: '1', memory: '2Mi' }),
        container({ cpu: '200m' }, { cpu: '500m', memory: '3Mi' }),
      ]),
      { cpuShares: 307, cpuQuota_us: 150_000, memory_bytes: 5 * MIB },
    ],
    [
      'one without a limit frees the pod',
      podOf('a', [container({ cpu: '1' }, { cpu: '1', memory: '1Mi' }), container()]),
      { cpuShares: 1024 },
    ],
    [
      'an init container without a limit does too',
      podOf('a', [container({ cpu: '1' }, { cpu: '1' })], { initContainers: [container()] }),
      { cpuShares: 1024 },
    ],
    [
      'the peak of init containers',
      podOf('a', [container({ cpu: '100m' })], { initContainers: [container({ cpu: '2' })] }),
      { cpuShares: 2048 },
    ],
    [
      'a sidecar beside the others',
      podOf('a', [container({ cpu: '100m' })], {
        initContainers: [container({ cpu: '100m' }, undefined, { restartPolicy: 'Always' })],
      }),
      { cpuShares: 204 },
    ],
    [
      'pod-level resources',
      podOf('a', [container()], { resources: { requests: { cpu: '1' }, limits: { cpu: '2', memory: '8Mi' } } }),
      { cpuShares: 1024, cpuQuota_us: 200_000, memory_bytes: 8 * MIB },
    ],
    ['overhead', podOf('a', [container({ cpu: '1' })], { overhead: { cpu: '1' } }), { cpuShares: 2048 }],
    ['hardly any', podOf('a', [container({ cpu: '1m' }, { cpu: '1m' })]), { cpuShares: 2, cpuQuota_us: 1000 }],
  ])('%s', (_what, pod, expected) => {
    expect(podGroupLimits(pod)).toEqual(expected);
  });
});

it('of a class: Burstable weighs what its pods ask for together, BestEffort nothing', () => {
  const pods = [
    podOf('a', [container({ cpu: '1' })]),
    podOf('b', [container({ cpu: '500m' })]),
    podOf('c', [container({ cpu: '4', memory: '1Mi' }, { cpu: '4', memory: '1Mi' })]),
    podOf('d', [container()]),
  ];
  expect(qosGroupLimits('Burstable', pods)).toEqual({ cpuShares: 1536 });
  expect(qosGroupLimits('Burstable', [])).toEqual({ cpuShares: 2 });
  expect(qosGroupLimits('BestEffort', pods)).toEqual({ cpuShares: 2 });
});

it('of a node: memory is a limit, CPUs a weight (kubelet, enforce-node-allocatable=pods)', () => {
  expect(nodeGroupLimits({ cpu: '2', memory: '4Gi', pods: '110', 'ephemeral-storage': '1Gi' })).toEqual({
    cpuShares: 2048,
    memory_bytes: 4096 * MIB,
  });
  expect(nodeGroupLimits({ cpu: '500m' })).toEqual({ cpuShares: 512 });
});

it('Guaranteed pods stand beside the classes', () => {
  const at = (pod: Pod) => podCgroupOf('/navarch/x', pod);
  expect(at(podOf('u', [container({ cpu: '1', memory: '1Mi' }, { cpu: '1', memory: '1Mi' })]))).toBe('/navarch/x/podu');
  expect(at(podOf('u', [container({ cpu: '1' })]))).toBe('/navarch/x/burstable/podu');
  expect(at(podOf('u', [container()]))).toBe('/navarch/x/besteffort/podu');
});

it.each([
  [2, 1],
  [1024, 39],
  [262_144, 10_000],
])('%i shares are a weight of %i in cgroup v2 (KEP-2254)', (shares, weight) => {
  expect(weightOf(shares)).toBe(weight);
});

describe('mounts', () => {
  const line = (point: string, type: string, options: string) =>
    `30 20 0:26 / ${point} rw,relatime shared:9 - ${type} cgroup ${options}`;
  it.each([
    [
      'v1, with a v2 tree beside',
      [
        line('/c/cpu', 'cgroup', 'rw,cpu,cpuacct'),
        line('/c/memory', 'cgroup', 'rw,memory'),
        line('/c/unified', 'cgroup2', 'rw'),
      ],
      { version: 1, cpu: '/c/cpu', memory: '/c/memory', all: ['/c/cpu', '/c/memory', '/c/unified'] },
    ],
    ['v2', [line('/c', 'cgroup2', 'rw,nsdelegate')], { version: 2, root: '/c' }],
    ['none', [line('/', 'ext4', 'rw')], undefined],
  ])('%s', (_what, lines, expected) => {
    expect(parseMounts(lines.join('\n'))).toEqual(expected);
  });
});

describe('files', () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });
  const text = (...path: string[]) =>
    readFile(join(...path), 'utf8').then(
      (found) => found.trim(),
      () => undefined,
    );

  it('of cgroup v2 hand controllers down and hold the limits', async () => {
    const root = await mkdtemp(join(tmpdir(), 'navarch-cgroup-'));
    cleanups.push(() => rm(root, { recursive: true }));
    const hierarchy = new CgroupHierarchy({ version: 2, root });
    await hierarchy.set('/navarch/x/podu', { cpuShares: 1024, cpuQuota_us: 50_000, memory_bytes: MIB });
    expect(
      await Promise.all(
        ['', 'navarch', 'navarch/x', 'navarch/x/podu'].map((path) => text(root, path, 'cgroup.subtree_control')),
      ),
    ).toEqual(Array(4).fill('+cpu +memory'));
    expect(
      await Promise.all(['cpu.weight', 'cpu.max', 'memory.max'].map((file) => text(root, 'navarch/x/podu', file))),
    ).toEqual(['39', '50000 100000', String(MIB)]);
    await hierarchy.set('/navarch/x/podu', { cpuShares: 2 });
    expect(await Promise.all(['cpu.max', 'memory.max'].map((file) => text(root, 'navarch/x/podu', file)))).toEqual([
      'max 100000',
      'max',
    ]);
  });

  it("of this machine's kernel: made, changed, removed, in all hierarchies", async (context) => {
    const mounts = await findMounts();
    if (mounts?.version !== 1 || mounts.memory === undefined || process.getuid?.() !== 0) {
      process.stderr.write('skipped: needs root and cgroup v1\n');
      return context.skip();
    }
    const hierarchy = new CgroupHierarchy(mounts);
    const dataDir = await mkdtemp(join(tmpdir(), 'navarch-cgroup-'));
    cleanups.push(() => rm(dataDir, { recursive: true }));
    const root = cgroupRootOf(dataDir);
    cleanups.push(() => hierarchy.remove(root));
    const cgroups = new KernelPodCgroups({ root, hierarchy, clock: systemClock });
    await cgroups.limitNode({ cpu: '1500m', memory: '64Mi', pods: '110' });
    expect([
      await text(mounts.cpu, root, 'cpu.shares'),
      await text(mounts.memory, root, 'memory.limit_in_bytes'),
    ]).toEqual(['1536', String(64 * MIB)]);
    await cgroups.ensure(podOf('u1', [container({ cpu: '1', memory: '8Mi' }, { cpu: '1', memory: '8Mi' })]));
    await cgroups.ensure(podOf('u2', [container({ cpu: '500m' })]));
    await cgroups.ensure(podOf('u3', [container()]));
    const shares = (path: string) => text(mounts.cpu, root, path, 'cpu.shares');
    expect(
      await Promise.all(['podu1', 'burstable', 'burstable/podu2', 'besteffort', 'besteffort/podu3'].map(shares)),
    ).toEqual(['1024', '512', '512', '2', '2']);
    expect(await text(mounts.memory, root, 'podu1', 'memory.limit_in_bytes')).toBe(String(8 * MIB));
    expect([...(await cgroups.leftovers())].toSorted()).toEqual(['u1', 'u2', 'u3']);
    for (const uid of ['u1', 'u2', 'u3']) await cgroups.remove(uid);
    expect(await cgroups.leftovers()).toEqual([]);
    expect(await shares('burstable')).toBe('2');
    expect(await hierarchy.remove(root)).toBe(true);
    for (const mount of mounts.all) await expect(access(join(mount, root))).rejects.toThrow();
  });
});
