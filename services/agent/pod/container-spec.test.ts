import { describe, expect, it } from 'vitest';
import { dnsOf, hostnameOf } from './container-spec.js';
import type { NodeFacts } from './container-spec.js';
import { cgroupOf, qosOf, quantityOf } from '../pod-spec/resources.js';
import { normalizedImage, pullPolicyOf } from '../pod-spec/spec.js';
import type { Pod, PodSpec } from '../pod-spec/types.js';

const node: NodeFacts = {
  clusterDNS: '10.96.0.10',
  clusterDomain: 'cluster.local',
  hostDNS: { servers: ['192.0.2.53'], searches: ['example.test'], options: [] },
  memoryCapacity_bytes: 2 ** 30,
  hostname: 'w1',
};
const podOf = (spec: Partial<PodSpec>): Pod => ({
  metadata: { namespace: 'ns', name: 'a' },
  spec: { containers: [], ...spec },
});

describe('DNS (Kubernetes: "DNS for Services and Pods")', () => {
  const cluster = ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.test'];
  it.each<[string, Partial<PodSpec>, string[], string[]]>([
    ['ClusterFirst by default', {}, ['10.96.0.10'], cluster],
    ["the node's on its network", { hostNetwork: true }, ['192.0.2.53'], ['example.test']],
    ['ClusterFirstWithHostNet', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, ['10.96.0.10'], cluster],
    ['Default', { dnsPolicy: 'Default' }, ['192.0.2.53'], ['example.test']],
    [
      'None with dnsConfig',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'], searches: ['x'] } },
      ['9.9.9.9'],
      ['x'],
    ],
  ])('%s', (_name, spec, servers, searches) => {
    expect(dnsOf(podOf(spec), node)).toMatchObject({ servers, searches });
  });

  it('options of dnsConfig override', () => {
    expect(
      dnsOf(podOf({ dnsConfig: { options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] } }), node).options,
    ).toEqual(['ndots:2', 'edns0']);
  });

  it('names hosts', () => {
    expect(hostnameOf(podOf({ hostname: 'h', subdomain: 's', setHostnameAsFQDN: true }), node)).toBe(
      'h.s.ns.svc.cluster.local',
    );
    expect(hostnameOf({ ...podOf({}), metadata: { name: `${'x'.repeat(62)}-y` } }, node)).toBe('x'.repeat(62));
  });
});

describe('resources', () => {
  it.each([
    ['100m', 0.1],
    ['1.5', 1.5],
    ['64Mi', 67_108_864],
    ['1e3', 1000],
    ['2k', 2000],
    ['x', undefined],
    ['', undefined],
  ])('%s is %s', (text, value) => {
    expect(quantityOf(text)).toBe(value);
  });

  it.each<[string, PodSpec['containers'], string]>([
    ['nothing named', [{ name: 'a' }], 'BestEffort'],
    ['limits only', [{ name: 'a', resources: { limits: { cpu: '1', memory: '1Gi' } } }], 'Guaranteed'],
    [
      'requests below limits',
      [{ name: 'a', resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } }],
      'Burstable',
    ],
    ['one of two', [{ name: 'a', resources: { limits: { cpu: '1', memory: '1Gi' } } }, { name: 'b' }], 'Burstable'],
  ])('%s: %s', (_name, containers, expected) => {
    expect(qosOf({ containers })).toBe(expected);
  });

  it('become shares and quota', () => {
    const container = { name: 'a', resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m' } } };
    expect(cgroupOf({ containers: [container] }, container, 2 ** 30)).toMatchObject({
      cpuShares: 256,
      cpuQuota_us: 50_000,
      memoryLimit_bytes: 64 * 2 ** 20,
    });
    expect(cgroupOf({ containers: [{ name: 'a' }] }, { name: 'a' }, 2 ** 30)).toEqual({
      cpuShares: 2,
      cpuQuota_us: 0,
      memoryLimit_bytes: 0,
      oomScoreAdj: 1000,
    });
  });
});

describe('oom_score_adj (kubelet: qos/policy.go)', () => {
  const asks = (memory: string) => ({ requests: { memory } });
  const main = (memory: string) => ({ name: 'main', resources: asks(memory) });
  it.each<[string, Partial<PodSpec> & { containers: PodSpec['containers'] }, string, number]>([
    [
      'Guaranteed',
      { containers: [{ name: 'main', resources: { limits: { cpu: '1', memory: '1Gi' } } }] },
      'main',
      -997,
    ],
    ['BestEffort', { containers: [{ name: 'main' }] }, 'main', 1000],
    [
      'node-critical, whatever it asks for',
      { priorityClassName: 'system-node-critical', containers: [{ name: 'main' }] },
      'main',
      -997,
    ],
    [
      'cluster-critical is as others',
      { priorityClassName: 'system-cluster-critical', containers: [{ name: 'main' }] },
      'main',
      1000,
    ],
    ['Burstable: a quarter of the memory', { containers: [main('1Gi')] }, 'main', 750],
    ['Burstable: all of the memory', { containers: [main('4Gi')] }, 'main', 3],
    ['Burstable: hardly any', { containers: [main('1Ki')] }, 'main', 999],
    [
      'a sidecar that asks for less than the one it serves',
      {
        containers: [main('2Gi')],
        initContainers: [{ name: 'side', restartPolicy: 'Always', resources: asks('1Mi') }],
      },
      'side',
      500,
    ],
    [
      'an init container does not gain by that',
      { containers: [main('2Gi')], initContainers: [{ name: 'side', resources: asks('1Gi') }] },
      'side',
      750,
    ],
  ])('%s', (_what, spec, name, expected) => {
    const container = [...spec.containers, ...(spec.initContainers ?? [])].find((one) => one.name === name) ?? { name };
    expect(cgroupOf(spec, container, 4 * 2 ** 30).oomScoreAdj).toBe(expected);
  });
});

describe('images', () => {
  it.each([
    ['web', 'docker.io/library/web:latest', 'Always'],
    ['a/web:1', 'docker.io/a/web:1', 'IfNotPresent'],
    ['r.test:5000/web', 'r.test:5000/web:latest', 'Always'],
    [`web@sha256:${'0'.repeat(64)}`, `docker.io/library/web@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
  ])('%s', (image, full, policy) => {
    expect([normalizedImage(image), pullPolicyOf({ name: 'x', image })]).toEqual([full, policy]);
  });
});
