/** Ranges: which keys an interval means, and reading them with etcd's options. */
import { compactedError, futureRevisionError, revisionOf } from '../errors.js';
import type { KeyValue, RangeResult } from '../store.js';
import type { Mvcc } from './mvcc.js';
import type { KvRange, SortTarget } from './operations.js';
import { valueOffsetOf } from './record.js';
import type { Record } from './record.js';

/** Keys as strings of one character a byte. `end` undefined: to the last key. */
export interface Interval {
  readonly start: string;
  readonly end: string | undefined;
  /** True when only `start` is meant. */
  readonly single: boolean;
}

export const latin1 = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('latin1');

/** No end or an empty one: the one key. A single zero byte: everything from the key on. */
export function intervalOf(key: Uint8Array, rangeEnd: Uint8Array | undefined): Interval {
  const start = latin1(key);
  if (rangeEnd === undefined || rangeEnd.length === 0) return { start, end: `${start}\0`, single: true };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: undefined, single: false };
  return { start, end: latin1(rangeEnd), single: false };
}

export const contains = (interval: Interval, key: string): boolean =>
  interval.single ? key === interval.start : key >= interval.start && (interval.end === undefined || key < interval.end);

/** The versions that `revision` sees in the interval, in order of their keys. */
export function recordsIn(mvcc: Mvcc, interval: Interval, revision: number): Record[] {
  const records: Record[] = [];
  if (interval.single) {
    const record = mvcc.at(interval.start, revision);
    if (record !== undefined) records.push(record);
  } else {
    mvcc.scan(interval.start, interval.end, revision, (record) => {
      records.push(record);
      return true;
    });
  }
  return records;
}

/** Throws when the revision cannot be read. `now`: the newest that can. */
export function checkReadable(mvcc: Mvcc, revision: number | undefined, now: number): void {
  if (revision === undefined || revision <= 0) return;
  if (revision > now) throw futureRevisionError();
  if (revision < mvcc.compactRevision) throw compactedError(mvcc.compactRevision);
}

/** Reads at `request.revision`, or else at `now`: the newest revision, or the one being written. */
export function readRange(mvcc: Mvcc, request: KvRange, now: number): RangeResult {
  const revision = request.revision !== undefined && request.revision > 0 ? request.revision : now;
  const interval = intervalOf(request.key, request.rangeEnd);
  const answered = revisionOf(mvcc.revision);
  if (request.countOnly === true) return { revision: answered, kvs: [], count: countIn(mvcc, interval, revision), more: false };
  const limit = request.limit ?? 0;
  const keysOnly = request.keysOnly === true;
  if (!needsAll(request)) {
    const kvs: KeyValue[] = [];
    let count = 0;
    if (interval.single) {
      const record = mvcc.at(interval.start, revision);
      if (record !== undefined) {
        count = 1;
        kvs.push(mvcc.toKeyValue(record, keysOnly));
      }
      return { revision: answered, kvs, count, more: false };
    }
    mvcc.scan(interval.start, interval.end, revision, (record) => {
      count++;
      if (limit === 0 || count <= limit) kvs.push(mvcc.toKeyValue(record, keysOnly));
      return true;
    });
    return { revision: answered, kvs, count, more: count > kvs.length };
  }
  const all = recordsIn(mvcc, interval, revision);
  // etcd cuts before it sorts when no order is asked for: what comes back then are the first by key.
  const cut = request.sortOrder === undefined && limit > 0 && !isBounded(request);
  let records = (cut ? all.slice(0, limit + 1) : all).filter((record) => isWithin(record, request));
  sort(mvcc, records, request);
  const more = limit > 0 && records.length > limit;
  if (more) records = records.slice(0, limit);
  return { revision: answered, kvs: records.map((record) => mvcc.toKeyValue(record, keysOnly)), count: all.length, more };
}

/** Keys looked at in one page: what a thread with heartbeats to send may spend at once. */
const PAGE_KEYS = 1000;

/**
 * Reads as `readRange`, a page at a time: a value of `undefined` is a moment to let others work. The revision is fixed
 * when it begins; fails with 'compacted' when that is lost meanwhile.
 */
export function* readPages(mvcc: Mvcc, request: KvRange, now: number): Generator<undefined, RangeResult> {
  const revision = request.revision !== undefined && request.revision > 0 ? request.revision : now;
  const interval = intervalOf(request.key, request.rangeEnd);
  // Sorting wants everything at once.
  if (interval.single || needsAll(request)) return readRange(mvcc, request, now);
  const limit = request.countOnly === true ? -1 : (request.limit ?? 0);
  const kvs: KeyValue[] = [];
  let count = 0;
  for (let start: string | undefined = interval.start; start !== undefined;) {
    let looked = 0;
    let next: string | undefined;
    mvcc.scan(start, interval.end, revision, (record) => {
      if (++looked > PAGE_KEYS) {
        next = record.key;
        return false;
      }
      count++;
      if (limit === 0 || count <= limit) kvs.push(mvcc.toKeyValue(record, request.keysOnly === true));
      return true;
    });
    start = next;
    if (next === undefined) break;
    yield undefined;
    checkReadable(mvcc, revision, mvcc.revision);
  }
  return { revision: revisionOf(now), kvs, count, more: limit >= 0 && count > kvs.length };
}

function countIn(mvcc: Mvcc, interval: Interval, revision: number): number {
  if (interval.single) return mvcc.at(interval.start, revision) === undefined ? 0 : 1;
  let count = 0;
  mvcc.scan(interval.start, interval.end, revision, () => {
    count++;
    return true;
  });
  return count;
}

const needsAll = (request: KvRange) =>
  request.sortOrder === 'descend' || (request.sortTarget !== undefined && request.sortTarget !== 'key') || isBounded(request);

const isBounded = (request: KvRange) =>
  (request.minModRevision ?? 0) !== 0 || (request.maxModRevision ?? 0) !== 0
  || (request.minCreateRevision ?? 0) !== 0 || (request.maxCreateRevision ?? 0) !== 0;

const bound = (value: number | undefined, otherwise: number) => (value === undefined || value === 0 ? otherwise : value);

const isWithin = (record: Record, request: KvRange) =>
  record.main >= bound(request.minModRevision, 0) && record.main <= bound(request.maxModRevision, Infinity)
  && record.create >= bound(request.minCreateRevision, 0) && record.create <= bound(request.maxCreateRevision, Infinity);

/** Records come in order of their keys; sorting is stable, so ties keep that order. */
function sort(mvcc: Mvcc, records: Record[], request: KvRange): void {
  const target = request.sortTarget ?? 'key';
  if (target === 'key') {
    if (request.sortOrder === 'descend') records.reverse();
    return;
  }
  const sign = request.sortOrder === 'descend' ? -1 : 1;
  records.sort(target === 'value' ? (a, b) => sign * Buffer.compare(valueOf(mvcc, a), valueOf(mvcc, b)) : byNumber(target, sign));
}

const byNumber = (target: Exclude<SortTarget, 'key' | 'value'>, sign: number) => {
  const field = target === 'version' ? 'version' : target === 'createRevision' ? 'create' : 'main';
  return (a: Record, b: Record) => sign * (a[field] - b[field]);
};

export const valueOf = (mvcc: Mvcc, record: Record): Buffer => mvcc.bytesOf(record).subarray(valueOffsetOf(record));
