import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import { finish } from '../../../platform/slices.js';
import { RaftError } from '../../../raft/contract.js';
import type {
  LogIndex,
  Membership,
  NodeId,
  RaftEvents,
  RaftMember,
  RaftStatus,
  StateMachine,
  Term,
} from '../../../raft/contract.js';
import { storeConformance } from '../conformance.js';
import { KvStateMachine } from '../disk/state-machine.js';
import type { AutoCompactionOptions } from './auto-compaction.js';
import { MemberCore } from './core.js';
import { MemberHost } from './host.js';
import type { KeyValue, Revision, WatchBatch } from '../store.js';
import { storeErrorOf } from './raft-errors.js';
import { RemoteStore } from './remote-store.js';

/** Consensus of one, without a log: commands are committed as they come, in the next turn. */
class SoleRaft implements RaftMember {
  #index: number;
  term = 1;
  failing: RaftError | undefined;
  readonly #machine: StateMachine;
  readonly #membership = {
    index: 0,
    voters: [1],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    peers: [],
  } as unknown as Membership;
  #queue: { data: Uint8Array; resolve: (result: unknown) => void }[] = [];

  constructor(machine: StateMachine) {
    this.#machine = machine;
    this.#index = machine.durableIndex;
  }

  async propose(data: Uint8Array): Promise<unknown> {
    if (this.failing !== undefined) throw this.failing;
    return new Promise((resolve) => {
      if (this.#queue.push({ data, resolve }) === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    const entries = queue.map(({ data }) => ({ data, index: ++this.#index as LogIndex, term: this.term as Term }));
    const results = finish(this.#machine.applySlices(entries, () => true));
    queue.forEach(({ resolve }, i) => resolve(results[i]));
  }

  async readIndex(): Promise<LogIndex> {
    if (this.failing !== undefined) throw this.failing;
    return this.#index as LogIndex;
  }

  async askLeader(): Promise<Uint8Array> {
    throw new RaftError('not-leader', 'nobody answers');
  }

  status(): RaftStatus {
    return {
      id: 1,
      clusterId: 'test',
      role: 'leader',
      term: this.term,
      leader: 1,
      membership: this.#membership,
    } as unknown as RaftStatus;
  }

  async transferLeadership(): Promise<void> {
    throw new RaftError('invalid', 'there is nobody to transfer to');
  }

  async changeMembership(): Promise<Membership> {
    return this.#membership;
  }

  async stop(): Promise<void> {
    await this.#machine.persist(this.#index as LogIndex, this.#membership);
  }
}

let root: string;
let opened = 0;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'member-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

async function startCore(
  clock: Clock = systemClock,
  directory = join(root, `${opened++}`),
  autoCompaction?: AutoCompactionOptions,
) {
  const machine = await KvStateMachine.open({ directory, clock });
  let events: RaftEvents = {};
  let raft = new SoleRaft(machine);
  const core = await MemberCore.start({
    machine,
    clock,
    random: systemRandom,
    ...(autoCompaction === undefined ? {} : { autoCompaction }),
    startRaft: async (of, given) => {
      events = given;
      raft = new SoleRaft(of);
      return raft;
    },
  });
  events.onLeadership?.({ leader: 1 as NodeId, term: 1 as Term, leading: true });
  return { core, raft, events, directory };
}

async function startRemote(clock = systemClock) {
  const { core, raft, events } = await startCore(clock);
  const { port1, port2 } = new MessageChannel();
  const host = new MemberHost(port1, systemClock, { onClosed: () => port1.close() });
  const remote = new RemoteStore({
    port: port2,
    clock: systemClock,
    random: systemRandom,
    onFatal: (error) => expect.fail(error.message),
  });
  host.serve(core);
  return { remote, core, raft, events };
}

storeConformance('member, inline', async () => {
  const { core } = await startCore();
  return { store: core, close: () => core.close() };
});

storeConformance('member, behind a port', async () => {
  const { remote } = await startRemote();
  return { store: remote, close: () => remote.close() };
});

const bytes = (text: string) => Buffer.from(text);

describe('a member', () => {
  it('ends leases while it leads, and its proposals of an old term are void (etcd #15247)', async () => {
    const clock = new VirtualClock();
    const { core, raft, events } = await startCore(clock);
    const lease = await core.leaseGrant({ ttl_s: 5 });
    await core.put({ kind: 'put', key: bytes('a'), value: bytes('1'), lease: lease.id });
    const count = async () => (await core.range({ key: bytes('a') })).count;
    // The log has moved to term 2 without this member having noticed.
    raft.term = 2;
    await clock.advance(6000);
    expect(await count()).toBe(1);
    events.onLeadership?.({ leader: undefined, term: 2 as Term, leading: false });
    await clock.advance(60_000);
    expect(await count()).toBe(1);
    // A new leadership gives the lease its whole time again.
    events.onLeadership?.({ leader: 1 as NodeId, term: 2 as Term, leading: true });
    await clock.advance(4500);
    expect(await count()).toBe(1);
    await clock.advance(2000);
    expect(await count()).toBe(0);
    await core.close();
  });

  it('does not renew a long lease at each change of leader: checkpoints say what was left', async () => {
    const clock = new VirtualClock();
    const { core, events } = await startCore(clock);
    const { id } = await core.leaseGrant({ ttl_s: 3600 });
    await clock.advance(20 * 60_000);
    events.onLeadership?.({ leader: undefined, term: 1 as Term, leading: false });
    events.onLeadership?.({ leader: 1 as NodeId, term: 1 as Term, leading: true });
    const { ttl_s } = await core.leaseInfo(id);
    // At least what is left, at most what was left at the last checkpoint, five minutes ago.
    expect(ttl_s).toBeGreaterThanOrEqual(2400);
    expect(ttl_s).toBeLessThanOrEqual(2702);
    await core.leaseKeepAlive(id);
    expect((await core.leaseInfo(id)).ttl_s).toBe(3600);
    await core.close();
  });

  it('compacts by itself while it leads, by revisions or by age', async () => {
    for (const [options, expected] of [
      [{ mode: 'revisions', keep: 10, interval_ms: 1000 }, 41],
      [{ mode: 'periodic', keep_ms: 10_000 }, 51],
    ] as const) {
      const clock = new VirtualClock();
      const { core } = await startCore(clock, join(root, `${opened++}`), options);
      for (let i = 0; i < 50; i++) await core.put({ kind: 'put', key: bytes('a'), value: bytes(`${i}`) });
      await clock.advance(11_500);
      expect((await core.status()).compactRevision).toBe(expected);
      await core.close();
    }
  });

  it('says whether a write that failed may have happened', async () => {
    const { remote, raft } = await startRemote();
    const put = () => remote.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
    raft.failing = new RaftError('not-leader', 'no leader');
    await expect(put()).rejects.toMatchObject({ code: 'unavailable' });
    raft.failing = new RaftError('unknown-outcome', 'lost');
    await expect(put()).rejects.toMatchObject({ code: 'unknown-outcome' });
    await expect(remote.range({ key: bytes('a') })).rejects.toMatchObject({ code: 'unavailable' });
    raft.failing = undefined;
    await put();
    await expect(remote.transferLeadership(2 as NodeId)).rejects.toMatchObject({ code: 'invalid' });
    await remote.close();
    await expect(put()).rejects.toMatchObject({ code: 'closed' });
  });

  it('carries nested transactions, hashes and leases over the port unchanged', async () => {
    const { remote, core } = await startRemote();
    const lease = await remote.leaseGrant({ ttl_s: 60, id: 0x7fff_ffff_ffff_fff0n });
    const put = (key: string) =>
      ({ kind: 'put', key: bytes(key), value: bytes(key), lease: lease.id, prevKv: true }) as const;
    const inner = {
      compare: [],
      success: [put('b'), { kind: 'range', request: { key: bytes('a'), rangeEnd: bytes('z') } }],
      failure: [],
    } as const;
    const result = await remote.kvTxn({ compare: [], success: [put('a'), { kind: 'txn', txn: inner }], failure: [] });
    const nested = result.results[1];
    expect(nested?.kind === 'txn' && nested.txn.results[1]).toMatchObject({ kind: 'range', range: { count: 2 } });
    expect((await remote.leaseInfo(lease.id)).keys.map(String)).toEqual(['a', 'b']);
    expect(await remote.leases()).toEqual([lease.id]);
    expect(await remote.hash(0)).toEqual(await core.hash(0));
    expect(remote.head).toEqual(core.head);
    await remote.close();
  });

  it('tells everybody who waits when the thread is gone, and closes all the same', async () => {
    const { port1, port2 } = new MessageChannel();
    const remote = new RemoteStore({ port: port2, clock: systemClock, random: systemRandom, onFatal: () => undefined });
    const put = remote.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
    const read = remote.range({ key: bytes('a') });
    const watch = remote
      .watch({ key: bytes('a') }, { signal: new AbortController().signal })
      [Symbol.asyncIterator]()
      .next();
    const closing = remote.close();
    remote.abandon(new Error('the thread has ended'));
    await expect(put).rejects.toMatchObject({ code: 'unknown-outcome' });
    await expect(read).rejects.toMatchObject({ code: 'unavailable' });
    await expect(watch).rejects.toMatchObject({ code: 'unavailable' });
    await closing;
    port1.close();
  });

  it('refuses a request that cannot be written, and goes on', async () => {
    const { remote } = await startRemote();
    const bad = remote.txn({
      compare: [{ target: 'version', key: bytes('a'), op: '=', value: Number.NaN }],
      success: [],
      failure: [],
    });
    await expect(bad).rejects.toMatchObject({ code: 'invalid' });
    await expect(remote.put({ kind: 'put', key: bytes('a'), value: Buffer.alloc(3_000_000) })).rejects.toMatchObject({
      code: 'too-large',
    });
    expect((await remote.range({ key: bytes('a'), limit: -1 })).count).toBe(0);
    await remote.close();
  });

  it('keeps what it acknowledged over a restart', async () => {
    const { core, directory } = await startCore();
    await core.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
    await core.close();
    const again = await startCore(systemClock, directory);
    expect((await again.core.range({ key: bytes('a') })).kvs[0]?.value.toString()).toBe('1');
    await again.core.close();
  });
});

it('maps every refusal of Raft', () => {
  const codes = (
    [
      'not-leader',
      'dropped',
      'unknown-outcome',
      'timeout',
      'stopped',
      'invalid',
      'corrupt',
      'wrong-cluster',
      'removed',
    ] as const
  ).map((code) => storeErrorOf(new RaftError(code, code)).code);
  expect(codes).toEqual([
    'unavailable',
    'unavailable',
    'unknown-outcome',
    'unknown-outcome',
    'unknown-outcome',
    'invalid',
    'corrupt',
    'unavailable',
    'unavailable',
  ]);
});

describe('long results across the port (issue 6, row 31)', () => {
  const all = { key: Buffer.from('k'), rangeEnd: Buffer.from('l') };
  const COUNT = 2600;

  async function startPorted() {
    const { core, remote: store } = await startRemote();
    const { id } = await core.leaseGrant({ ttl_s: 60 });
    for (let at = 0; at < COUNT; at += 100) {
      const success = Array.from({ length: 100 }, (_, i) => ({
        kind: 'put' as const,
        key: Buffer.from(`k${at + i}`),
        value: Buffer.from(`${at + i}`),
        lease: id,
      }));
      await core.kvTxn({ compare: [], success, failure: [] });
    }
    return { core, store, id };
  }

  it('are the same as without it, and read without a log entry', async () => {
    const { core, store, id } = await startPorted();
    const index = (await core.status()).appliedIndex;
    const range = await store.range(all);
    expect(range.kvs).toHaveLength(COUNT);
    expect(range).toEqual(await core.range(all));
    const txn = await store.kvTxn({
      compare: [],
      success: [
        { kind: 'range', request: all },
        { kind: 'range', request: { ...all, limit: 700 } },
      ],
      failure: [],
    });
    expect(txn).toEqual(
      await core.kvTxn({
        compare: [],
        success: [
          { kind: 'range', request: all },
          { kind: 'range', request: { ...all, limit: 700 } },
        ],
        failure: [],
      }),
    );
    expect((await store.leaseInfo(id)).keys).toEqual((await core.leaseInfo(id)).keys);
    expect((await store.leaseInfo(id, { keys: false })).keys).toEqual([]);
    expect(await store.leases()).toEqual([id]);
    expect((await core.status()).appliedIndex).toBe(index);
    await store.close();
  });

  it('of a deletion come whole to whoever asked, and as one batch to a watch', async () => {
    const { core, store } = await startPorted();
    const before = await core.range(all);
    const abort = new AbortController();
    const watch = store
      .watch({ ...all, startRevision: (core.revision + 1) as Revision, prevKv: true }, { signal: abort.signal })
      [Symbol.asyncIterator]();
    const next = watch.next();
    const { results } = await store.kvTxn({
      compare: [],
      success: [
        { kind: 'delete', ...all, prevKv: true },
        { kind: 'range', request: all },
      ],
      failure: [],
    });
    expect(results[0]).toEqual({ kind: 'delete', deleted: COUNT, prevKvs: before.kvs });
    const batch = (await next).value as WatchBatch;
    expect(batch.events).toHaveLength(COUNT);
    expect(batch.events.map(({ prevKv }) => prevKv).toSorted(byKey)).toEqual([...before.kvs]);
    abort.abort();
    await store.close();
  });

  it('of a call that was aborted are dropped', async () => {
    const { store } = await startPorted();
    const abort = new AbortController();
    const read = store.range(all, { signal: abort.signal });
    setTimeout(() => abort.abort(), 1);
    await read.catch(() => undefined);
    expect((await store.range(all)).kvs).toHaveLength(COUNT);
    await store.close();
  });
});

const byKey = (a: KeyValue | undefined, b: KeyValue | undefined) =>
  Buffer.compare(a?.key ?? Buffer.alloc(0), b?.key ?? Buffer.alloc(0));
