/**
 * Two workers as network namespaces on one bridge, pods made by the real CNI plugins from the configuration that the
 * overlay wrote. Skipped, and said so, without root, iproute2 or the plugins.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { inNetworkNamespace, mustRun, systemExecutor } from '../../platform/exec.js';
import { createLogger } from '../../platform/log.js';
import { CNI_FILE } from './cni.js';
import { createOverlay, removeOverlay } from './overlay.js';
import type { Overlay } from './overlay.js';
import type { Peer, PeerListener } from './peers.js';

const CNI_BIN = '/usr/lib/cni';
const why =
  process.getuid?.() !== 0
    ? 'not root'
    : !existsSync(`${CNI_BIN}/ptp`)
      ? 'no CNI plugins'
      : ['bridge', 'ip', 'sysctl'].find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
if (why !== undefined) process.stderr.write(`skipped: the overlay between real network namespaces (${why})\n`);

const id = `nvo${process.pid}`;
const underlay = `${id}u`;
const workers = [1, 2].map((n) => ({
  n,
  ns: `${id}w${n}`,
  peer: { name: `n${n}`, address: `198.18.78.${n}`, podCIDR: `10.244.${n}.0/24` } satisfies Peer,
}));
const ip = (executor: typeof systemExecutor, line: string) => mustRun(executor, 'ip', line.split(' '));

describe.skipIf(why !== undefined).each([
  ['vxlan', 'ptp'],
  ['host-gw', 'ptp'],
  ['vxlan', 'bridge'],
  ['host-gw', 'bridge'],
] as const)('pods of two workers by %s and %s', (backend, link) => {
  let folder: string;
  const pods: string[] = [];
  const overlays: Overlay[] = [];
  const listeners: PeerListener[] = [];
  const executors = workers.map(({ ns }) => inNetworkNamespace(systemExecutor, ns));
  const cni = (n: number) => ({ confDir: join(folder, `${n}/conf`), dataDir: join(folder, `${n}/data`), link });

  /** What the runtime does: the plugin's ADD with the list's first entry; the address it gave. */
  async function addPod(n: number): Promise<{ ns: string; address: string }> {
    const ns = `${id}p${pods.length}`;
    pods.push(ns);
    await ip(systemExecutor, `netns add ${ns}`);
    const list = JSON.parse(await readFile(join(cni(n).confDir, CNI_FILE), 'utf8')) as {
      cniVersion: string;
      name: string;
      plugins: { type: string }[];
    };
    const plugin = list.plugins[0];
    const out = await mustRun(
      executors[n - 1] ?? systemExecutor,
      'env',
      [
        'CNI_COMMAND=ADD',
        `CNI_CONTAINERID=${ns}`,
        `CNI_NETNS=/run/netns/${ns}`,
        'CNI_IFNAME=eth0',
        `CNI_PATH=${CNI_BIN}`,
        `${CNI_BIN}/${plugin?.type ?? ''}`,
      ],
      { stdin: JSON.stringify({ cniVersion: list.cniVersion, name: list.name, ...plugin }) },
    );
    const { ips } = JSON.parse(out) as { ips: { address: string }[] };
    return { ns, address: (ips[0]?.address ?? '').split('/')[0] ?? '' };
  }

  /** One byte count from `from` to a server in `to`: both directions carry more than one packet of full size. */
  async function exchange(from: string, to: { ns: string; address: string }): Promise<string> {
    const server = spawn(
      'nsenter',
      [
        `--net=/run/netns/${to.ns}`,
        process.execPath,
        '-e',
        `
      require('net').createServer((s) => { let n = 0; s.on('data', (d) => { n += d.length; if (n === 50000) s.end(s.remoteAddress + ' ' + n); }); }).listen(9, '${to.address}', () => console.log('up'));`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => server.stdout.once('data', resolve));
    try {
      return await mustRun(inNetworkNamespace(systemExecutor, from), process.execPath, [
        '-e',
        `
        const s = require('net').connect(9, '${to.address}', () => s.write('x'.repeat(50000))); s.setTimeout(5000, () => s.destroy(new Error('timeout')));
        s.on('error', (e) => { console.log(e.message); process.exit(); }); s.on('data', (d) => process.stdout.write(d));`,
      ]);
    } finally {
      server.kill('SIGKILL');
    }
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'navarch-overlay-'));
    await ip(systemExecutor, `netns add ${underlay}`);
    const inUnderlay = inNetworkNamespace(systemExecutor, underlay);
    await ip(inUnderlay, 'link add ubr type bridge');
    await ip(inUnderlay, 'link set ubr up');
    for (const [index, { n, ns, peer }] of workers.entries()) {
      const executor = executors[index] ?? systemExecutor;
      await ip(systemExecutor, `netns add ${ns}`);
      await ip(systemExecutor, `link add eth0 netns ${ns} type veth peer name w${n} netns ${underlay}`);
      await ip(inUnderlay, `link set w${n} master ubr up`);
      await ip(executor, `address add ${peer.address}/24 dev eth0`);
      await ip(executor, 'link set eth0 up');
      overlays.push(
        createOverlay({
          nodeName: peer.name,
          executor,
          clock: systemClock,
          logger: createLogger('overlay', { level: 'warn' }),
          cni: cni(n),
          backend,
          serviceCIDR: '10.96.0.0/12',
          ownAddresses: ['10.96.0.10'],
          source: {
            run: (listener, signal) =>
              new Promise((resolve) => {
                listeners.push(listener);
                for (const worker of workers) listener.upsert(worker.peer);
                listener.synced();
                signal.addEventListener('abort', () => resolve());
              }),
          },
        }),
      );
    }
    for (const overlay of overlays) {
      await overlay.start();
      await overlay.whenReady();
    }
  });

  afterAll(async () => {
    for (const overlay of overlays) await overlay.stop();
    for (const ns of [...pods, ...workers.map((worker) => worker.ns), underlay])
      await systemExecutor.run('ip', ['netns', 'del', ns]);
    await rm(folder, { recursive: true, force: true });
  });

  it('reach each other with their own addresses, on one node and across', async () => {
    const [a, b, c] = [await addPod(1), await addPod(1), await addPod(2)];
    expect([a.address, c.address].map((address) => address.slice(0, 8))).toEqual(['10.244.1', '10.244.2']);
    for (const [from, to] of [
      [a, b],
      [a, c],
      [c, b],
    ] as const)
      expect(await exchange(from.ns, to)).toBe(`${from.address} 50000`);
  });

  it('do so again after somebody deleted what the kernel held', async () => {
    const [first, second] = executors;
    if (first === undefined || second === undefined) throw new Error('two workers');
    await systemExecutor.run('nsenter', [
      `--net=/run/netns/${workers[0]?.ns ?? ''}`,
      'ip',
      'link',
      'delete',
      'nv-vxlan',
    ]);
    await ip(first, 'route flush protocol 78');
    // As the periodic look would, but now.
    await overlays[0]?.stop();
    const worker = workers[0];
    if (worker === undefined) throw new Error('two workers');
    overlays[0] = createOverlay({
      nodeName: worker.peer.name,
      executor: first,
      clock: systemClock,
      logger: createLogger('overlay', { level: 'warn' }),
      cni: cni(1),
      backend,
      serviceCIDR: '10.96.0.0/12',
      source: {
        run: (listener, signal) =>
          new Promise((resolve) => {
            for (const { peer } of workers) listener.upsert(peer);
            listener.synced();
            signal.addEventListener('abort', () => resolve());
          }),
      },
    });
    await overlays[0].start();
    await overlays[0].whenReady();
    const [a, c] = [await addPod(1), await addPod(2)];
    expect(await exchange(a.ns, c)).toBe(`${a.address} 50000`);
  });

  it('leave nothing behind on removal', async () => {
    const second = executors[1] ?? systemExecutor;
    await overlays[1]?.stop();
    await removeOverlay({ executor: second, cni: cni(2), ownAddresses: ['10.96.0.10'] });
    await removeOverlay({ executor: second, cni: cni(2), ownAddresses: ['10.96.0.10'] });
    expect(existsSync(join(cni(2).confDir, CNI_FILE))).toBe(false);
    expect(await ip(second, 'route show protocol 78')).toBe('');
    expect(await ip(second, 'link show')).not.toContain('nv-vxlan');
    expect(await ip(second, 'address show dev lo')).not.toContain('10.96.0.10');
  });
});
