/**
 * The versions of all keys: index by key, log by revision. Synchronous, deterministic, without I/O but for bytes of old
 * values that memory has let go. Writes happen between `begin` and `end`; all of one transaction share a revision.
 *
 * A key's newest version hangs on its entry; older ones, oldest first, in `older`. History before `compactRevision` is
 * not visible, whether or not `scrub` has removed it yet.
 */
import { assert } from '../../../platform/assert.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import type { KeyValue } from '../store.js';
import { mix32 } from './checksum.js';
import { createRecord, decodeRecord, EMPTY, keyValueOf } from './record.js';
import type { Record, RecordSource } from './record.js';
import { SortedMap } from './sorted-map.js';

interface Entry {
  newest: Record;
  /** Versions before the newest, oldest first; undefined when there are none. */
  older: Record[] | undefined;
}

/** What changed since it was last taken: what the next durable batch must hold. */
export interface RecordChanges {
  readonly added: readonly Record[];
  readonly removed: readonly { readonly main: number; readonly sub: number }[];
}

export interface MvccOptions {
  readonly source?: RecordSource;
  readonly hotValues_bytes?: number;
  /** Whether changes are collected for `takeChanges`. */
  readonly durable?: boolean;
}

const FIRST_REVISION = 1;

export class Mvcc {
  readonly #index = new SortedMap<Entry>();
  /** All records at or above the compact revision, by (main, sub). */
  #log: Record[] = [];
  #revision = FIRST_REVISION;
  #compactRevision = 0;
  #sub = 0;
  #scrub: Record[] = [];
  #added: Record[] = [];
  #removed: { main: number; sub: number }[] = [];
  #liveKeys = 0;
  #bytes = 0;
  #digest = 0;
  /** Durable records whose bytes are in memory, oldest first: the order in which they are let go. */
  #hot: Record[] = [];
  #hotHead = 0;
  #hot_bytes = 0;
  readonly #options: MvccOptions;
  readonly #hotLimit_bytes: number;

  constructor(options: MvccOptions = {}) {
    this.#options = options;
    this.#hotLimit_bytes = options.hotValues_bytes ?? LIMITS.hotValues_bytes;
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

  /** Of the set of all records that are kept, in whatever order they came: what a disk must hold, no more and no less. */
  get digest(): number {
    return this.#digest >>> 0;
  }

  get keyCount(): number {
    return this.#liveKeys;
  }

  // Reading

  /** The version that `revision` sees; undefined when the key was not there. */
  at(key: string, revision: number): Record | undefined {
    const entry = this.#index.get(key);
    return entry === undefined ? undefined : versionAt(entry, revision);
  }

  /** Visits what `revision` sees in [start, end) in order of keys until `visit` returns false. */
  scan(start: string, end: string | undefined, revision: number, visit: (record: Record) => boolean | undefined): void {
    this.#index.scan(start, end, (entry) => {
      const record = versionAt(entry, revision);
      return record === undefined ? true : visit(record);
    });
  }

  /** The record's bytes: from memory, or read back and checked. */
  bytesOf(record: Record): Buffer {
    if (record.bytes !== undefined) return record.bytes;
    const loaded = this.#options.source?.load(record.main, record.sub);
    if (loaded === undefined) throw new StoreError('corrupt', `revision ${record.main}.${record.sub} is missing on disk; repair this member from its peers`);
    const bytes = decodeRecord(record.main, record.sub, loaded).bytes as Buffer;
    record.bytes = bytes;
    this.#keepHot(record, bytes);
    return bytes;
  }

  toKeyValue(record: Record, keysOnly = false): KeyValue {
    if (keysOnly && record.bytes === undefined) {
      // Only the key is wanted: no need to read the value from disk.
      return {
        ...keyValueOf(record, Buffer.alloc(0), true),
        key: Buffer.from(record.key, 'latin1'),
      };
    }
    return keyValueOf(record, this.bytesOf(record), keysOnly);
  }

  /** The version before this one, when the key was there then. */
  before(record: Record): Record | undefined {
    const before = this.at(record.key, record.main - 1);
    return before !== undefined && isKept(before, record, this.#compactRevision) ? before : undefined;
  }

  /** How many records the log holds, and the place of the first one at or after a revision. Places move at compaction. */
  get logLength(): number {
    return this.#log.length;
  }

  logAt(place: number): Record | undefined {
    return this.#log[place];
  }

  placeOf(revision: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle] as Record).main < revision) low = middle + 1;
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
    const entry = this.#index.get(key);
    const present = entry === undefined || entry.newest.tombstone ? undefined : entry.newest;
    const facts = present === undefined
      ? { key: entry?.newest.key ?? key, main, sub: this.#sub, create: main, version: 1, lease }
      : { key: present.key, main, sub: this.#sub, create: present.create, version: present.version + 1, lease };
    if (present === undefined) this.#liveKeys++;
    this.#append(createRecord(facts, value), entry);
  }

  /** The key must be there. */
  delete(present: Record): void {
    assert(!present.tombstone, 'only what is there can be deleted');
    const entry = this.#index.get(present.key);
    assert(entry?.newest === present, 'only the newest version can be deleted');
    this.#liveKeys--;
    this.#append(createRecord({ key: present.key, main: this.#revision + 1, sub: this.#sub, create: 0, version: 0, lease: 0n }, EMPTY), entry);
  }

  #append(record: Record, entry: Entry | undefined): void {
    this.#sub++;
    this.#log.push(record);
    this.#bytes += record.size_bytes;
    this.#digest = (this.#digest + digestOf(record)) | 0;
    if (this.#options.durable === true) this.#added.push(record);
    this.#link(record, entry);
  }

  #link(record: Record, entry: Entry | undefined): void {
    if (entry === undefined) {
      this.#index.set(record.key, { newest: record, older: undefined });
      return;
    }
    if (entry.older === undefined) entry.older = [entry.newest];
    else entry.older.push(entry.newest);
    entry.newest = record;
  }

  // Compaction

  /** Hides history below the revision at once; `scrub` removes it bit by bit. `compactRevision < revision <= now`. */
  compact(revision: number): void {
    assert(revision > this.#compactRevision && revision <= this.#revision, 'compaction moves forward and not past the present');
    this.#compactRevision = revision;
    const place = this.placeOf(revision);
    this.#scrub = this.#scrub.concat(this.#log.slice(0, place));
    this.#log = this.#log.slice(place);
    // Keys whose last version before the revision lies in an older part of the log are reached through the versions that
    // replaced them, which lie at or above it: those at the revision itself replace one more.
    for (let i = 0; i < this.#log.length && (this.#log[i] as Record).main === revision; i++) this.#scrub.push(this.#log[i] as Record);
  }

  /** Removes versions that nobody can see any more, looking at up to `limit` records. True while there is more to do. */
  scrub(limit: number): boolean {
    const done = this.#scrub.splice(Math.max(0, this.#scrub.length - limit), limit);
    for (const record of done) this.#scrubKey(record.key);
    return this.#scrub.length > 0;
  }

  #scrubKey(key: string): void {
    const entry = this.#index.get(key);
    if (entry === undefined) return;
    const { older } = entry;
    if (older !== undefined) {
      let keep = 0;
      while (keep < older.length && !isKept(older[keep] as Record, older[keep + 1] ?? entry.newest, this.#compactRevision)) keep++;
      for (const record of older.splice(0, keep)) this.#drop(record);
      if (older.length === 0) entry.older = undefined;
    }
    if (entry.older === undefined && entry.newest.tombstone && entry.newest.main < this.#compactRevision) {
      this.#drop(entry.newest);
      this.#index.delete(key);
    }
  }

  #drop(record: Record): void {
    this.#bytes -= record.size_bytes;
    this.#digest = (this.#digest - digestOf(record)) | 0;
    if (this.#options.durable === true) this.#removed.push({ main: record.main, sub: record.sub });
  }

  /**
   * A hash of everything a reader at `revision` can tell apart, and of the history it can watch: equal on all members,
   * however far each has come with removing what was compacted. `compactRevision <= revision <= now`.
   */
  hashAt(revision: number): number {
    return this.hashPages(revision, Infinity).next().value ?? 0;
  }

  /** As hashAt, stopping after each `keys_max` keys. Writes may come between; a compaction makes the result worthless. */
  *hashPages(revision: number, keys_max: number): Generator<undefined, number, undefined> {
    let hash = 0;
    let from: string | undefined = '';
    while (from !== undefined) {
      let count = 0;
      let next: string | undefined;
      this.#index.scan(from, undefined, (entry, key) => {
        if (count++ === keys_max) {
          next = key;
          return false;
        }
        hash = this.#hashEntry(entry, revision, hash);
        return true;
      });
      from = next;
      if (from !== undefined) yield undefined;
    }
    return hash >>> 0;
  }

  #hashEntry(entry: Entry, revision: number, seed: number): number {
    let hash = seed;
    const older = entry.older ?? [];
    for (let i = 0; i <= older.length; i++) {
      const record = older[i] ?? entry.newest;
      if (record.main > revision) break;
      const next = i < older.length ? (older[i + 1] ?? entry.newest) : undefined;
      if (isKept(record, next, this.#compactRevision)) hash = mix32(mix32(hash, record.checksum), record.main | 0);
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

  /** These are on disk now: their bytes may go when memory is short. */
  markDurable(records: readonly Record[]): void {
    for (const record of records) {
      record.durable = true;
      if (record.bytes !== undefined) this.#keepHot(record, record.bytes);
    }
  }

  #keepHot(record: Record, bytes: Buffer): void {
    this.#hot.push(record);
    this.#hot_bytes += bytes.length;
    while (this.#hot_bytes > this.#hotLimit_bytes && this.#hotHead < this.#hot.length) {
      const victim = this.#hot[this.#hotHead++] as Record;
      this.#hot_bytes -= victim.bytes?.length ?? 0;
      victim.bytes = undefined;
    }
    if (this.#hotHead > 4096 && this.#hotHead * 2 > this.#hot.length) {
      this.#hot = this.#hot.slice(this.#hotHead);
      this.#hotHead = 0;
    }
  }

  /** Sets the revisions of a state that is being loaded; `restore` of its records follows. */
  restoreRevisions(revision: number, compactRevision: number): void {
    this.#revision = revision;
    this.#compactRevision = compactRevision;
  }

  /** Takes a record found on disk; they come in order of (main, sub). Its bytes are not kept. */
  restore(record: Record): void {
    assert(record.main <= this.#revision, 'a record on disk is newer than the state it belongs to');
    this.#bytes += record.size_bytes;
    this.#digest = (this.#digest + digestOf(record)) | 0;
    record.bytes = undefined;
    record.durable = true;
    const entry = this.#index.get(record.key);
    if (!record.tombstone && (entry === undefined || entry.newest.tombstone)) this.#liveKeys++;
    if (record.tombstone && entry !== undefined && !entry.newest.tombstone) this.#liveKeys--;
    this.#link(record, entry);
    if (record.main >= this.#compactRevision) this.#log.push(record);
    // A crash may have come between a compaction and its scrubbing.
    if (record.main <= this.#compactRevision) this.#scrub.push(record);
  }
}

/** A record's part in the digest of a set of records, which is the sum of all parts. */
export const digestOf = ({ checksum, main, sub }: Record) => mix32(mix32(checksum, main | 0), sub);

/** What a compaction leaves: all at or above it, and the version it sees of each key that is there. */
function isKept(record: Record, next: Record | undefined, compactRevision: number): boolean {
  if (record.main >= compactRevision) return true;
  return !record.tombstone && (next === undefined || next.main > compactRevision);
}

function versionAt(entry: Entry, revision: number): Record | undefined {
  let found: Record | undefined;
  if (entry.newest.main <= revision) found = entry.newest;
  else if (entry.older !== undefined) {
    let low = 0;
    let high = entry.older.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entry.older[middle] as Record).main <= revision) low = middle + 1;
      else high = middle;
    }
    found = low === 0 ? undefined : entry.older[low - 1];
  }
  return found === undefined || found.tombstone ? undefined : found;
}
