import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { finish } from '../../../platform/slices.js';
import type { KvWatch } from './sink.js';
import { LIMITS } from '../limits.js';
import { KvState } from '../mvcc/kv-state.js';
import type { KvOp } from '../mvcc/operations.js';
import type { Revision, StoreErrorCode, StoreEvent, WatchBatch } from '../store.js';
import { WatchHub } from './hub.js';

const bytes = (text: string) => Buffer.from(text);
const show = (event: StoreEvent) =>
  event.kind === 'put'
    ? `${Buffer.from(event.kv.key).toString()}=${Buffer.from(event.kv.value).toString()}`
    : `-${Buffer.from(event.key).toString()}`;

class Bench {
  readonly state = new KvState();
  readonly clock = new VirtualClock();
  readonly hub: WatchHub;

  constructor(lag_events?: number) {
    this.hub = new WatchHub(this.state.mvcc, {
      clock: this.clock,
      ...(lag_events === undefined ? {} : { lag_events }),
    });
  }

  txn(...success: KvOp[]): number {
    this.state.apply({ kind: 'txn', txn: { compare: [], success, failure: [] } }, 1);
    finish(this.hub.publish());
    return this.state.mvcc.revision;
  }

  put(key: string, value: string): number {
    return this.txn({ kind: 'put', key: bytes(key), value: bytes(value) });
  }

  watch(request: Partial<KvWatch> = {}) {
    const batches: WatchBatch[] = [];
    const ended: StoreErrorCode[] = [];
    const handle = this.hub.watch(
      { key: bytes('\0'), rangeEnd: bytes('\0'), ...request },
      { onBatch: (batch) => void batches.push(batch), onEnd: (error) => void ended.push(error.code) },
    );
    return { ...handle, handle, batches, ended, events: () => batches.flatMap((batch) => batch.events.map(show)) };
  }
}

describe('a watcher without room', () => {
  it('is served from history once it has room, in few batches, and nothing is lost or repeated (etcd #17529)', () => {
    const bench = new Bench();
    const slow = bench.watch();
    const fast = bench.watch();
    fast.handle.grant(1000);
    for (let i = 0; i < 100; i++) bench.put('k', `${i}`);
    expect([fast.batches.length, slow.batches.length]).toEqual([100, 0]);
    slow.handle.grant(1);
    expect(slow.batches).toHaveLength(1);
    expect(slow.events()).toEqual(fast.events());
    bench.put('k', 'more');
    expect(slow.batches).toHaveLength(1);
    slow.handle.grant(1);
    expect(slow.events()).toEqual(fast.events());
  });

  it('is sent nothing that is still being applied, whenever it asks; and that only once (seeds 686 and 836)', () => {
    const bench = new Bench();
    const slow = bench.watch();
    const revision = bench.put('k', 'whole');
    bench.state.apply(
      {
        kind: 'txn',
        txn: { compare: [], success: [{ kind: 'put', key: bytes('k'), value: bytes('midway') }], failure: [] },
      },
      1,
    );
    slow.handle.grant(2);
    expect(slow.batches).toMatchObject([{ revision, events: [expect.anything()] }]);
    finish(bench.hub.publish());
    expect(slow.events()).toEqual(['k=whole', 'k=midway']);
  });

  it('is closed when too much passes while it takes nothing', () => {
    const bench = new Bench(10);
    const slow = bench.watch();
    for (let i = 0; i < 12; i++) bench.put('k', `${i}`);
    expect(slow.ended).toEqual(['overflow']);
    expect(bench.hub.size).toBe(0);
  });

  it('is told when compaction overtakes it, also if all it wanted was deleted (etcd #18089)', () => {
    const bench = new Bench();
    const slow = bench.watch({ key: bytes('gone'), rangeEnd: bytes('gonf') });
    bench.put('gone', '1');
    bench.txn({ kind: 'delete', key: bytes('gone') });
    const revision = bench.put('other', '1');
    bench.state.apply({ kind: 'compact', revision }, 1);
    finish(bench.hub.publish());
    while (bench.state.mvcc.scrub(1));
    slow.handle.grant(1);
    expect([slow.events(), slow.ended]).toEqual([[], ['compacted']]);
  });

  it('is told of a compaction once that is whole, whenever it asks; others go on meanwhile (seed 873)', () => {
    const bench = new Bench();
    const [slow, late] = [bench.watch(), bench.watch({ startRevision: 4 as Revision })];
    for (const value of ['1', '2', '3']) bench.put('k', value);
    const compacting = bench.state.mvcc.compact(4);
    compacting.next();
    slow.handle.grant(1);
    late.handle.grant(1);
    expect([slow.ended, slow.events(), late.events()]).toEqual([[], [], ['k=3']]);
    finish(compacting);
    finish(bench.hub.publish());
    expect(slow.ended).toEqual(['compacted']);
  });
});

describe('batches', () => {
  it('never cut a revision in two, however large it is, and each event comes once (etcd #17247)', async () => {
    const bench = new Bench();
    const start = bench.put('first', '1');
    const many: KvOp[] = Array.from({ length: LIMITS.watchBatch_events + 500 }, (_, i) => ({
      kind: 'put',
      key: bytes(`k${i}`),
      value: bytes('x'),
    }));
    const large = bench.txn(...many);
    bench.put('last', '1');
    const watcher = bench.watch({ startRevision: start as Revision });
    watcher.handle.grant(10);
    await bench.clock.advance(1);
    const sizes = watcher.batches.map((batch) => [batch.events.length, batch.revision]);
    expect(sizes).toEqual([
      [1, start],
      [many.length, large],
      [1, large + 1],
    ]);
    expect(new Set(watcher.events()).size).toBe(many.length + 2);
  });

  it('of a very long revision go out in parts, one a turn, and those who come meanwhile miss nothing (issue 6, row 31)', async () => {
    const bench = new Bench();
    const parts: WatchBatch[] = [];
    const handle = bench.hub.watch(
      { key: bytes('k'), rangeEnd: bytes('l') },
      { takesParts: true, onBatch: (batch) => void parts.push(batch), onEnd: () => undefined },
    );
    handle.grant(10);
    const many: KvOp[] = Array.from({ length: 2048 }, (_, i) => ({
      kind: 'put',
      key: bytes(`k${i}`),
      value: bytes('x'),
    }));
    const large = bench.txn(...many);
    const late = bench.watch({ startRevision: large as Revision });
    late.handle.grant(10);
    expect(parts.map(({ events, partial }) => [events.length, partial])).toEqual([[1000, true]]);
    await bench.clock.advance(1);
    bench.put('k1', 'y');
    await bench.clock.advance(1);
    expect(parts.map(({ events, revision, partial = false }) => [events.length, revision, partial])).toEqual([
      [1000, large, true],
      [1000, large, true],
      [48, large, false],
      [1, large + 1, false],
    ]);
    expect(late.batches.map(({ events }) => events.length)).toEqual([2048, 1]);
    expect(parts.flatMap(({ events }) => events.map(show))).toEqual(late.events());
  });

  it('come to a watcher that joins while the hub finds out whom a revision concerns', () => {
    const state = new KvState({ slice_keys: 1 });
    const hub = new WatchHub(state.mvcc, { clock: new VirtualClock() });
    const seen: string[] = [];
    const sink = { onBatch: (batch: WatchBatch) => void seen.push(...batch.events.map(show)), onEnd: () => undefined };
    hub.watch({ key: bytes('x') }, sink);
    hub.watch({ key: bytes('y') }, sink);
    state.apply(
      {
        kind: 'txn',
        txn: {
          compare: [],
          failure: [],
          success: [
            { kind: 'put', key: bytes('a'), value: bytes('1') },
            { kind: 'put', key: bytes('b'), value: bytes('1') },
          ],
        },
      },
      1,
    );
    const publishing = hub.publish();
    publishing.next();
    const late = hub.watch({ key: bytes('a') }, sink);
    finish(publishing);
    late.grant(1);
    expect(seen).toEqual(['a=1']);
  });

  it('do not come in one piece to a watcher that has a long history before it', async () => {
    const bench = new Bench();
    for (let i = 0; i < 3000; i++) bench.put('k', `${i}`);
    const watcher = bench.watch({ startRevision: 1 as Revision });
    watcher.handle.grant(10);
    expect(watcher.batches).toHaveLength(1);
    await bench.clock.advance(1);
    expect(watcher.events()).toHaveLength(3000);
  });

  it('have a deletion exactly at the compact revision (etcd #19179)', () => {
    const bench = new Bench();
    bench.put('a', '1');
    const deleted = bench.txn({ kind: 'delete', key: bytes('a') });
    bench.state.apply({ kind: 'compact', revision: deleted }, 1);
    while (bench.state.mvcc.scrub(1));
    const watcher = bench.watch({ startRevision: deleted as Revision });
    watcher.handle.grant(1);
    expect(watcher.events()).toEqual(['-a']);
  });

  it('leave out what a filter or another key excludes, and move on past it', () => {
    const bench = new Bench();
    const puts = bench.watch({ noDelete: true });
    const deletes = bench.watch({ noPut: true });
    const single = bench.watch({ key: bytes('b'), rangeEnd: Buffer.alloc(0) });
    for (const watcher of [puts, deletes, single]) watcher.handle.grant(10);
    bench.put('a', '1');
    bench.put('b', '2');
    bench.txn({ kind: 'delete', key: bytes('a') });
    expect([puts.events(), deletes.events(), single.events()]).toEqual([['a=1', 'b=2'], ['-a'], ['b=2']]);
  });
});

describe('progress', () => {
  it('waits for the events before it, and for room (etcd #15220)', () => {
    const bench = new Bench();
    const watcher = bench.watch();
    const revision = bench.put('a', '1');
    watcher.handle.requestProgress();
    expect(watcher.batches).toEqual([]);
    watcher.handle.grant(1);
    expect(watcher.batches.map((batch) => batch.events.length)).toEqual([1]);
    watcher.handle.grant(1);
    expect(watcher.batches.map((batch) => [batch.events.length, batch.revision])).toEqual([
      [1, revision],
      [0, revision],
    ]);
  });

  it('comes from a watch that starts in the future when it is asked for, and not before (etcd #20221; issue 6, row 33)', async () => {
    const bench = new Bench();
    const now = bench.put('a', '1');
    const watcher = bench.watch({ startRevision: (now + 2) as Revision, progressInterval_ms: 100 });
    watcher.handle.grant(10);
    await bench.clock.advance(250);
    expect(watcher.batches).toEqual([]);
    watcher.handle.requestProgress();
    expect(watcher.batches).toEqual([{ events: [], revision: now }]);
    bench.put('a', '2');
    bench.put('a', '3');
    expect(watcher.events()).toEqual(['a=3']);
  });

  it('comes at intervals, and only while nothing else does', async () => {
    const bench = new Bench();
    const watcher = bench.watch({ progressInterval_ms: 100 });
    watcher.handle.grant(10);
    await bench.clock.advance(250);
    expect(watcher.batches.map((batch) => batch.events.length)).toEqual([0, 0]);
    bench.put('a', '1');
    await bench.clock.advance(100);
    expect(watcher.batches.map((batch) => batch.events.length)).toEqual([0, 0, 1]);
    watcher.handle.cancel();
    await bench.clock.advance(1000);
    expect(watcher.batches).toHaveLength(3);
  });
});
