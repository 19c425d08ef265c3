import { ChannelCredentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { CallOptions, ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AuthClient,
  ClusterClient,
  Compare_CompareResult,
  Compare_CompareTarget,
  CompactionRequest,
  DeleteRangeRequest,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  PutRequest,
  PutResponse,
  RangeRequest,
  TxnRequest,
  WatchClient,
  WatchCreateRequest,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { WatchResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ElectionClient } from '../../../proto/gen/etcd/v3electionpb/election.js';
import { LockClient } from '../../../proto/gen/etcd/v3lockpb/lock.js';
import { VirtualClock } from '../../../platform/clock.js';
import type { RaftStatus } from '../../../raft/contract.js';
import { TestAuthority } from '../../../raft/testing/certificates.js';
import { MemoryStore } from '../backend/memory-store.js';
import type { EtcdIdentity, EtcdOperation } from './authorize.js';
import { EtcdError } from './errors.js';
import { etcdServices } from './index.js';
import { serializePutResponse } from './put-response.js';

const bytes = (text: string) => Buffer.from(text);
let store: MemoryStore;
let server: Server;
let address: string;
let forbidden: (operation: EtcdOperation) => boolean = () => false;

beforeAll(async () => {
  store = new MemoryStore();
  server = new Server();
  for (const { definition, implementation } of etcdServices({
    backend: store,
    tls: false,
    authorize: (_, operation) => !forbidden(operation),
  })) {
    server.addService(definition, implementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `127.0.0.1:${port}`;
});
beforeEach(() => void (forbidden = () => false));
afterAll(async () => {
  server.forceShutdown();
  await store.close();
});

type Unary<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: R) => void,
) => unknown;
function ask<Q, R>(client: object, method: Unary<Q, R>, request: Q): Promise<R> {
  return new Promise((resolve, reject) =>
    method.call(client, request, new Metadata(), {}, (error, response) =>
      error === null ? resolve(response) : reject(error),
    ),
  );
}

const open = <C>(Client: new (address: string, credentials: ChannelCredentials) => C): C =>
  new Client(address, ChannelCredentials.createInsecure());
const put = (key: string, value: string, more: Partial<PutRequest> = {}) =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value), ...more });

describe('KV', () => {
  it('refuses with the codes and texts that clients match on', async () => {
    const kv = open(KVClient);
    const { header } = await ask(kv, kv.put, put('err/a', '1'));
    await ask(kv, kv.put, put('err/a', '2'));
    await ask(kv, kv.compact, CompactionRequest.fromPartial({ revision: (header?.revision ?? 0) + 1 }));
    const refused = (promise: Promise<unknown>) =>
      promise.then(
        () => 'ok',
        (error: ServiceError) => [error.code, error.details],
      );
    const range = (more: Partial<RangeRequest>) =>
      ask(kv, kv.range, RangeRequest.fromPartial({ key: bytes('err/a'), ...more }));
    expect(await refused(range({ revision: BigInt(header?.revision ?? 0) }))).toEqual([
      status.OUT_OF_RANGE,
      'etcdserver: mvcc: required revision has been compacted',
    ]);
    expect(await refused(range({ revision: 2n ** 50n }))).toEqual([
      status.OUT_OF_RANGE,
      'etcdserver: mvcc: required revision is a future revision',
    ]);
    expect(await refused(range({ key: Buffer.alloc(0) }))).toEqual([
      status.INVALID_ARGUMENT,
      'etcdserver: key is not provided',
    ]);
    expect(await refused(range({ sortTarget: 9 as never }))).toEqual([
      status.INVALID_ARGUMENT,
      'etcdserver: invalid sort option',
    ]);
    expect(await refused(ask(kv, kv.put, put('err/b', '1', { lease: 99n })))).toEqual([
      status.NOT_FOUND,
      'etcdserver: requested lease not found',
    ]);
    expect(await refused(ask(kv, kv.put, put('err/b', '1', { ignoreValue: true })))).toEqual([
      status.INVALID_ARGUMENT,
      'etcdserver: value is provided',
    ]);
    const twice = TxnRequest.fromPartial({
      success: [1, 2].map(() => ({ request: { $case: 'requestPut', value: put('err/c', '1') } }) as const),
    });
    expect(await refused(ask(kv, kv.txn, twice))).toEqual([
      status.INVALID_ARGUMENT,
      'etcdserver: duplicate key given in txn request',
    ]);
    expect(await refused(ask(kv, kv.txn, TxnRequest.fromPartial({ success: [{}] })))).toEqual([
      status.INVALID_ARGUMENT,
      'etcdserver: key not found',
    ]);
    const lease = open(LeaseClient);
    expect(await refused(ask(lease, lease.leaseRevoke, { ID: 99n }))).toEqual([
      status.NOT_FOUND,
      'etcdserver: requested lease not found',
    ]);
    expect(await refused(ask(lease, lease.leaseGrant, { ID: 1n, TTL: 10_000_000_000n }))).toEqual([
      status.OUT_OF_RANGE,
      'etcdserver: too large lease TTL',
    ]);
    const auth = open(AuthClient);
    expect((await refused(ask(auth, auth.authEnable, {})))[0]).toBe(status.UNIMPLEMENTED);
    for (const client of [kv, lease, auth]) client.close();
  });

  it('answers nested transactions in their shape', async () => {
    const kv = open(KVClient);
    const inner = TxnRequest.fromPartial({
      compare: [
        {
          key: bytes('nest/a'),
          target: Compare_CompareTarget.VERSION,
          result: Compare_CompareResult.EQUAL,
          targetUnion: { $case: 'version', value: 0n },
        },
      ],
      success: [{ request: { $case: 'requestPut', value: put('nest/a', '1') } }],
    });
    const request = TxnRequest.fromPartial({
      success: [
        { request: { $case: 'requestTxn', value: inner } },
        { request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key: bytes('nest/a') }) } },
      ],
    });
    const response = await ask(kv, kv.txn, request);
    const [first, second] = response.responses.map(({ response: one }) => one);
    expect(first?.$case === 'responseTxn' && first.value.succeeded).toBe(true);
    expect(second?.$case === 'responseRange' && second.value.kvs[0]?.modRevision).toBe(response.header?.revision);
    kv.close();
  });

  it('authorizes each operation of a transaction, however deep, and what guards and old values reveal', async () => {
    const kv = open(KVClient);
    forbidden = (operation) => 'key' in operation && operation.key.toString().startsWith('secret');
    const secret = RangeRequest.fromPartial({ key: bytes('secret/a') });
    const nested = TxnRequest.fromPartial({ failure: [{ request: { $case: 'requestRange', value: secret } }] });
    const attempts = [
      TxnRequest.fromPartial({ success: [{ request: { $case: 'requestTxn', value: nested } }] }),
      TxnRequest.fromPartial({
        compare: [
          {
            key: bytes('secret/a'),
            target: Compare_CompareTarget.VALUE,
            targetUnion: { $case: 'value', value: bytes('x') },
          },
        ],
      }),
      TxnRequest.fromPartial({
        failure: [
          {
            request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.fromPartial({ key: bytes('secret/a') }) },
          },
        ],
      }),
    ];
    for (const attempt of attempts)
      await expect(ask(kv, kv.txn, attempt)).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
        details: 'etcdserver: permission denied',
      });
    await expect(ask(kv, kv.range, secret)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    forbidden = (operation) => operation.kind === 'read';
    await ask(kv, kv.put, put('open', '1'));
    await expect(ask(kv, kv.put, put('open', '2', { prevKv: true }))).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    kv.close();
  });

  it('refuses nesting without end, and lives', async () => {
    const kv = open(KVClient);
    let nested = TxnRequest.fromPartial({});
    for (let i = 0; i < 25; i++)
      nested = { compare: [], failure: [], success: [{ request: { $case: 'requestTxn', value: nested } }] };
    await expect(ask(kv, kv.txn, nested)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await ask(kv, kv.put, put('alive', '1'));
    kv.close();
  });

  it('writes the answer to a put as the generated code would', () => {
    for (const [clusterId, revision, raftTerm] of [
      [1n, 1, 1],
      [2n ** 64n - 1n, 127, 128],
      [7n, 128, 2],
      [7n, 2 ** 40, 2 ** 33],
      [7n, 5, 0],
    ] as const) {
      const response = { header: { clusterId, memberId: 3n, revision, raftTerm }, prevKv: undefined };
      expect(PutResponse.decode(serializePutResponse(response))).toEqual(response);
      expect(serializePutResponse(response)).toEqual(Buffer.from(PutResponse.encode(response).finish()));
    }
  });

  it('streams a range in parts', async () => {
    const kv = open(KVClient);
    for (let i = 0; i < 1200; i++) await store.put({ kind: 'put', key: bytes(`many/${i}`), value: bytes('x') });
    const parts: number[] = [];
    let count = 0;
    for await (const { rangeResponse } of kv.rangeStream(
      RangeRequest.fromPartial({ key: bytes('many/'), rangeEnd: bytes('many0') }),
    )) {
      parts.push(rangeResponse?.kvs.length ?? 0);
      count = rangeResponse?.count ?? 0;
    }
    expect([parts, count]).toEqual([[500, 500, 200], 1200]);
    kv.close();
  });
});

/** A watch stream whose answers are read one by one. */
function openStream() {
  const client = open(WatchClient);
  const stream = client.watch();
  const answers = stream[Symbol.asyncIterator]() as AsyncIterator<WatchResponse>;
  stream.on('error', () => undefined);
  return {
    create: (request: Partial<WatchCreateRequest>) =>
      void stream.write({ requestUnion: { $case: 'createRequest', value: WatchCreateRequest.fromPartial(request) } }),
    cancel: (watchId: bigint) => void stream.write({ requestUnion: { $case: 'cancelRequest', value: { watchId } } }),
    progress: () => void stream.write({ requestUnion: { $case: 'progressRequest', value: {} } }),
    async next(): Promise<WatchResponse> {
      const { value, done } = await answers.next();
      if (done === true) throw new Error('the stream ended');
      return value;
    },
    close() {
      stream.cancel();
      client.close();
    },
  };
}

describe('Watch', () => {
  const change = (key: string, value: string) => store.put({ kind: 'put', key: bytes(key), value: bytes(value) });

  it('confirms, delivers, cancels, and keeps several watches apart', async () => {
    const stream = openStream();
    stream.create({ key: bytes('w/a') });
    stream.create({ key: bytes('w/'), rangeEnd: bytes('w0'), watchId: 7n, prevKv: true });
    const created = [await stream.next(), await stream.next()];
    expect(created.map((r) => `${r.watchId} ${r.created}`).sort()).toEqual(['0 true', '7 true']);
    const { revision } = await change('w/a', '1');
    const both = [await stream.next(), await stream.next()];
    expect(both.map((r) => `${r.watchId} ${r.events[0]?.kv?.value.toString()} ${r.header?.revision}`).sort()).toEqual([
      `0 1 ${revision}`,
      `7 1 ${revision}`,
    ]);
    stream.cancel(0n);
    expect(await stream.next()).toMatchObject({ watchId: 0n, canceled: true });
    await change('w/a', '2');
    expect((await stream.next()).events[0]).toMatchObject({ prevKv: { value: bytes('1') } });
    stream.close();
  });

  it('refuses a taken id, a compacted start, and what may not be read', async () => {
    const stream = openStream();
    const { revision } = await change('w/x', '1');
    await change('w/x', '2');
    await store.compact((await change('w/x', '3')).revision);
    stream.create({ key: bytes('w/x'), watchId: 5n });
    expect(await stream.next()).toMatchObject({ watchId: 5n, created: true, canceled: false });
    stream.create({ key: bytes('w/x'), watchId: 5n });
    expect(await stream.next()).toMatchObject({
      created: true,
      canceled: true,
      cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
    });
    stream.create({ key: bytes('w/x'), watchId: 6n, startRevision: BigInt(revision) });
    expect(await stream.next()).toMatchObject({ watchId: 6n, created: true });
    expect(await stream.next()).toMatchObject({
      watchId: 6n,
      canceled: true,
      compactRevision: revision + 2,
      cancelReason: 'etcdserver: mvcc: required revision has been compacted',
    });
    forbidden = (operation) => operation.kind === 'read';
    stream.create({ key: bytes('w/x') });
    expect(await stream.next()).toMatchObject({
      created: true,
      canceled: true,
      cancelReason: expect.stringContaining('permission denied') as string,
    });
    stream.close();
  });

  it('tells progress for the stream after the events before it (etcd #15220)', async () => {
    const stream = openStream();
    stream.create({ key: bytes('w/p') });
    await stream.next();
    const { revision } = await change('w/p', '1');
    stream.progress();
    const event = await stream.next();
    expect(event.events).toHaveLength(1);
    const progress = await stream.next();
    expect([progress.watchId, progress.events.length]).toEqual([-1n, 0]);
    expect(progress.header?.revision).toBeGreaterThanOrEqual(revision);
    stream.close();
  });

  it('filters, and splits what is too large for a message when asked', async () => {
    const stream = openStream();
    const { revision } = await change('w/f1', '1');
    await store.kvTxn({
      compare: [],
      failure: [],
      success: [1, 2, 3].map((i) => ({ kind: 'put', key: bytes(`w/f${i}`), value: Buffer.alloc(600_000) })),
    });
    stream.create({ key: bytes('w/f'), rangeEnd: bytes('w/g'), startRevision: BigInt(revision), fragment: true });
    await stream.next();
    const sizes: [number, boolean][] = [];
    for (let seen = 0; seen < 4;) {
      const { events, fragment } = await stream.next();
      seen += events.length;
      sizes.push([events.length, fragment]);
    }
    expect(sizes.some(([, fragment]) => fragment)).toBe(true);
    expect(sizes.at(-1)?.[1]).toBe(false);
    stream.create({ key: bytes('w/n'), filters: [0] });
    await stream.next();
    await change('w/n', '1');
    await store.kvTxn({ compare: [], failure: [], success: [{ kind: 'delete', key: bytes('w/n') }] });
    expect((await stream.next()).events.map((e) => e.type)).toEqual([1]);
    stream.close();
  });
});

describe('the rest', () => {
  it('keeps leases alive on a stream; an unknown one has 0 seconds left', async () => {
    const lease = open(LeaseClient);
    const { ID, TTL } = await ask(lease, lease.leaseGrant, { ID: 0n, TTL: 30n });
    await store.put({ kind: 'put', key: bytes('l/a'), value: bytes('1'), lease: ID });
    const stream = lease.leaseKeepAlive();
    stream.write({ ID });
    stream.write({ ID: 12345n });
    stream.end();
    const answers: [bigint, number][] = [];
    for await (const answer of stream as AsyncIterable<{ ID: bigint; TTL: number }>)
      answers.push([answer.ID, answer.TTL]);
    expect(answers).toEqual([
      [ID, TTL],
      [12345n, 0],
    ]);
    const info = await ask(lease, lease.leaseTimeToLive, { ID, keys: true });
    expect([info.grantedTTL, info.keys.map(String)]).toEqual([30, ['l/a']]);
    expect((await ask(lease, lease.leaseTimeToLive, { ID: 4n, keys: false })).TTL).toBe(-1);
    expect((await ask(lease, lease.leaseLeases, {})).leases.map((l) => l.ID)).toContain(ID);
    lease.close();
  });

  it('says how it is', async () => {
    const [maintenance, cluster] = [open(MaintenanceClient), open(ClusterClient)];
    const state = await ask(maintenance, maintenance.status, {});
    expect(state.version).toMatch(/^3\.5\.\d+$/);
    expect(state.leader).toBe(state.header?.memberId);
    const hash = await ask(maintenance, maintenance.hashKv, { revision: 0n });
    expect(hash.hash).toBe((await store.hash(0)).hash);
    expect((await ask(cluster, cluster.memberList, { linearizable: true })).members).toEqual([]);
    await expect(ask(cluster, cluster.memberAdd, { peerURLs: [], isLearner: false })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
    maintenance.close();
    cluster.close();
  });

  it('tells why a stream ends, rather than leave its client waiting', async () => {
    const [kv, maintenance, election, lease] = [
      open(KVClient),
      open(MaintenanceClient),
      open(ElectionClient),
      open(LeaseClient),
    ];
    forbidden = (operation) => operation.kind !== 'maintain' && operation.kind !== 'use';
    const endOf = (stream: {
      once(event: 'error', listener: (error: ServiceError) => void): unknown;
      resume(): unknown;
    }) =>
      new Promise<[number, string]>((resolve) => {
        stream.once('error', ({ code, details }) => resolve([code, details]));
        stream.resume();
      });
    const refused = [status.PERMISSION_DENIED, 'etcdserver: permission denied'];
    expect(await endOf(kv.rangeStream(RangeRequest.fromPartial({ key: bytes('a') })))).toEqual(refused);
    expect(await endOf(election.observe({ name: bytes('chair') }))).toEqual(refused);
    const keepAlive = lease.leaseKeepAlive();
    keepAlive.write({ ID: 1n });
    expect(await endOf(keepAlive)).toEqual(refused);
    expect((await endOf(maintenance.snapshot({})))[0]).toBe(status.UNIMPLEMENTED);
    for (const client of [kv, maintenance, election, lease]) client.close();
  });

  it('locks one after the other, with growing revisions to fence with', async () => {
    const lock = open(LockClient);
    const leases = [await store.leaseGrant({ ttl_s: 60 }), await store.leaseGrant({ ttl_s: 60 })] as const;
    const name = bytes('mutex');
    const first = await ask(lock, lock.lock, { name, lease: leases[0].id });
    let held = false;
    const second = ask(lock, lock.lock, { name, lease: leases[1].id }).then((answer) => {
      held = true;
      return answer;
    });
    await store.readRevision();
    expect((await ask(lock, lock.lock, { name, lease: leases[0].id })).key).toEqual(first.key);
    expect(held).toBe(false);
    await ask(lock, lock.unlock, { key: first.key });
    const { key } = await second;
    expect((await store.range({ key })).kvs[0]?.createRevision).toBeGreaterThan(0);
    lock.close();
  });

  it('elects the next when a leader resigns or its lease ends', async () => {
    const election = open(ElectionClient);
    const name = bytes('chair');
    const [a, b] = [await store.leaseGrant({ ttl_s: 60 }), await store.leaseGrant({ ttl_s: 60 })];
    const { leader } = await ask(election, election.campaign, { name, lease: a.id, value: bytes('a') });
    const next = ask(election, election.campaign, { name, lease: b.id, value: bytes('b') });
    expect((await ask(election, election.leader, { name })).kv?.value.toString()).toBe('a');
    await ask(election, election.proclaim, { leader, value: bytes('a2') });
    expect((await ask(election, election.leader, { name })).kv?.value.toString()).toBe('a2');
    await store.leaseRevoke(a.id);
    await next;
    expect((await ask(election, election.leader, { name })).kv?.value.toString()).toBe('b');
    await expect(ask(election, election.proclaim, { leader, value: bytes('late') })).rejects.toMatchObject({
      code: status.UNKNOWN,
      details: 'election: not leader',
    });
    election.close();
  });
});

it('knows a client by its certificate, one by one on a shared server', async () => {
  const authority = await TestAuthority.create(Date.now());
  const seen: (EtcdIdentity | undefined)[] = [];
  const authorize = (identity: EtcdIdentity | undefined) => {
    seen.push(identity);
    return identity?.roles.includes('admins') === true;
  };
  const secure = new Server();
  for (const { definition, implementation } of etcdServices({ backend: store, tls: true, authorize }))
    secure.addService(definition, implementation);
  const own = await authority.issue('server');
  const pem = (text: string | Buffer) => Buffer.from(text);
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(
      pem(own.ca),
      [{ cert_chain: pem(own.cert), private_key: pem(own.key) }],
      true,
    );
    secure.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const connect = async (subject: string) => {
    const { ca, cert, key } = await authority.issue(subject);
    return new KVClient(
      `localhost:${port}`,
      ChannelCredentials.createSsl(pem(ca), pem(key), pem(cert), { checkServerIdentity: () => undefined }),
      { 'grpc.use_local_subchannel_pool': 1 },
    );
  };
  const [alice, bob] = [await connect('alice, O=admins, O=others'), await connect('bob, O=workers')];
  for (let i = 0; i < 2; i++) {
    await ask(alice, alice.put, put('tls', '1'));
    await expect(ask(bob, bob.put, put('tls', '2'))).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  }
  const [a, b] = [
    { name: 'alice', roles: ['admins', 'others'] },
    { name: 'bob', roles: ['workers'] },
  ];
  expect(seen).toEqual([a, b, a, b]);
  alice.close();
  bob.close();
  secure.forceShutdown();
});

it('tells a watcher that asked for a leader when there is none, with the code and text of etcd', async () => {
  const clock = new VirtualClock();
  const alone = new Server();
  const member = {
    raftStatus: () => ({ leader: undefined }) as unknown as RaftStatus,
    transferLeadership: () => Promise.resolve(),
    changeMembership: () => Promise.reject(new Error('alone')),
  };
  for (const { definition, implementation } of etcdServices({
    backend: store,
    member,
    tls: false,
    authorize: () => true,
    clock,
  }))
    alone.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    alone.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const watch = new WatchClient(`127.0.0.1:${port}`, ChannelCredentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  const stream = watch.watch(metadata);
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  await new Promise((resolve) => {
    stream.once('data', resolve);
    stream.write({
      requestUnion: { $case: 'createRequest', value: WatchCreateRequest.fromPartial({ key: bytes('k') }) },
    });
  });
  await clock.advance(5000);
  expect(await ended).toMatchObject({ code: status.UNAVAILABLE, details: 'etcdserver: no leader' });
  watch.close();
  alone.forceShutdown();
});

describe('limits and answers of etcd (issue 6, rows 26 and 33)', () => {
  const op = (key: string) => ({ request: { $case: 'requestPut' as const, value: put(key, '') } });
  const ops = (count: number, name = 'n') => Array.from({ length: count }, (_, i) => op(`${name}${i}`));
  const nested = (count: number, inner: number) =>
    TxnRequest.fromPartial({
      success: [
        ...ops(count - 1, 'o'),
        { request: { $case: 'requestTxn' as const, value: TxnRequest.fromPartial({ success: ops(inner) }) } },
      ],
    });

  it('a transaction has at most 128 operations, those of the levels above counted', async () => {
    const kv = open(KVClient);
    const tooMany = { code: status.INVALID_ARGUMENT, details: 'etcdserver: too many operations in txn request' };
    await ask(kv, kv.txn, TxnRequest.fromPartial({ success: ops(128) }));
    await expect(ask(kv, kv.txn, TxnRequest.fromPartial({ success: ops(129) }))).rejects.toMatchObject(tooMany);
    await expect(ask(kv, kv.txn, TxnRequest.fromPartial({ failure: ops(129) }))).rejects.toMatchObject(tooMany);
    await ask(kv, kv.txn, nested(64, 64));
    await expect(ask(kv, kv.txn, nested(64, 65))).rejects.toMatchObject(tooMany);
    kv.close();
  });

  it.each([
    [-1, 2],
    [0, 2],
    [1, 2],
    [2, 2],
    [3, 3],
  ])('a lease that is asked for %i seconds gets %i', async (asked, granted) => {
    const lease = open(LeaseClient);
    expect(await ask(lease, lease.leaseGrant, { TTL: BigInt(asked), ID: 0n })).toMatchObject({ TTL: granted });
    lease.close();
  });

  it('authentication is off, and says so', async () => {
    const auth = open(AuthClient);
    expect(await ask(auth, auth.authStatus, {})).toMatchObject({ enabled: false, authRevision: 1 });
    await expect(ask(auth, auth.authEnable, {})).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
    // Clients with a password take this for leave to go on without.
    await expect(ask(auth, auth.authenticate, { name: 'root', password: 'secret' })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'etcdserver: authentication is not enabled',
    });
    expect(await ask(auth, auth.userList, {})).toMatchObject({ users: [] });
    auth.close();
  });

  it('progress of a stream with a watch from the future is told when it is asked for', async () => {
    const client = open(WatchClient);
    const kv = open(KVClient);
    const { header } = await ask(kv, kv.put, put('future/x', '1'));
    const stream = client.watch();
    stream.on('error', () => undefined);
    const responses: WatchResponse[] = [];
    const answered = new Promise<void>((resolve) =>
      stream.on('data', (response: WatchResponse) => {
        responses.push(response);
        if (!response.created) resolve();
      }),
    );
    const startRevision = (header?.revision ?? 0) + 100;
    stream.write({
      requestUnion: {
        $case: 'createRequest',
        value: WatchCreateRequest.fromPartial({ key: bytes('future/x'), startRevision }),
      },
    });
    stream.write({
      requestUnion: { $case: 'createRequest', value: WatchCreateRequest.fromPartial({ key: bytes('future/x') }) },
    });
    stream.write({ requestUnion: { $case: 'progressRequest', value: {} } });
    await answered;
    expect(responses.at(-1)).toMatchObject({ watchId: -1n, header: { revision: header?.revision } });
    stream.cancel();
    client.close();
    kv.close();
  });

  it.each([
    ['remove', 'a follower', { role: 'follower', leader: 2 }],
    ['promote', 'a follower', { role: 'follower', leader: 2 }],
  ] as const)('members are changed by the leader when %s comes to %s', async (kind, _, role) => {
    const asked: unknown[] = [];
    const peers = [1, 2, 3].map((id) => ({
      id,
      name: `m${id}`,
      peerAddress: '',
      clientAddresses: [],
      learner: id === 3,
    }));
    let membership = { voters: [1, 2], learners: [3], learnersNext: [], peers };
    const raftStatus = () => ({ ...role, id: 1, commitIndex: 100, progress: {}, membership }) as unknown as RaftStatus;
    const member = {
      raftStatus,
      transferLeadership: () => Promise.resolve(),
      changeMembership: () => Promise.reject(new Error('judged by nobody')),
      askLeader: async (_raft: RaftStatus, change: { kind: string; id: number }) => {
        asked.push(change);
        if (change.id === 2)
          throw new EtcdError(
            status.FAILED_PRECONDITION,
            'etcdserver: re-configuration failed due to not enough started members',
          );
        membership =
          change.kind === 'remove'
            ? { ...membership, peers: peers.slice(0, 2), learners: [] }
            : { ...membership, voters: [1, 2, 3], learners: [] };
      },
    };
    const follower = new Server();
    for (const { definition, implementation } of etcdServices({
      backend: store,
      member,
      tls: false,
      authorize: () => true,
    }))
      follower.addService(definition, implementation);
    const port = await new Promise<number>((resolve, reject) => {
      follower.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const cluster = new ClusterClient(`127.0.0.1:${port}`, ChannelCredentials.createInsecure());
    const call = (id: bigint) =>
      kind === 'remove'
        ? ask(cluster, cluster.memberRemove, { ID: id })
        : ask(cluster, cluster.memberPromote, { ID: id });
    const { members } = await call(3n);
    expect(members.map(({ ID, isLearner }) => [ID, isLearner])).toEqual(
      kind === 'remove'
        ? [
            [1n, false],
            [2n, false],
          ]
        : [
            [1n, false],
            [2n, false],
            [3n, false],
          ],
    );
    expect(asked).toEqual([{ kind, id: 3 }]);
    if (kind === 'remove') await expect(call(2n)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    cluster.close();
    follower.forceShutdown();
  });
});
