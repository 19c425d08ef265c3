/**
 * Issue 6, row 8: no RPC of the members' gRPC port is answered to callers without rights; the table is made from the
 * services themselves.
 */
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  status,
  type Client,
  type ClientDuplexStream,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import {
  AuthService,
  ClusterService,
  KVService,
  LeaseService,
  MaintenanceService,
  TxnRequest,
  WatchRequest,
  WatchService,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ElectionService } from '../../proto/gen/etcd/v3electionpb/election.js';
import { LockService } from '../../proto/gen/etcd/v3lockpb/lock.js';
import { ClusterServiceService } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import { NodeServiceService } from '../../proto/gen/navarch/node/v1/node.js';
import { ObjectServiceService, Selection } from '../../proto/gen/navarch/objects/v1/objects.js';
import { WriteRequest, WriteServiceService } from '../../proto/gen/navarch/store/v1/write.js';
import { startCluster, type Cluster } from '../../testing/index.js';

const SERVICES: Record<string, ServiceDefinition> = {
  KV: KVService,
  Watch: WatchService,
  Lease: LeaseService,
  Cluster: ClusterService,
  Maintenance: MaintenanceService,
  Auth: AuthService,
  Lock: LockService,
  Election: ElectionService,
  Write: WriteServiceService,
  Objects: ObjectServiceService,
  Members: ClusterServiceService,
  Node: NodeServiceService,
};
const context = { clock: systemClock, random: systemRandom };

let cluster: Cluster;
const callers: Record<string, KeyPair | undefined> = {};
beforeAll(async () => {
  cluster = await startCluster({ members: 1, nodes: 0 });
  const { clusterAuthority } = cluster.pki;
  const issue = (authority: KeyPair, commonName: string, organizations: readonly string[] = []) =>
    issueCertificate(
      authority,
      { subject: { commonName, organizations }, usages: ['client'], lifetime_ms: 3_600_000 },
      context,
    );
  callers['nobody'] = undefined;
  callers['a user without rights'] = await issue(clusterAuthority, 'jane');
  callers['a worker'] = await issue(clusterAuthority, 'system:node:w1', ['system:nodes']);
  callers['an administrator of another cluster'] = await issue(
    await createAuthority('theirs', 3_600_000, context),
    'admin',
    ['system:masters'],
  );
});
afterAll(() => cluster.stop());

/** For what is answered; what is not is given less. */
const DEADLINE_MS = 60_000;
const SILENCE_MS = 2_000;
/** Streams on which nothing was asked: they wait for a request, and each is judged. */
const SILENT: readonly string[] = ['Watch.watch', 'Lease.leaseKeepAlive', 'Write.write'];

/** What the port lets such a caller do, and nothing else. */
const ALLOWED: Record<string, readonly string[]> = {
  // What is served is no secret among those who are known (system:discovery).
  'a user without rights': ['Objects.discover'],
  'a worker': ['Objects.discover', 'Node.renew', 'Node.signServing', 'Node.session', 'Node.tunnel'],
};

function requestFor(method: MethodDefinition<object, object>): object {
  const request = method.requestDeserialize(Buffer.alloc(0));
  const resource = { group: '', version: 'v1', resource: 'secrets' };
  const parts: Record<string, unknown> = {
    resource,
    target: { resource, name: 'x', namespace: 'default' },
    selection: Selection.fromPartial({ resource, namespace: 'default' }),
    type: 1,
    patch: Buffer.from('{}'),
    object: Buffer.from('{}'),
    leader: { name: Buffer.from('n'), key: Buffer.from('k'), rev: 1n, lease: 1n },
  };
  return Object.fromEntries(
    Object.entries(request).map(([field, value]) => [field, parts[field] ?? (value as unknown)]),
  );
}

/** The code that the call ends with; 0: it was answered. */
function call(
  client: Client,
  method: MethodDefinition<object, object>,
  { request, deadline_ms }: { request: object; deadline_ms: number },
): Promise<number> {
  const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = method;
  const options = { deadline: systemClock.now() + deadline_ms };
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve(error === null ? 0 : error.code);
    if (!requestStream && !responseStream) {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), options, done);
    } else if (responseStream) {
      const stream = requestStream
        ? client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), options)
        : client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), options);
      stream
        .on('data', () => resolve(0))
        .on('error', done)
        .on('end', () => resolve(0));
      if (requestStream) (stream as ClientDuplexStream<object, object>).write(request);
    } else {
      const stream = client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        new Metadata(),
        options,
        done,
      );
      stream.write(request);
      stream.end();
    }
  });
}

function clientOf(pair: KeyPair | undefined): Client {
  const pem = (text: string) => Buffer.from(text);
  const channel =
    pair === undefined
      ? credentials.createSsl(pem(cluster.pki.clusterAuthority.certificate))
      : credentials.createSsl(
          pem(cluster.pki.clusterAuthority.certificate),
          pem(pair.privateKey),
          pem(pair.certificate),
        );
  return new (makeGenericClientConstructor({}, 'any'))(cluster.members[0]?.grpc ?? '', channel, {
    'grpc.use_local_subchannel_pool': 1,
  });
}

describe.each(['nobody', 'a user without rights', 'a worker', 'an administrator of another cluster'])('%s', (name) => {
  it.each(Object.keys(SERVICES))('is refused every RPC of %s', async (service) => {
    const client = clientOf(callers[name]);
    const isStranger = name === 'nobody' || name === 'an administrator of another cluster';
    const refused =
      name === 'an administrator of another cluster'
        ? [status.UNAUTHENTICATED]
        : [status.PERMISSION_DENIED, status.UNAUTHENTICATED];
    for (const [key, method] of Object.entries(SERVICES[service] ?? {})) {
      const rpc = `${service}.${key}`;
      if (ALLOWED[name]?.includes(rpc) === true) continue;
      // There are no users: whoever has a certificate is told so.
      const isSilent = !isStranger && SILENT.includes(rpc);
      const more = isStranger
        ? []
        : [...(service === 'Auth' ? [status.UNIMPLEMENTED] : []), ...(isSilent ? [status.DEADLINE_EXCEEDED] : [])];
      const asked = {
        request: requestFor(method as MethodDefinition<object, object>),
        deadline_ms: isSilent ? SILENCE_MS : DEADLINE_MS,
      };
      expect([...refused, ...more], rpc).toContain(
        await call(client, method as MethodDefinition<object, object>, asked),
      );
    }
    client.close();
  });

  it.each<[string, MethodDefinition<object, object>, object]>([
    ['an empty Txn', KVService.txn as never, TxnRequest.fromPartial({})],
    [
      'a Txn of empty ones',
      KVService.txn as never,
      TxnRequest.fromPartial({
        success: [{ request: { $case: 'requestTxn', value: {} } }],
        failure: [{ request: { $case: 'requestTxn', value: {} } }],
      }),
    ],
    [
      'a write in a nested Txn',
      KVService.txn as never,
      TxnRequest.fromPartial({
        success: [
          {
            request: {
              $case: 'requestTxn',
              value: {
                failure: [
                  { request: { $case: 'requestPut', value: { key: Buffer.from('k'), value: Buffer.from('v') } } },
                ],
              },
            },
          },
        ],
      }),
    ],
    ['a guard alone', KVService.txn as never, TxnRequest.fromPartial({ compare: [{ key: Buffer.from('k') }] })],
    [
      'the progress of a stream without watches',
      WatchService.watch as never,
      WatchRequest.fromPartial({ requestUnion: { $case: 'progressRequest', value: {} } }),
    ],
    [
      'a write of the stream of writes',
      WriteServiceService.write as never,
      WriteRequest.fromPartial({ operations: [] }),
    ],
  ])('is refused %s', async (what, method, request) => {
    const client = clientOf(callers[name]);
    // Nothing asked of a stream is not answered at all.
    const isSilent =
      what.startsWith('a write of the stream') && name !== 'nobody' && !name.startsWith('an administrator');
    const code = await call(client, method, { request, deadline_ms: isSilent ? SILENCE_MS : DEADLINE_MS }).finally(() =>
      client.close(),
    );
    if (isSilent) expect(code).toBe(status.DEADLINE_EXCEEDED);
    else expect([status.PERMISSION_DENIED, status.UNAUTHENTICATED]).toContain(code);
  });
});
