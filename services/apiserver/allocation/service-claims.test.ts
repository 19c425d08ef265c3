import { describe, expect, it } from 'vitest';
import type { Service } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { VirtualClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import type { WriteChange, WriteGuard } from '../ports.js';
import { MapReader } from '../testing-reader.js';
import { NodeClaims } from './node-claims.js';
import { ServiceClaims } from './service-claims.js';

function setUp(serviceCidr = '10.96.0.0/24') {
  const reader = new MapReader();
  const claims = new ServiceClaims({
    reader,
    random: seededRandom(7),
    serviceCidr,
    nodePorts: { first: 30000, last: 30009 },
    clock: new VirtualClock(),
    addressPrefix: '/registry/ipaddresses/',
  });
  const write = (
    operation: WriteChange['operation'],
    draft: Service,
    old?: Service,
    attempt = 0,
  ): Promise<WriteGuard> =>
    claims.before({ operation, draft, old, user: { name: '', groups: [] }, dryRun: false, attempt });
  return { reader, write };
}

/** As the strategy hands it on: with the list of addresses beside the first of them. */
const service = (name: string, spec: Readonly<Record<string, unknown>>): Service => {
  const list = (spec['clusterIP'] ?? '') === '' ? {} : { clusterIPs: [spec['clusterIP']] };
  return { metadata: { name, namespace: 'a' }, spec: { ...list, ...spec } } as Service;
};
const keys = (guard: WriteGuard) =>
  guard.ops.map((op) => `${op.kind} ${Buffer.from('key' in op ? op.key : []).toString()}`);

describe('claims of Services', () => {
  it('claims an address of the upper band on the condition that it is free', async () => {
    const { write } = setUp();
    const draft = service('web', { type: 'ClusterIP', ports: [{ port: 80 }] });
    const guard = await write('CREATE', draft);
    const address = draft.spec?.clusterIP ?? '';
    expect(Number(address.split('.')[3])).toBeGreaterThan(16);
    expect(draft.spec?.clusterIPs).toEqual([address]);
    expect(keys(guard)).toEqual([`put /navarch/claims/serviceips/${address}`, `put /registry/ipaddresses/${address}`]);
    expect(guard.compare).toMatchObject([
      { target: 'createRevision', op: '=', value: 0 },
      { target: 'createRevision', op: '=', value: 0 },
    ]);
    expect(draft.spec).toMatchObject({ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
    const put = guard.ops.find((op) => op.kind === 'put' && Buffer.from(op.key).toString().startsWith('/registry/'));
    // KEP-1880: the object names the Service, and who made it.
    expect(put?.kind === 'put' && JSON.parse(Buffer.from(put.value).toString())).toMatchObject({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: {
        name: address,
        uid: expect.any(String) as string,
        labels: {
          'ipaddress.kubernetes.io/ip-family': 'IPv4',
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: { parentRef: { resource: 'services', namespace: 'a', name: 'web' } },
    });
  });

  it('gives away no address that somebody reserved by an IPAddress', async () => {
    const { write, reader } = setUp('10.96.0.0/29');
    for (const i of [1, 2, 3, 4, 6]) reader.put('ipaddresses', { metadata: { name: `10.96.0.${i}` } });
    const draft = service('web', {});
    await write('CREATE', draft);
    expect(draft.spec?.clusterIP).toBe('10.96.0.5');
  });

  it('keeps what an update leaves out, and claims nothing twice', async () => {
    const { write } = setUp();
    const old = service('web', {
      type: 'NodePort',
      clusterIP: '10.96.0.9',
      clusterIPs: ['10.96.0.9'],
      ports: [{ port: 80, nodePort: 30005 }],
    });
    const draft = service('web', { type: 'NodePort', ports: [{ port: 80 }] });
    const guard = await write('UPDATE', draft, old);
    expect(draft.spec).toMatchObject({ clusterIP: '10.96.0.9', ports: [{ nodePort: 30005 }] });
    expect(guard).toEqual({ compare: [], ops: [] });
  });

  it.each([undefined, ''])(
    'keeps a headless Service headless when an update sets its address to %j',
    async (clusterIP) => {
      const { write } = setUp();
      const old = service('web', {
        type: 'ClusterIP',
        clusterIP: 'None',
        clusterIPs: ['None'],
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ port: 80 }],
      });
      const draft = service('web', { ...old.spec, clusterIP, clusterIPs: undefined });
      expect(await write('UPDATE', draft, old)).toEqual({ compare: [], ops: [] });
      expect(draft.spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] });
    },
  );

  it('releases on delete and when the type changes', async () => {
    const { write } = setUp();
    const old = service('web', { type: 'NodePort', clusterIP: '10.96.0.9', ports: [{ port: 80, nodePort: 30005 }] });
    expect(keys(await write('DELETE', old, old))).toEqual([
      'delete /navarch/claims/serviceips/10.96.0.9',
      'delete /navarch/claims/nodeports/30005',
      'delete /registry/ipaddresses/10.96.0.9',
    ]);
    const plain = service('web', { type: 'ClusterIP', clusterIP: '10.96.0.9', ports: [{ port: 80 }] });
    expect(keys(await write('UPDATE', plain, old))).toEqual(['delete /navarch/claims/nodeports/30005']);
  });

  it('refuses what is out of range, taken, or no address', async () => {
    const { write, reader } = setUp();
    reader.put('services', service('other', { clusterIP: '10.96.0.20', ports: [{ nodePort: 30001 }] }) as KubeObject);
    const create = (spec: object) => write('CREATE', service('web', { type: 'NodePort', ...spec }));
    await expect(create({ clusterIP: '10.97.0.1' })).rejects.toThrow('not in the valid range');
    await expect(create({ clusterIP: '10.96.0.0' })).rejects.toThrow('not in the valid range');
    await expect(create({ clusterIP: 'x' })).rejects.toThrow('must be a valid IP address');
    await expect(create({ clusterIP: '10.96.0.20' })).rejects.toThrow('already allocated');
    await expect(create({ ports: [{ port: 1, nodePort: 30001 }] })).rejects.toThrow(
      'spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated',
    );
    await expect(create({ ports: [{ port: 1, nodePort: 80 }] })).rejects.toThrow(
      'The range of valid ports is 30000-30009',
    );
    await expect(
      create({
        ports: [
          { port: 1, protocol: 'TCP', nodePort: 30002 },
          { port: 1, protocol: 'UDP', nodePort: 30002 },
        ],
      }),
    ).resolves.toBeDefined();
    await expect(write('CREATE', service('late', { clusterIP: '10.96.0.30' }), undefined, 8)).rejects.toThrow(
      'already allocated',
    );
  });

  it('gives entries of one port number one node port, as kube-apiserver does', async () => {
    const { write } = setUp();
    const draft = service('dns', {
      type: 'NodePort',
      ports: [{ port: 53, protocol: 'TCP' }, { port: 53, protocol: 'UDP' }, { port: 54 }],
    });
    await write('CREATE', draft);
    const [tcp, udp, other] = draft.spec?.ports ?? [];
    expect(tcp?.nodePort).toBe(udp?.nodePort);
    expect(other?.nodePort).not.toBe(tcp?.nodePort);
  });

  it('gives a load balancer that stays on its node a port for health checks, and takes it back', async () => {
    const { write } = setUp();
    const draft = service('lb', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      allocateLoadBalancerNodePorts: false,
      ports: [{ port: 80 }],
    });
    await write('CREATE', draft);
    const port = draft.spec?.healthCheckNodePort;
    expect(port).toBeGreaterThanOrEqual(30000);
    expect(draft.spec?.ports?.[0]?.nodePort).toBeUndefined();
    const plain = { ...draft, spec: { ...draft.spec, externalTrafficPolicy: 'Cluster' } };
    delete plain.spec.healthCheckNodePort;
    expect(keys(await write('UPDATE', plain as Service, draft))).toEqual([`delete /navarch/claims/nodeports/${port}`]);
  });

  it('refuses families that the cluster has not, and leaves writable what is stored', async () => {
    const { write } = setUp();
    const dual = (labels: object) => ({
      ...service('web', {
        clusterIP: '10.96.0.9',
        clusterIPs: ['10.96.0.9'],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ port: 1 }],
      }),
      ...labels,
    });
    await expect(write('CREATE', dual({}))).rejects.toMatchObject({ code: 422 });
    await expect(write('UPDATE', dual({}), dual({}))).resolves.toEqual({ compare: [], ops: [] });
  });

  it('says so when the range is full', async () => {
    const { write, reader } = setUp('10.96.0.0/29');
    for (let i = 1; i <= 6; i++) reader.put('services', service(`s${i}`, { clusterIP: `10.96.0.${i}` }) as KubeObject);
    await expect(write('CREATE', service('web', {}))).rejects.toThrow('range is full');
  });

  it('gives headless and external services no address', async () => {
    const { write } = setUp();
    expect(await write('CREATE', service('h', { clusterIP: 'None' }))).toEqual({ compare: [], ops: [] });
    expect(await write('CREATE', service('e', { type: 'ExternalName', externalName: 'example.org' }))).toEqual({
      compare: [],
      ops: [],
    });
  });
});

describe('claims of Nodes', () => {
  it('hold a subnet for one node, and let it go with the node', async () => {
    const claims = new NodeClaims();
    const node = { metadata: { name: 'w1' }, spec: { podCIDR: '10.244.1.0/24' } } as KubeObject;
    const change = {
      operation: 'UPDATE',
      draft: node,
      old: { metadata: { name: 'w1' } },
      user: { name: '', groups: [] },
      dryRun: false,
      attempt: 0,
    } as const;
    expect(keys(await claims.before(change))).toEqual(['put /navarch/claims/podcidrs/10.244.1.0/24']);
    await expect(claims.before({ ...change, attempt: 1 })).rejects.toThrow('is the subnet of another node');
    expect(keys(await claims.before({ ...change, operation: 'DELETE', old: node }))).toEqual([
      'delete /navarch/claims/podcidrs/10.244.1.0/24',
    ]);
  });
});
