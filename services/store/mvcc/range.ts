/** Ranges: which keys an interval means, and reading them with etcd's options. */
import { sortSlices } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import { PAGE_KVS } from './encoded-kvs.js';
import { compactedError, futureRevisionError, revisionOf } from '../errors.js';
import type { Packed } from './packed-results.js';
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
  interval.single
    ? key === interval.start
    : key >= interval.start && (interval.end === undefined || key < interval.end);

/** Throws when the revision cannot be read. `now`: the newest that can. */
export function checkReadable(mvcc: Mvcc, revision: number | undefined, now: number): void {
  if (revision === undefined || revision <= 0) return;
  if (revision > now) throw futureRevisionError();
  if (revision < mvcc.compactRevision) throw compactedError(mvcc.compactRevision);
}

export interface Reading {
  /** The revision of what names none: the newest, or the one that is being written. */
  readonly now: number;
  /** Takes the first keys and values of a long result while the others are read; the result says how many it took. */
  readonly spill?: (kvs: readonly KeyValue[]) => void;
}

/** A result whose first `spilled` keys and values were handed over before it. */
export interface ReadResult extends RangeResult, Packed {}

/** Reads in slices. Writes may come between them; when history is compacted meanwhile the result is worthless. */
export function* readRange(mvcc: Mvcc, request: KvRange, reading: Reading): Slices<ReadResult> {
  const revision = request.revision !== undefined && request.revision > 0 ? request.revision : reading.now;
  const interval = intervalOf(request.key, request.rangeEnd);
  const answered = revisionOf(Math.min(reading.now, mvcc.revision));
  if (interval.single && !isBounded(request)) {
    const record = mvcc.at(interval.start, revision);
    const kvs =
      record === undefined || request.countOnly === true ? [] : [mvcc.toKeyValue(record, request.keysOnly === true)];
    return { revision: answered, kvs, count: record === undefined ? 0 : 1, more: false };
  }
  if (request.countOnly === true) {
    return {
      revision: answered,
      kvs: [],
      count: yield* mvcc.count(interval.start, interval.end, revision),
      more: false,
    };
  }
  const page = new Page(mvcc, request, reading.spill);
  if (needsAll(request)) {
    const { records, count, more } = yield* select(mvcc, request, revision);
    for (const record of records) {
      page.add(record);
      if (mvcc.meter.spend()) yield;
    }
    return { revision: answered, ...page.rest, count, more };
  }
  const limit = request.limit ?? 0;
  let count = 0;
  let last = interval.start;
  yield* mvcc.scan(interval.start, interval.end, {
    revision,
    visit: (record) => {
      page.add(record);
      last = record.key;
      return ++count !== limit;
    },
  });
  // Those behind the limit are counted only.
  const behind = limit > 0 && count === limit ? yield* mvcc.count(`${last}\0`, interval.end, revision) : 0;
  return { revision: answered, ...page.rest, count: count + behind, more: behind > 0 };
}

/** What a result holds so far. */
class Page {
  readonly #mvcc: Mvcc;
  readonly #keysOnly: boolean;
  readonly #spill: Reading['spill'];
  #kvs: KeyValue[] = [];
  #spilled = 0;

  constructor(mvcc: Mvcc, { keysOnly }: KvRange, spill: Reading['spill']) {
    this.#mvcc = mvcc;
    this.#keysOnly = keysOnly === true;
    this.#spill = spill;
  }

  add(record: Record): void {
    if (this.#spill !== undefined && this.#kvs.length === PAGE_KVS) {
      this.#spill(this.#kvs);
      this.#spilled += this.#kvs.length;
      this.#kvs = [];
    }
    this.#kvs.push(this.#mvcc.toKeyValue(record, this.#keysOnly));
  }

  get rest(): Pick<ReadResult, 'kvs' | 'spilled'> {
    return this.#spilled === 0 ? { kvs: this.#kvs } : { kvs: this.#kvs, spilled: this.#spilled };
  }
}

/** The records of a result that has an order or bounds of its own. */
function* select(
  mvcc: Mvcc,
  request: KvRange,
  revision: number,
): Slices<{ records: readonly Record[]; count: number; more: boolean }> {
  const { start, end } = intervalOf(request.key, request.rangeEnd);
  const limit = request.limit ?? 0;
  // etcd cuts before it sorts when no order is asked for: what comes back then are the first by key.
  const cut = request.sortOrder === undefined && limit > 0 && !isBounded(request) ? limit + 1 : Infinity;
  const found: Record[] = [];
  let count = 0;
  yield* mvcc.scan(start, end, {
    revision,
    visit: (record) => {
      if (count++ < cut && isWithin(record, request)) found.push(record);
      return true;
    },
  });
  const sorted = yield* sort(mvcc, found, request);
  const more = limit > 0 && sorted.length > limit;
  return { records: more ? sorted.slice(0, limit) : sorted, count, more };
}

const needsAll = (request: KvRange) =>
  request.sortOrder === 'descend' ||
  (request.sortTarget !== undefined && request.sortTarget !== 'key') ||
  isBounded(request);

const isBounded = (request: KvRange) =>
  (request.minModRevision ?? 0) !== 0 ||
  (request.maxModRevision ?? 0) !== 0 ||
  (request.minCreateRevision ?? 0) !== 0 ||
  (request.maxCreateRevision ?? 0) !== 0;

const bound = (value: number | undefined, otherwise: number) =>
  value === undefined || value === 0 ? otherwise : value;

const isWithin = (record: Record, request: KvRange) =>
  record.main >= bound(request.minModRevision, 0) &&
  record.main <= bound(request.maxModRevision, Infinity) &&
  record.create >= bound(request.minCreateRevision, 0) &&
  record.create <= bound(request.maxCreateRevision, Infinity);

/** Records come in order of their keys; sorting is stable, so ties keep that order. */
function* sort(mvcc: Mvcc, records: Record[], request: KvRange): Slices<readonly Record[]> {
  const target = request.sortTarget ?? 'key';
  const sign = request.sortOrder === 'descend' ? -1 : 1;
  if (target === 'key') return sign === 1 ? records : records.reverse();
  if (target !== 'value') return yield* sortSlices(records, byNumber(target, sign), mvcc.meter);
  const valued: { readonly record: Record; readonly value: Buffer }[] = [];
  for (const record of records) {
    valued.push({ record, value: valueOf(mvcc, record) });
    if (mvcc.meter.spend()) yield;
  }
  return (yield* sortSlices(valued, (a, b) => sign * Buffer.compare(a.value, b.value), mvcc.meter)).map(
    ({ record }) => record,
  );
}

const byNumber = (target: Exclude<SortTarget, 'key' | 'value'>, sign: number) => {
  const field = target === 'version' ? 'version' : target === 'createRevision' ? 'create' : 'main';
  return (a: Record, b: Record) => sign * (a[field] - b[field]);
};

export const valueOf = (mvcc: Mvcc, record: Record): Buffer => mvcc.bytesOf(record).subarray(valueOffsetOf(record));
