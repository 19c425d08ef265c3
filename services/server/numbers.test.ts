/**
 * No number of 64 bits in any request of any RPC of a member's gRPC port is answered with INTERNAL; the table is made
 * from proto/ itself. What etcd answers stands in services/store/etcd/int64.e2e.test.ts.
 */
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  status,
  type Client,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { issueCertificate } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { messageWith, ProtoFiles } from '../../platform/testing-proto.js';
import { startCluster, type Cluster } from '../../testing/index.js';

const EDGES = [2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 53n)];
/** Peers have a port of their own: platform/grpc/unreadable.test.ts. */
const proto = new ProtoFiles(new URL('../../proto/', import.meta.url));
const RPCS = proto.rpcs.filter(
  ({ path, request }) =>
    !/^\/(runtime|navarch\.raft|navarch\.overlay)\./.test(path) && [...proto.numbersOf(request)].length > 0,
);
const DEADLINE_MS = 60_000;

let cluster: Cluster;
let client: Client;
beforeAll(async () => {
  cluster = await startCluster({ members: 1, nodes: 0 });
  const { clusterAuthority } = cluster.pki;
  const pair = await issueCertificate(
    clusterAuthority,
    { subject: { commonName: 'admin', organizations: ['system:masters'] }, usages: ['client'], lifetime_ms: 3_600_000 },
    { clock: systemClock, random: systemRandom },
  );
  const [authority, key, certificate] = [clusterAuthority.certificate, pair.privateKey, pair.certificate].map((pem) =>
    Buffer.from(pem),
  );
  client = new (makeGenericClientConstructor({}, 'any'))(
    cluster.members[0]?.grpc ?? '',
    credentials.createSsl(authority, key, certificate),
    { 'grpc.use_local_subchannel_pool': 1 },
  );
});
afterAll(async () => {
  client?.close();
  await cluster?.stop();
});

/** One message, and the code that the stream ends with. To the server every call is a stream. */
function codeOf(path: string, request: Buffer): Promise<number> {
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(path, same, same, new Metadata(), {
      deadline: systemClock.now() + DEADLINE_MS,
    });
    stream
      .on('error', (error: ServiceError) => resolve(error.code))
      .on('end', () => resolve(status.OK))
      .resume();
    stream.write(request);
    stream.end();
  });
}

describe('numbers of 64 bits', () => {
  it('stand in requests of these services', () => {
    expect([...new Set(RPCS.map(({ path }) => path.replace(/\/[^/]+$/, '')))].sort()).toEqual([
      '/etcdserverpb.Cluster',
      '/etcdserverpb.KV',
      '/etcdserverpb.Lease',
      '/etcdserverpb.Maintenance',
      '/etcdserverpb.Watch',
      '/navarch.cluster.v1.ClusterService',
      '/navarch.node.v1.NodeService',
      '/navarch.objects.v1.ObjectService',
      '/navarch.store.v1.WriteService',
      '/v3electionpb.Election',
      '/v3lockpb.Lock',
    ]);
  });

  it.each(RPCS)('$path', async ({ path, request }) => {
    const cases = [...proto.numbersOf(request)].flatMap((number) =>
      EDGES.map((value) => ({
        name: `${number.map(({ name }) => name).join('.')}: ${value}`,
        bytes: messageWith(number, value),
      })),
    );
    const codes = await Promise.all(cases.map(async ({ name, bytes }) => ({ name, code: await codeOf(path, bytes) })));
    expect(codes.filter(({ code }) => code === status.INTERNAL || code === status.DEADLINE_EXCEEDED)).toEqual([]);
  });
});
