import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpoints, endpointSlices, services } from '../../../apimachinery/gen/resources.js';
import type { EndpointSubset } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import { createEndpointSliceMirroringController } from './endpointslicemirroring.js';
import { mirroredGroups } from './mirror.js';

describe('what of Endpoints is mirrored (KEP-752)', () => {
  const shapes = (subsets: EndpointSubset[]) =>
    mirroredGroups(subsets).groups.map(
      ({ addressType, ports, endpoints: list }) =>
        `${addressType} ${ports.map(({ name = '', port = 0, protocol = '' }) => `${name}:${port}/${protocol}`).join()} ${list.map(({ addresses, conditions }) => `${addresses[0] ?? ''}${conditions?.ready === true ? '' : '!'}`).join()}`,
    );

  it.each<[string, EndpointSubset[], string[]]>([
    [
      'a slice for each set of ports',
      [
        { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] },
        { addresses: [{ ip: '10.0.0.2' }], ports: [{ name: 'm', port: 9, protocol: 'UDP' }] },
      ],
      [':80/TCP 10.0.0.1', 'm:9/UDP 10.0.0.2'].map((line) => `IPv4 ${line}`),
    ],
    [
      'and for each family',
      [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'FD00:0::1' }], ports: [{ port: 80 }] }],
      ['IPv4 :80/TCP 10.0.0.1', 'IPv6 :80/TCP fd00::1'],
    ],
    [
      'not ready addresses',
      [{ addresses: [{ ip: '10.0.0.1' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: [{ port: 80 }] }],
      ['IPv4 :80/TCP 10.0.0.1,10.0.0.2!'],
    ],
    [
      'ports of the same addresses together',
      [
        { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'a', port: 1 }] },
        { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'b', port: 2 }] },
      ],
      ['IPv4 a:1/TCP,b:2/TCP 10.0.0.1'],
    ],
    [
      'subsets of the same ports together',
      [
        { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] },
        { addresses: [{ ip: '10.0.0.2' }], ports: [{ port: 80 }] },
      ],
      ['IPv4 :80/TCP 10.0.0.1,10.0.0.2'],
    ],
    [
      'an address in both lists is not ready',
      [{ addresses: [{ ip: '10.0.0.1' }], notReadyAddresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }],
      ['IPv4 :80/TCP 10.0.0.1!'],
    ],
    ['addresses without a port', [{ addresses: [{ ip: '10.0.0.1' }] }], ['IPv4  10.0.0.1']],
    ['nothing of nothing', [{ ports: [{ port: 80 }] }], []],
  ])('%s', (_, subsets, wanted) => {
    expect(shapes(subsets)).toEqual(wanted);
  });

  it('at most a thousand of a subset, ready ones first; what is no address is left out and counted', () => {
    const addresses = (count: number, third: number) =>
      Array.from({ length: count }, (_, i) => ({ ip: `10.0.${third + Math.floor(i / 250)}.${(i % 250) + 1}` }));
    const { groups, invalid, surplus } = mirroredGroups([
      {
        notReadyAddresses: addresses(300, 0),
        addresses: [...addresses(900, 10), { ip: 'nonsense' }],
        ports: [{ port: 80 }],
      },
    ]);
    expect([
      groups[0]?.endpoints.length,
      groups[0]?.endpoints.filter(({ conditions }) => conditions?.ready === true).length,
      invalid,
      surplus,
    ]).toEqual([1000, 900, 1, 200]);
  });
});

describe('the mirroring controller', () => {
  let t: ReturnType<typeof createTestContext>;
  beforeEach(async () => {
    t = createTestContext();
    await t.start(createEndpointSliceMirroringController(t.context));
  });
  afterEach(() => t.stop());

  const at = { namespace: 'd', name: 's' };
  const makeService = (spec: object = {}) =>
    t.client.create(services, { metadata: at, spec: { ports: [{ port: 80 }], ...spec } });
  const makeEndpoints = (metadata: object = {}) =>
    t.client.create(endpoints, {
      metadata: { ...at, ...metadata },
      subsets: [{ addresses: [{ ip: '192.0.2.1', nodeName: 'w' }], ports: [{ name: 'web', port: 8080 }] }],
    });
  const slices = async () => (await t.client.list(endpointSlices)).items;

  it('makes a slice that carries labels, annotations and owner, and follows', async () => {
    await makeService();
    const source = await makeEndpoints({
      labels: { team: 'x' },
      annotations: {
        note: 'y',
        'endpoints.kubernetes.io/last-change-trigger-time': 't',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
      },
    });
    await t.settle();
    expect(await slices()).toMatchObject([
      {
        metadata: {
          generateName: 's-',
          annotations: { note: 'y' },
          labels: {
            team: 'x',
            'kubernetes.io/service-name': 's',
            'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
          },
          ownerReferences: [
            {
              apiVersion: 'v1',
              kind: 'Endpoints',
              name: 's',
              uid: source.metadata?.uid,
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        addressType: 'IPv4',
        ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
        endpoints: [{ addresses: ['192.0.2.1'], nodeName: 'w', conditions: { ready: true } }],
      },
    ]);
    expect((await slices())[0]?.metadata?.annotations).toEqual({ note: 'y' });
    const name = (await slices())[0]?.metadata?.name;
    await t.client.update(endpoints, {
      ...source,
      subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ name: 'web', port: 9090 }] }],
    });
    await t.settle();
    expect(
      (await slices()).map((slice) => [
        slice.metadata?.name,
        slice.ports?.[0]?.port,
        slice.endpoints?.[0]?.addresses[0],
      ]),
    ).toEqual([[name, 9090, '192.0.2.2']]);
    await t.client.delete(endpoints, at);
    await t.settle();
    expect(await slices()).toEqual([]);
  });

  it.each<[string, object, object]>([
    ['of a Service with a selector', { selector: { app: 'x' } }, {}],
    ['that say skip', {}, { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }],
    ['that are a lock', {}, { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }],
  ])('leaves Endpoints alone %s', async (_, spec, metadata) => {
    await makeService(spec);
    await makeEndpoints(metadata);
    await t.settle();
    expect(await slices()).toEqual([]);
  });

  it('makes none before there is a Service, and takes them back when the Service gets a selector', async () => {
    await makeEndpoints();
    await t.settle();
    expect(await slices()).toEqual([]);
    const service = await makeService();
    await t.settle();
    expect(await slices()).toHaveLength(1);
    await t.client.update(services, { ...service, spec: { ...service.spec, selector: { app: 'x' } } });
    await t.settle();
    expect(await slices()).toEqual([]);
  });
});
