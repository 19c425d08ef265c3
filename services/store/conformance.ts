/**
 * What every Store promises, as tests. Call it from a test file with something that opens a store. The store may be
 * shared and old: each test has keys of its own and counts from the revision it finds.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import { systemRandom } from '../../platform/random.js';
import { StoreError } from './store.js';
import type {
  Compare,
  Op,
  Revision,
  Store,
  StoreErrorCode,
  StoreEvent,
  StoreWatchRequest,
  WatchBatch,
} from './store.js';

export interface ConformanceTarget {
  readonly store: Store;
  close(): Promise<void>;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const bytes = (value: string) => Buffer.from(value, 'utf8');
const first = <T>(items: readonly T[]): T => present(items[0], 'nothing was found');

/** The end of the range of all keys that start with `prefix`. */
function prefixEnd(prefix: string): Uint8Array {
  const end = bytes(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

class Scope {
  readonly prefix: string;
  readonly store: Store;

  constructor(store: Store, prefix: string) {
    this.store = store;
    this.prefix = prefix;
  }

  key(name: string): Buffer {
    return bytes(this.prefix + name);
  }

  get all(): { key: Uint8Array; rangeEnd: Uint8Array } {
    return { key: bytes(this.prefix), rangeEnd: prefixEnd(this.prefix) };
  }

  async put(name: string, value: string, lease?: bigint): Promise<Revision> {
    const op: Op = { kind: 'put', key: this.key(name), value: bytes(value), ...(lease === undefined ? {} : { lease }) };
    return (await this.store.txn({ compare: [], success: [op], failure: [] })).revision;
  }

  async delete(name: string): Promise<Revision> {
    return (await this.store.txn({ compare: [], success: [{ kind: 'delete', key: this.key(name) }], failure: [] }))
      .revision;
  }

  async get(name: string, revision?: Revision): Promise<string | undefined> {
    const { kvs } = await this.store.range({ key: this.key(name), ...(revision === undefined ? {} : { revision }) });
    return kvs[0] === undefined ? undefined : text(kvs[0].value);
  }

  show(event: StoreEvent): string {
    const name = text(event.kind === 'put' ? event.kv.key : event.key).slice(this.prefix.length);
    return event.kind === 'put' ? `${name}=${text(event.kv.value)}` : `-${name}`;
  }
}

async function codeOf(promise: Promise<unknown>): Promise<StoreErrorCode | 'ok'> {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return (error as StoreError).code;
  }
}

/** Reads batches until `count` events have come, then leaves. */
async function take(
  scope: Scope,
  request: Partial<StoreWatchRequest>,
  count: number,
): Promise<{ events: StoreEvent[]; batches: WatchBatch[] }> {
  const controller = new AbortController();
  const events: StoreEvent[] = [];
  const batches: WatchBatch[] = [];
  for await (const batch of scope.store.watch({ ...scope.all, ...request }, { signal: controller.signal })) {
    batches.push(batch);
    events.push(...batch.events);
    if (events.length >= count) controller.abort();
  }
  return { events, batches };
}

export function storeConformance(name: string, open: () => Promise<ConformanceTarget>): void {
  describe(`Store conformance: ${name}`, () => {
    let target: ConformanceTarget;
    let tests = 0;
    const run = systemRandom.uuid().slice(0, 8);
    beforeAll(async () => void (target = await open()), 60_000);
    afterAll(async () => target?.close(), 60_000);
    const scope = () => new Scope(target.store, `/${run}/${++tests}/`);

    describe('keys and revisions', () => {
      it('counts one revision a transaction, a version a put, and starts again after a delete', async () => {
        const s = scope();
        const created = await s.put('a', '1');
        const second = await s.put('a', '2');
        expect(second).toBeGreaterThan(created);
        const { kvs, count, more, revision } = await s.store.range({ key: s.key('a') });
        expect(kvs).toHaveLength(1);
        expect(kvs[0]).toMatchObject({ createRevision: created, modRevision: second, version: 2, lease: 0n });
        expect([text(first(kvs).key), text(first(kvs).value), count, more]).toEqual([text(s.key('a')), '2', 1, false]);
        expect(revision).toBeGreaterThanOrEqual(second);
        await s.delete('a');
        expect(await s.get('a')).toBeUndefined();
        const third = await s.put('a', '3');
        expect((await s.store.range({ key: s.key('a') })).kvs[0]).toMatchObject({
          createRevision: third,
          modRevision: third,
          version: 1,
        });
      });

      it('sorts keys as unsigned bytes and cuts at the limit, counting all', async () => {
        const s = scope();
        for (const suffix of ['\u00e9', 'b', 'a', 'a\0', '\uffff']) await s.put(suffix, suffix);
        const all = await s.store.range(s.all);
        expect(all.kvs.map((kv) => text(kv.value))).toEqual(['a', 'a\0', 'b', '\u00e9', '\uffff']);
        const cut = await s.store.range({ ...s.all, limit: 2 });
        expect([cut.kvs.length, cut.count, cut.more]).toEqual([2, 5, true]);
        const exact = await s.store.range({ ...s.all, limit: 5 });
        expect([exact.kvs.length, exact.more]).toEqual([5, false]);
      });

      it('treats the end of a range as not in it, and one zero byte as no end', async () => {
        const s = scope();
        await s.put('a', '1');
        await s.put('b', '2');
        expect((await s.store.range({ key: s.key('a'), rangeEnd: s.key('b') })).count).toBe(1);
        expect((await s.store.range({ key: s.key('a'), rangeEnd: Buffer.from([0]) })).count).toBeGreaterThanOrEqual(2);
        expect((await s.store.range({ key: s.key('b'), rangeEnd: s.key('a') })).count).toBe(0);
      });

      it('holds binary keys and empty values', async () => {
        const s = scope();
        const key = Buffer.concat([s.key(''), Buffer.from([0, 255, 128, 1])]);
        await s.store.txn({ compare: [], success: [{ kind: 'put', key, value: new Uint8Array(0) }], failure: [] });
        const { kvs } = await s.store.range({ key });
        expect([Buffer.from(first(kvs).key).equals(key), first(kvs).value.length]).toEqual([true, 0]);
      });

      it('answers keys only and count only', async () => {
        const s = scope();
        await s.put('a', 'x');
        await s.put('b', 'y');
        const keys = await s.store.range({ ...s.all, keysOnly: true });
        expect(keys.kvs.map((kv) => [text(kv.key), kv.value.length])).toEqual([
          [text(s.key('a')), 0],
          [text(s.key('b')), 0],
        ]);
        const count = await s.store.range({ ...s.all, countOnly: true });
        expect([count.kvs.length, count.count]).toEqual([0, 2]);
      });

      it('reads the past, and refuses the future', async () => {
        const s = scope();
        const r1 = await s.put('a', '1');
        const r2 = await s.put('b', '2');
        const r3 = await s.delete('a');
        expect([await s.get('a', r1), await s.get('a', r2), await s.get('a', r3)]).toEqual(['1', '1', undefined]);
        expect((await s.store.range({ ...s.all, revision: r1 })).count).toBe(1);
        expect(await codeOf(s.store.range({ ...s.all, revision: (r3 + 100_000) as Revision }))).toBe('future-revision');
      });

      it('reads its own writes from the replica it wrote to, and linearizably', async () => {
        const s = scope();
        const revision = await s.put('a', '1');
        expect(await s.store.readRevision()).toBeGreaterThanOrEqual(revision);
        expect((await s.store.range({ key: s.key('a'), serializable: true })).kvs).toHaveLength(1);
      });

      it('refuses an empty key', async () => {
        const empty = new Uint8Array(0);
        const s = scope();
        expect(await codeOf(s.store.range({ key: empty }))).toBe('invalid');
        expect(
          await codeOf(s.store.txn({ compare: [], success: [{ kind: 'put', key: empty, value: empty }], failure: [] })),
        ).toBe('invalid');
      });
    });

    describe('transactions', () => {
      it('takes one branch, in order, all at one revision', async () => {
        const s = scope();
        const create: Compare = { target: 'modRevision', key: s.key('a'), op: '=', value: 0 };
        const put = (name: string, value: string): Op => ({
          kind: 'put',
          key: s.key(name),
          value: bytes(value),
          prevKv: true,
        });
        const won = await s.store.txn({
          compare: [create],
          success: [put('a', '1'), put('b', '2'), { kind: 'range', request: s.all }],
          failure: [],
        });
        expect(won.succeeded).toBe(true);
        expect(won.results.map((r) => r.kind)).toEqual(['put', 'put', 'range']);
        const seen = won.results[2];
        expect(seen?.kind === 'range' && seen.range.kvs.map((kv) => [text(kv.value), kv.modRevision])).toEqual([
          ['1', won.revision],
          ['2', won.revision],
        ]);
        const lost = await s.store.txn({
          compare: [create],
          success: [put('a', 'x')],
          failure: [{ kind: 'range', request: { key: s.key('a') } }],
        });
        expect(lost.succeeded).toBe(false);
        const found = lost.results[0];
        expect(found?.kind === 'range' && text(first(found.range.kvs).value)).toBe('1');
        expect(lost.revision).toBe(won.revision);
      });

      it('compares version, revisions, value and lease', async () => {
        const s = scope();
        const revision = await s.put('a', 'm');
        const key = s.key('a');
        const holds = async (compare: Compare) =>
          (await s.store.txn({ compare: [compare], success: [], failure: [] })).succeeded;
        expect(await holds({ target: 'version', key, op: '=', value: 1 })).toBe(true);
        expect(await holds({ target: 'version', key, op: '>', value: 1 })).toBe(false);
        expect(await holds({ target: 'createRevision', key, op: '<', value: revision + 1 })).toBe(true);
        expect(await holds({ target: 'modRevision', key, op: '!=', value: revision })).toBe(false);
        expect(await holds({ target: 'value', key, op: '>', value: bytes('l') })).toBe(true);
        expect(await holds({ target: 'value', key, op: '<', value: bytes('l') })).toBe(false);
        expect(await holds({ target: 'lease', key, op: '=', value: 0n })).toBe(true);
        expect(await holds({ target: 'version', key: s.key('none'), op: '=', value: 0 })).toBe(true);
        expect(await holds({ target: 'value', key: s.key('none'), op: '=', value: bytes('') })).toBe(false);
      });

      it('gives back what it replaced and deleted', async () => {
        const s = scope();
        await s.put('a', '1');
        await s.put('b', '2');
        const result = await s.store.txn({
          compare: [],
          success: [
            { kind: 'put', key: s.key('c'), value: bytes('3'), prevKv: true },
            { kind: 'delete', key: s.key('a'), rangeEnd: s.key('c'), prevKv: true },
          ],
          failure: [],
        });
        const [put, deleted] = result.results;
        expect(put).toEqual({ kind: 'put' });
        expect(deleted?.kind === 'delete' && [deleted.deleted, deleted.prevKvs.map((kv) => text(kv.value))]).toEqual([
          2,
          ['1', '2'],
        ]);
      });

      it('makes no revision when nothing is written', async () => {
        const s = scope();
        const before = await s.put('a', '1');
        const none = await s.store.txn({ compare: [], success: [{ kind: 'delete', key: s.key('none') }], failure: [] });
        expect([none.revision, none.results[0]]).toEqual([before, { kind: 'delete', deleted: 0, prevKvs: [] }]);
      });

      it('refuses to write a key twice, and then writes nothing', async () => {
        const s = scope();
        const put: Op = { kind: 'put', key: s.key('a'), value: bytes('1') };
        expect(await codeOf(s.store.txn({ compare: [], success: [put, put], failure: [] }))).toBe('invalid');
        expect(
          await codeOf(s.store.txn({ compare: [], success: [put, { kind: 'delete', ...s.all }], failure: [] })),
        ).toBe('invalid');
        expect(await s.get('a')).toBeUndefined();
      });

      it('fails whole when a read in it is compacted or in the future', async () => {
        const s = scope();
        const old = await s.put('a', '1');
        await s.put('a', '2');
        await s.store.compact(await s.put('a', '3'));
        const request = (revision: number) =>
          ({ kind: 'range', request: { key: s.key('a'), revision: revision as Revision } }) as const;
        const put: Op = { kind: 'put', key: s.key('a'), value: bytes('4') };
        expect(await codeOf(s.store.txn({ compare: [], success: [put, request(old)], failure: [] }))).toBe('compacted');
        expect(await codeOf(s.store.txn({ compare: [], success: [put, request(2 ** 40)], failure: [] }))).toBe(
          'future-revision',
        );
        expect(await s.get('a')).toBe('3');
      });
    });

    describe('compaction', () => {
      it('hides the past and keeps the present', async () => {
        const s = scope();
        const r1 = await s.put('a', '1');
        await s.put('b', 'keep');
        await s.put('a', '2');
        const r4 = await s.delete('a');
        await s.store.compact(r4);
        expect(await codeOf(s.store.range({ ...s.all, revision: r1 }))).toBe('compacted');
        expect(await s.get('b', r4)).toBe('keep');
        expect(await s.get('a', r4)).toBeUndefined();
        expect(await codeOf(s.store.compact(r1))).toBe('compacted');
        expect(await codeOf(s.store.compact((r4 + 100_000) as Revision))).toBe('future-revision');
        await s.put('a', '3');
        expect(await s.get('a')).toBe('3');
      });
    });

    describe('watch', () => {
      it('delivers from a past revision on, in order, whole revisions', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        await s.put('b', '2');
        await s.store.txn({
          compare: [],
          success: [
            { kind: 'put', key: s.key('c'), value: bytes('3') },
            { kind: 'delete', key: s.key('a') },
          ],
          failure: [],
        });
        const watching = take(s, { startRevision: start }, 5);
        await s.put('d', '4');
        const { events, batches } = await watching;
        expect(events.map((e) => s.show(e)).slice(0, 2)).toEqual(['a=1', 'b=2']);
        expect(
          events
            .map((e) => s.show(e))
            .slice(2, 4)
            .sort(),
        ).toEqual(['-a', 'c=3']);
        expect(s.show(first(events.slice(4)))).toBe('d=4');
        const revisions = batches.map((batch) => batch.revision);
        expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
        const last = events.at(-1);
        expect(last?.kind === 'put' && last.kv.modRevision <= (revisions.at(-1) ?? 0)).toBe(true);
      });

      it('delivers each event once when resumed after the last batch', async () => {
        const s = scope();
        const start = await s.put('k', '0');
        for (let i = 1; i < 20; i++) await s.put('k', `${i}`);
        const seen: string[] = [];
        let next = start;
        while (seen.length < 20) {
          const { batches } = await take(s, { startRevision: next }, 1);
          seen.push(...batches.flatMap((batch) => batch.events.map((e) => s.show(e))));
          next = ((batches.at(-1)?.revision ?? 0) + 1) as Revision;
        }
        expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `k=${i}`));
      });

      it('starts with what comes next when no revision is given', async () => {
        const s = scope();
        await s.put('a', 'old');
        const controller = new AbortController();
        const iterator = s.store
          .watch({ ...s.all, progressInterval_ms: 100 }, { signal: controller.signal })
          [Symbol.asyncIterator]();
        // The first progress says that the watch stands.
        const standing = await iterator.next();
        expect(standing.done === false && standing.value.events).toEqual([]);
        await s.put('a', 'new');
        for (;;) {
          const { value, done } = await iterator.next();
          if (done === true) throw new Error('the watch ended');
          if (value.events.length === 0) continue;
          expect(value.events.map((e) => s.show(e))).toEqual(['a=new']);
          break;
        }
        controller.abort();
        expect((await iterator.next()).done).toBe(true);
      });

      it('brings the version before, and none for a creation', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        await s.put('a', '2');
        await s.delete('a');
        const { events } = await take(s, { startRevision: start, prevKv: true }, 3);
        expect(events.map((e) => (e.prevKv === undefined ? null : text(e.prevKv.value)))).toEqual([null, '1', '2']);
      });

      it('watches one key alone', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        await s.put('ab', 'x');
        await s.put('a', '2');
        const controller = new AbortController();
        const seen: string[] = [];
        for await (const batch of s.store.watch(
          { key: s.key('a'), startRevision: start },
          { signal: controller.signal },
        )) {
          seen.push(...batch.events.map((e) => s.show(e)));
          if (seen.length === 2) controller.abort();
        }
        expect(seen).toEqual(['a=1', 'a=2']);
      });

      it('fails with compacted when the start is gone, naming the compact revision', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        await s.put('a', '2');
        const compacted = await s.put('a', '3');
        await s.store.compact(compacted);
        const error: unknown = await take(s, { startRevision: start }, 1).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(StoreError);
        expect([(error as StoreError).code, (error as StoreError).compactRevision]).toEqual(['compacted', compacted]);
      });

      it('has the events at and after the compact revision, a deletion exactly there included (etcd #19179)', async () => {
        const s = scope();
        await s.put('a', '1');
        const deleted = await s.delete('a');
        await s.store.compact(deleted);
        await s.put('b', '2');
        const { events } = await take(s, { startRevision: (deleted + 1) as Revision }, 1);
        expect(events.map((e) => s.show(e))).toEqual(['b=2']);
      });

      it('does not travel back in time from a future start (etcd #20221)', async () => {
        const s = scope();
        const now = await s.put('a', '1');
        const watching = take(s, { startRevision: (now + 3) as Revision }, 1);
        await s.put('a', '2');
        await s.put('a', '3');
        await s.put('a', '4');
        expect((await watching).events.map((e) => s.show(e))[0]).toBe('a=4');
      });

      it('tells progress while nothing happens', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        const controller = new AbortController();
        for await (const batch of s.store.watch(
          { key: s.key('nothing'), progressInterval_ms: 100 },
          { signal: controller.signal },
        )) {
          expect(batch.events).toEqual([]);
          expect(batch.revision).toBeGreaterThanOrEqual(start);
          controller.abort();
        }
      });
    });

    describe('many watches', () => {
      it('tells all of them the same, in the same order, while others write', async () => {
        const s = scope();
        const start = await s.put('k', '0');
        const watching = Array.from({ length: 20 }, () => take(s, { startRevision: start }, 31));
        const [ones, others] = [
          Array.from({ length: 15 }, (_, i) => `a${i}`),
          Array.from({ length: 15 }, (_, i) => `b${i}`),
        ];
        const writing = [ones, others].map(async (names) => {
          for (const name of names) await s.put(name, '1');
        });
        const seen = (await Promise.all(watching)).map(({ events }) => events.map((e) => s.show(e)));
        await Promise.all(writing);
        for (const one of seen) expect(one).toEqual(seen[0]);
        expect(first(seen).filter((event) => event.startsWith('a'))).toEqual(ones.map((name) => `${name}=1`));
      });

      it('never tells of progress before the events it covers (etcd #15220)', async () => {
        const s = scope();
        const start = await s.put('k', '0');
        const controller = new AbortController();
        let told = 0;
        let last = start;
        const watching = (async () => {
          for await (const batch of s.store.watch(
            { ...s.all, startRevision: start, progressInterval_ms: 5 },
            { signal: controller.signal },
          )) {
            for (const event of batch.events)
              expect(event.kind === 'put' ? event.kv.modRevision : event.modRevision).toBeGreaterThan(told);
            told = batch.revision;
            if (batch.events.some((event) => s.show(event) === 'last=1')) controller.abort();
          }
        })();
        for (let i = 0; i < 100; i++) last = await s.put(`k${i % 7}`, `${i}`);
        await s.put('last', '1');
        await watching;
        expect(told).toBeGreaterThan(last);
      });

      it('comes to a revision that somebody waits for, also when it was written elsewhere', async () => {
        const s = scope();
        const start = await s.put('a', '1');
        const elsewhere = new Scope(s.store, `/${run}/elsewhere/`);
        const awaited = await elsewhere.put('x', '1');
        const request = { ...s.all, startRevision: start, progressInterval_ms: 100, awaited: () => awaited };
        const controller = new AbortController();
        const seen: string[] = [];
        for await (const batch of s.store.watch(request, { signal: controller.signal })) {
          seen.push(...batch.events.map((e) => s.show(e)));
          if (batch.revision >= awaited) controller.abort();
        }
        expect(seen).toEqual(['a=1']);
      });

      it('keeps the events of one transaction together, however large', async () => {
        const s = scope();
        const start = await s.put('first', '1');
        const success = Array.from({ length: 12 }, (_, i): Op => ({
          kind: 'put',
          key: s.key(`big${i}`),
          value: Buffer.alloc(100_000, i),
        }));
        const { revision } = await s.store.txn({ compare: [], success, failure: [] });
        const { batches } = await take(s, { startRevision: (start + 1) as Revision }, 12);
        expect(
          batches.filter(({ events }) => events.length > 0).map((batch) => [batch.events.length, batch.revision]),
        ).toEqual([[12, revision]]);
      });
    });

    describe('leases', () => {
      it('takes its keys along when it is revoked, in one revision', async () => {
        const s = scope();
        const lease = await s.store.leaseGrant({ ttl_s: 60 });
        expect(lease.ttl_s).toBeGreaterThanOrEqual(60);
        const start = await s.put('a', '1', lease.id);
        await s.put('b', '2', lease.id);
        await s.put('c', '3', lease.id);
        await s.put('c', 'free');
        expect((await s.store.range({ key: s.key('a') })).kvs[0]?.lease).toBe(lease.id);
        await s.store.leaseRevoke(lease.id);
        expect((await s.store.range(s.all)).kvs.map((kv) => text(kv.value))).toEqual(['free']);
        const { events } = await take(s, { startRevision: start }, 6);
        const gone = events.filter((e) => e.kind === 'delete');
        expect(gone.map((e) => s.show(e))).toEqual(['-a', '-b']);
        expect(new Set(gone.map((e) => e.kind === 'delete' && e.modRevision)).size).toBe(1);
      });

      it('knows its ids', async () => {
        const s = scope();
        const id = BigInt(`0x7${Buffer.from(run).toString('hex').slice(0, 12)}`);
        expect((await s.store.leaseGrant({ id, ttl_s: 30 })).id).toBe(id);
        expect(await codeOf(s.store.leaseGrant({ id, ttl_s: 30 }))).toBe('lease-exists');
        expect((await s.store.leaseKeepAlive(id)).ttl_s).toBeGreaterThanOrEqual(30);
        await s.store.leaseRevoke(id);
        expect(await codeOf(s.store.leaseKeepAlive(id))).toBe('lease-not-found');
        expect(await codeOf(s.store.leaseRevoke(id))).toBe('lease-not-found');
        expect(await codeOf(s.put('a', '1', id))).toBe('lease-not-found');
      });
    });

    it('says where it stands', async () => {
      const s = scope();
      const revision = await s.put('a', '1');
      const status = await s.store.status();
      expect(status.revision).toBeGreaterThanOrEqual(revision);
      expect(status.memberId).not.toBe('');
    });

    it('serves an aborted call with an error, not with silence', async () => {
      const s = scope();
      expect(['unavailable', 'unknown-outcome']).toContain(
        await codeOf(s.store.range({ key: s.key('a') }, { signal: AbortSignal.abort() })),
      );
    });
  });
}
