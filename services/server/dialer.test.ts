/**
 * Issue 7, seam 5: the dialer of a whole member, through real sessions of hollow workers, whose pods echo on every
 * port.
 */
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { endpointSlices, pods, services } from '../../apimachinery/gen/resources.js';
import type { EndpointSlice, Pod, Service } from '../../apimachinery/gen/types.js';
import type { DialTarget } from '../../apimachinery/dialer.js';
import { isApiError } from '../../apimachinery/status.js';
import { startCluster, type Cluster } from '../../testing/cluster.js';

let cluster: Cluster;
const { signal } = new AbortController();
const WEB: DialTarget = { kind: 'service', namespace: 'default', name: 'web', port: 'http' };

beforeAll(async () => {
  cluster = await startCluster({ members: 2, nodes: 2 });
  const { client } = cluster;
  for (const [name, nodeName] of [
    ['a', 'w1'],
    ['b', 'w2'],
  ] as const) {
    await client.create<Pod>(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', name, labels: { app: 'web' } },
      spec: {
        nodeName,
        containers: [{ name: 'web', image: 'web:1', ports: [{ name: 'serve', containerPort: 8080 }] }],
      },
    });
  }
  await client.create<Service>(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'serve' }] },
  });
  await vi.waitFor(
    async () => {
      const { items } = await client.list<EndpointSlice>(endpointSlices, { namespace: 'default' });
      const ready = items
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions, targetRef }) => targetRef?.kind === 'Pod' && conditions?.ready === true);
      if (ready.length < 2) throw new Error(`${ready.length} of 2 endpoints are ready`);
    },
    { timeout: 30_000, interval: 100 },
  );
}, 60_000);

afterAll(() => cluster.stop());

function dial(member: number, target: DialTarget, timeout_ms?: number) {
  const server = cluster.members[member]?.server;
  if (server === undefined) throw new Error('the member does not run');
  return server.dialer.dial(target, { signal, ...(timeout_ms === undefined ? {} : { timeout_ms }) });
}

async function echoed(member: number, target: DialTarget, bytes: string): Promise<string> {
  const connection = await dial(member, target);
  connection.end(bytes);
  return textOf(connection);
}

it.each([0, 1])(
  'member %i reaches a Service, and pods on every node: each worker has a session with every member',
  async (member) => {
    const podTargets = ['a', 'b'].map((name): DialTarget => ({ kind: 'pod', namespace: 'default', name, port: 8080 }));
    for (const target of [...podTargets, WEB]) {
      await expect
        .poll(() => echoed(member, target, 'over and back').catch(String), { timeout: 20_000 })
        .toBe('over and back');
    }
    for (let count = 0; count < 4; count++)
      expect(await echoed(member, WEB, `request ${count}`)).toBe(`request ${count}`);
  },
);

it('carries more than fits in one frame, or in one message of gRPC', async () => {
  const connection = await dial(0, { kind: 'pod', namespace: 'default', name: 'a', port: 80 });
  const sent = Buffer.alloc(6 << 20, 'navarch ');
  connection.end(sent);
  const chunks: Buffer[] = [];
  for await (const chunk of connection) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(sent)).toBe(true);
});

it("does not go to an address that somebody wrote beside a pod's own", async () => {
  const pod = await cluster.client.get(pods, { namespace: 'default', name: 'a' });
  await cluster.client.create<Service>(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'forged' },
    spec: { ports: [{ port: 80 }] },
  });
  await cluster.client.create<EndpointSlice>(endpointSlices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name: 'forged', labels: { 'kubernetes.io/service-name': 'forged' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['192.0.2.1'] },
      {
        addresses: ['10.244.9.9'],
        targetRef: {
          kind: 'Pod',
          namespace: 'default',
          name: 'a',
          ...(pod.metadata?.uid === undefined ? {} : { uid: pod.metadata.uid }),
        },
      },
    ],
  });
  const target: DialTarget = { kind: 'service', namespace: 'default', name: 'forged', port: 80 };
  await expect
    .poll(() => dial(0, target).catch(String), { timeout: 20_000 })
    .toContain('no endpoints available for service "forged"');
});

it('reports which node has no session, and that a hollow worker serves no port', async () => {
  await expect(dial(0, { kind: 'node', name: 'w1', port: 10_250 })).rejects.toThrow('the worker serves no port');
  await cluster.nodes[1]?.stop();
  const node: DialTarget = { kind: 'node', name: 'w2', port: 10_250 };
  // Until the member has seen the session end, the worker is asked in vain.
  await expect
    .poll(() => dial(0, node, 1000).catch(String), { timeout: 20_000 })
    .toContain('node "w2" has no session with this member now');
  const failure: unknown = await dial(0, { kind: 'pod', namespace: 'default', name: 'b', port: 80 }).catch(
    (error: unknown) => error,
  );
  expect(isApiError(failure, 'ServiceUnavailable')).toBe(true);
  // The Service still has the pod of the other node among its endpoints: it is tried when the first is not reached.
  for (let count = 0; count < 4; count++) expect(await echoed(0, WEB, 'still there')).toBe('still there');
});
