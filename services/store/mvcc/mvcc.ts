/**
 * The versions of all keys: index by key, log by revision. Synchronous, deterministic, without I/O but for bytes of old
 * values that memory has let go. Writes happen between `begin` and `end`; all of one transaction share a revision.
 *
 * Versions are rows of a table. The index knows a key's newest one, each version the one before it. History before
 * `compactRevision` is not visible, whether or not `scrub` has removed it yet.
 *
 * What visits many keys does so in slices. A transaction may be interrupted between `begin` and `end`: whoever reads
 * then, at `revision` or before it, sees nothing of it.
 */
import { assert } from '../../../platform/assert.js';
import { finish, SliceMeter } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import type { KeyValue } from '../store.js';
import { mix32 } from './checksum.js';
import { AllValues, SegmentedValues } from './hot-values.js';
import type { HotValues, Position } from './hot-values.js';
import { createRecord, decodeRecord, EMPTY, keyValueOf } from './record.js';
import type { EncodedRecord, Record, RecordSource } from './record.js';
import { NO_ROW, RecordTable } from './record-table.js';
import { RowQueue } from './row-queue.js';
import { SortedMap } from './sorted-map.js';

/** A version that is to be written to disk. */
export interface AddedRecord {
  readonly position: Position;
  readonly main: number;
  readonly sub: number;
  readonly bytes: Buffer;
}

/** What changed since it was last taken: what the next durable batch must hold. */
export interface RecordChanges {
  readonly added: readonly AddedRecord[];
  readonly removed: readonly { readonly main: number; readonly sub: number }[];
}

export interface MvccOptions {
  readonly source?: RecordSource;
  readonly hotValues_bytes?: number;
  /** Whether changes are collected for `takeChanges`. */
  readonly durable?: boolean;
  /** Keys that are visited in one slice. */
  readonly slice_keys?: number;
}

const FIRST_REVISION = 1;
/** Rows that are noted for removal in one go; each costs a fraction of a visit. */
const COMPACT_BATCH = 1024;

export class Mvcc {
  /** The row of each key's newest version. */
  readonly #index = new SortedMap<number>();
  readonly #rows = new RecordTable();
  readonly #hot: HotValues;
  /** All versions at or above the compact revision, by (main, sub). */
  readonly #log = new RowQueue();
  #revision = FIRST_REVISION;
  #compactRevision = 0;
  #sub = 0;
  readonly #scrub = new RowQueue();
  #added: AddedRecord[] = [];
  #removed: { main: number; sub: number }[] = [];
  #liveKeys = 0;
  #bytes = 0;
  #digest = 0;
  readonly #options: MvccOptions;
  /** Counts the keys and versions that are visited. */
  readonly meter: SliceMeter;

  constructor(options: MvccOptions = {}) {
    this.#options = options;
    // What can be read back from disk need not stay in memory.
    const { durable = false, hotValues_bytes = LIMITS.hotValues_bytes, slice_keys = LIMITS.slice_keys } = options;
    this.meter = new SliceMeter(slice_keys);
    this.#hot = durable ? new SegmentedValues(hotValues_bytes) : new AllValues();
  }

  get revision(): number {
    return this.#revision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Encoded size of all records that are kept. */
  get size_bytes(): number {
    return this.#bytes;
  }

  /**
   * Of the set of all records that are kept, in whatever order they came: what a disk must hold, no more and no less.
   */
  get digest(): number {
    return this.#digest >>> 0;
  }

  get keyCount(): number {
    return this.#liveKeys;
  }

  // Reading

  /** The version that `revision` sees; undefined when the key was not there. */
  at(key: string, revision: number): Record | undefined {
    return this.#versionAt(this.#index.get(key) ?? NO_ROW, revision);
  }

  /**
   * Visits what `revision` sees in [start, end) in order of keys until `visit` returns false. Versions may be added to
   * the keys that were visited.
   */
  *scan(
    start: string,
    end: string | undefined,
    { revision, visit }: { readonly revision: number; readonly visit: (record: Record) => boolean | undefined },
  ): Slices<void> {
    yield* this.#slicesOf(start, end, (newest) => {
      const row = this.#rowAt(newest, revision);
      return row === NO_ROW ? true : visit(this.#rows.read(row));
    });
  }

  /** How many keys `revision` sees in [start, end). */
  *count(start: string, end: string | undefined, revision: number): Slices<number> {
    let count = 0;
    yield* this.#slicesOf(start, end, (newest) => {
      if (this.#rowAt(newest, revision) !== NO_ROW) count++;
      return true;
    });
    return count;
  }

  /** Visits the newest row of each key, deleted ones too. Between slices keys may come and go. */
  *#slicesOf(
    start: string,
    end: string | undefined,
    visit: (newest: number, key: string) => boolean | undefined,
  ): Slices<void> {
    for (let from: string | undefined = start; from !== undefined;) {
      let next: string | undefined;
      let isFull = false;
      this.#index.scan(from, end, (newest, key) => {
        if (isFull) {
          next = key;
          return false;
        }
        isFull = this.meter.spend();
        return visit(newest, key);
      });
      from = next;
      if (from !== undefined) yield;
    }
  }

  #versionAt(newest: number, revision: number): Record | undefined {
    const row = this.#rowAt(newest, revision);
    return row === NO_ROW ? undefined : this.#rows.read(row);
  }

  #rowAt(newest: number, revision: number): number {
    const rows = this.#rows;
    let row = newest;
    let looked = 0;
    for (; row !== NO_ROW && rows.main(row) > revision; looked++) row = rows.older(row);
    if (looked > 1) this.meter.charge(looked);
    return row === NO_ROW || rows.isTombstone(row) ? NO_ROW : row;
  }

  /** The record's bytes: from memory, or read back and checked. */
  bytesOf(record: Record): Buffer {
    const { main, sub, row, size_bytes } = record;
    const isHere = this.#isHere(record);
    const hot = isHere ? this.#hot.get(row, size_bytes) : undefined;
    if (hot !== undefined) return hot;
    const loaded = this.#options.source?.load(main, sub);
    if (loaded === undefined)
      throw new StoreError('corrupt', `revision ${main}.${sub} is missing on disk; repair this member from its peers`);
    const { bytes } = decodeRecord(main, sub, loaded);
    if (isHere) this.#hot.keep(row, bytes);
    return bytes;
  }

  /** Whether its row is still its own. */
  #isHere({ row, key, main, sub }: Record): boolean {
    return this.#rows.key(row) === key && this.#rows.main(row) === main && this.#rows.sub(row) === sub;
  }

  toKeyValue(record: Record, keysOnly = false): KeyValue {
    // When only the key is wanted there is no need to read the value from disk.
    if (keysOnly) return { ...keyValueOf(record, EMPTY, true), key: Buffer.from(record.key, 'latin1') };
    return keyValueOf(record, this.bytesOf(record), false);
  }

  /** The version before this one, when the key was there then. */
  before(record: Record): Record | undefined {
    const newer = this.#isHere(record) ? this.#rows.older(record.row) : (this.#index.get(record.key) ?? NO_ROW);
    const before = this.#versionAt(newer, record.main - 1);
    return before !== undefined && isKept(before, record.main, this.#compactRevision) ? before : undefined;
  }

  /** How many records of finished transactions the log holds. Places move at compaction. */
  get logLength(): number {
    return this.#log.length - this.#sub;
  }

  logAt(place: number): Record {
    return this.#rows.read(this.#log.at(place));
  }

  /** The parts of it that tell whether all of it is wanted. */
  keyAt(place: number): string {
    return this.#rows.key(this.#log.at(place)) as string;
  }

  revisionAt(place: number): number {
    return this.#rows.main(this.#log.at(place));
  }

  isRevisionStart(place: number): boolean {
    return this.#rows.sub(this.#log.at(place)) === 0;
  }

  /** The place of the first record at or after a revision. */
  placeOf(revision: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.revisionAt(middle) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Writing

  begin(): void {
    this.#sub = 0;
  }

  /** True when the transaction wrote, and so made a revision. */
  end(): boolean {
    if (this.#sub === 0) return false;
    this.#revision++;
    this.#sub = 0;
    return true;
  }

  /** The revision that reads inside the transaction see: its own writes included. */
  get writeRevision(): number {
    return this.#revision + 1;
  }

  get wrote(): boolean {
    return this.#sub > 0;
  }

  put(key: string, value: Uint8Array, lease: bigint): void {
    const main = this.#revision + 1;
    const newest = this.#index.get(key) ?? NO_ROW;
    const rows = this.#rows;
    const isThere = newest !== NO_ROW && !rows.isTombstone(newest);
    if (!isThere) this.#liveKeys++;
    const create = isThere ? rows.create(newest) : main;
    const version = isThere ? rows.version(newest) + 1 : 1;
    this.#append(createRecord({ key, main, sub: this.#sub, create, version, lease }, value, this.#hot), newest);
  }

  /** The key must be there. */
  delete({ key, row }: Record): void {
    assert(this.#index.get(key) === row && !this.#rows.isTombstone(row), 'only the newest version can be deleted');
    this.#liveKeys--;
    this.#append(
      createRecord(
        { key, main: this.#revision + 1, sub: this.#sub, create: 0, version: 0, lease: 0n },
        EMPTY,
        this.#hot,
      ),
      row,
    );
  }

  #append(record: EncodedRecord, newest: number): void {
    const { main, sub, bytes } = record;
    this.#sub++;
    const row = this.#link(record, newest);
    this.#log.push(row);
    const position = this.#hot.add(row, bytes);
    if (this.#options.durable === true) this.#added.push({ position, main, sub, bytes });
  }

  /** Adds a version behind the key's newest one. */
  #link(record: EncodedRecord, newest: number): number {
    // All versions of a key share the first one's string.
    const key = newest === NO_ROW ? record.key : (this.#rows.key(newest) as string);
    const row = this.#rows.add(record, key, newest);
    this.#index.set(key, row);
    this.#bytes += record.bytes.length;
    this.#digest = (this.#digest + digestOf(record)) | 0;
    return row;
  }

  // Compaction

  /** Hides history below the revision at once; `scrub` removes it bit by bit. `compactRevision < revision <= now`. */
  *compact(revision: number): Slices<void> {
    assert(
      revision > this.#compactRevision && revision <= this.#revision,
      'compaction moves forward and not past the present',
    );
    this.#compactRevision = revision;
    const place = this.placeOf(revision);
    // Keys whose last version before the revision lies in an older part of the log are reached through the versions
    // that replaced them, which lie at or above it: those at the revision itself replace one more.
    for (let i = 0; i < this.#log.length && (i < place || this.revisionAt(i) === revision); i++) {
      this.#scrub.push(this.#log.at(i));
      if (i % COMPACT_BATCH === 0 && this.meter.spend(COMPACT_BATCH / 8)) yield;
    }
    this.#log.dropFirst(place);
  }

  /**
   * Removes versions that nobody can see any more, looking at up to `limit` records. True while there is more to do.
   */
  scrub(limit: number): boolean {
    for (let i = 0; i < limit && this.#scrub.length > 0; i++) {
      // A row that was given away meanwhile, with its key's others, is another key's or nobody's: no harm to look at
      // that.
      const key = this.#rows.key(this.#scrub.pop());
      if (key !== undefined) this.#scrubKey(key);
    }
    return this.#scrub.length > 0;
  }

  #scrubKey(key: string): void {
    const newest = this.#index.get(key);
    if (newest === undefined) return;
    const rows = this.#rows;
    // The oldest version that is kept, or the newest when none is.
    let last = newest;
    let next = Infinity;
    for (let row = newest; row !== NO_ROW; row = rows.older(row)) {
      if (!this.#isKept(row, next)) break;
      last = row;
      next = rows.main(row);
    }
    for (let row = rows.older(last); row !== NO_ROW;) {
      const older = rows.older(row);
      this.#drop(row);
      row = older;
    }
    rows.setOlder(last, NO_ROW);
    if (last === newest && rows.isTombstone(newest) && rows.main(newest) < this.#compactRevision) {
      this.#index.delete(key);
      this.#drop(newest);
    }
  }

  /** `next`: the revision that replaced it, Infinity when it is the newest. */
  #isKept(row: number, next: number): boolean {
    const main = this.#rows.main(row);
    return isKept({ main, tombstone: this.#rows.isTombstone(row) }, next, this.#compactRevision);
  }

  #drop(row: number): void {
    const record = this.#rows.read(row);
    this.#bytes -= record.size_bytes;
    this.#digest = (this.#digest - digestOf(record)) | 0;
    if (this.#options.durable === true) this.#removed.push({ main: record.main, sub: record.sub });
    this.#hot.drop(row);
    this.#rows.remove(row);
  }

  /**
   * A hash of everything a reader at `revision` can tell apart, and of the history it can watch: equal on all members,
   * however far each has come with removing what was compacted. `compactRevision <= revision <= now`.
   */
  hashAt(revision: number): number {
    return finish(this.hashSlices(revision));
  }

  /** As hashAt. Writes may come between slices; a compaction makes the result worthless. */
  *hashSlices(revision: number): Slices<number> {
    let hash = 0;
    yield* this.#slicesOf('', undefined, (newest) => {
      hash = this.#hashKey(newest, revision, hash);
      return true;
    });
    return hash >>> 0;
  }

  /** From the oldest version to the newest. */
  #hashKey(newest: number, revision: number, seed: number): number {
    const rows = this.#rows;
    const kept: number[] = [];
    let next = Infinity;
    for (let row = newest; row !== NO_ROW; row = rows.older(row)) {
      if (rows.main(row) <= revision && this.#isKept(row, next)) kept.push(row);
      next = rows.main(row);
    }
    this.meter.charge(kept.length);
    let hash = seed;
    for (let i = kept.length - 1; i >= 0; i--) {
      const row = kept[i] as number;
      hash = mix32(mix32(hash, rows.checksum(row)), rows.main(row) | 0);
    }
    return hash;
  }

  // Durability and restart

  takeChanges(): RecordChanges {
    const changes = { added: this.#added, removed: this.#removed };
    this.#added = [];
    this.#removed = [];
    return changes;
  }

  /** These, and all that were taken before them, are on disk now: their bytes may go when memory is short. */
  markDurable(records: readonly AddedRecord[]): void {
    const last = records.at(-1);
    if (last !== undefined) this.#hot.settled(last.position);
  }

  /** Sets the revisions of a state that is being loaded; `restore` of its records follows. */
  restoreRevisions(revision: number, compactRevision: number): void {
    this.#revision = revision;
    this.#compactRevision = compactRevision;
  }

  /** Takes a record found on disk; they come in order of (main, sub). Its bytes are not kept. */
  restore(record: EncodedRecord): void {
    assert(record.main <= this.#revision, 'a record on disk is newer than the state it belongs to');
    const newest = this.#index.get(record.key) ?? NO_ROW;
    const wasThere = newest !== NO_ROW && !this.#rows.isTombstone(newest);
    this.#liveKeys += (record.version === 0 ? 0 : 1) - (wasThere ? 1 : 0);
    const row = this.#link(record, newest);
    if (record.main >= this.#compactRevision) this.#log.push(row);
    // A crash may have come between a compaction and its scrubbing.
    if (record.main <= this.#compactRevision) this.#scrub.push(row);
  }
}

/** A record's part in the digest of a set of records, which is the sum of all parts. */
export const digestOf = ({ checksum, main, sub }: Pick<EncodedRecord, 'checksum' | 'main' | 'sub'>) =>
  mix32(mix32(checksum, main | 0), sub);

/** What a compaction leaves: all at or above it, and the version it sees of each key that is there. */
function isKept(
  { main, tombstone }: { readonly main: number; readonly tombstone: boolean },
  next: number,
  compactRevision: number,
): boolean {
  if (main >= compactRevision) return true;
  return !tombstone && next > compactRevision;
}
