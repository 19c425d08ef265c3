/** The log on a key-value disk. Every write is one atomic batch, durable before it is reported. */
import { assert } from '../../platform/assert.js';
import type { Clock } from '../../platform/clock.js';
import { DiskError } from '../../platform/disk/disk.js';
import type { DiskFolder, DiskOperation, KeyValueDisk } from '../../platform/disk/disk.js';
import { systemFolder } from '../../platform/disk/system-disk.js';
import { RaftError } from '../contract.js';
import { MemoryStorage } from '../core/log/memory-storage.js';
import type { Entry } from '../core/types/entry.js';
import type { LogIndex, Term } from '../core/types/ids.js';
import { BatchTerms } from './batch-terms.js';
import { claimFolder } from './identity.js';
import type { Identity } from './identity.js';
import { applyToView } from './log.js';
import type { LogWrite, MemberLog } from './log.js';
import {
  BASE_KEY,
  corrupt,
  decodeBase,
  decodeEnd,
  decodeEntry,
  decodeHardState,
  encodeBase,
  encodeEnd,
  encodeEntry,
  encodeHardState,
  END_KEY,
  ENTRIES_END,
  entryKey,
  HARD_STATE_KEY,
  indexOfKey,
  PREPARED_KEY,
} from './records.js';
import type { Base, End, EntryRecord } from './records.js';
import { Witness } from './witness.js';
import type { Witnessed } from './witness.js';

const WRITE_BUFFER_BYTES = 16 << 20;
/** The store of the log inside its folder. */
export const LOG_DISK = 'log';

export interface DurableLogOptions extends Identity {
  /** A path on the file system, or a folder of another kind. */
  readonly directory: string | DiskFolder;
  readonly clock: Clock;
  /** For the recovery of a cluster: told what is gone from the log's end, instead of a refusal. */
  readonly onLostEnd?: (error: RaftError) => void;
}

/** Opens or creates the log of a member. Throws RaftError `wrong-cluster`, `invalid` (already in use) or `corrupt`. */
export async function openDurableLog(options: DurableLogOptions): Promise<MemberLog> {
  const folder = typeof options.directory === 'string' ? systemFolder(options.directory) : options.directory;
  await claimFolder(folder, options);
  const disk = await open(folder);
  try {
    const witness = await Witness.open(folder, options.clock);
    try {
      const log = await load(disk, witness);
      const lost = await witness.judge(log.position);
      if (lost !== undefined && options.onLostEnd === undefined) throw lost;
      if (lost !== undefined) options.onLostEnd?.(lost);
      return log;
    } catch (error) {
      await witness.close();
      throw error;
    }
  } catch (error) {
    await disk.close();
    throw error instanceof DiskError ? corrupt(error.message) : error;
  }
}

async function open(folder: DiskFolder): Promise<KeyValueDisk> {
  try {
    return await folder.openDisk(LOG_DISK, { writeBuffer_bytes: WRITE_BUFFER_BYTES });
  } catch (error) {
    if (error instanceof DiskError)
      throw error.code === 'in-use' ? new RaftError('invalid', error.message) : corrupt(error.message);
    throw error;
  }
}

async function load(disk: KeyValueDisk, witness: Witness): Promise<DurableLog> {
  const view = new MemoryStorage();
  const base = await disk.get(BASE_KEY);
  const hardState = await disk.get(HARD_STATE_KEY);
  const start = base === undefined ? { index: 0, term: 0 } : decodeBase(base);
  view.reset(start.index, start.term);
  if (hardState !== undefined) view.hardState = decodeHardState(hardState);
  let isOld = true;
  // What lies below the start was compacted; its removal may have been interrupted.
  for await (const rows of disk.pages({ gte: entryKey(start.index + 1), lt: ENTRIES_END })) {
    for (const [key, value] of rows) {
      const index = indexOfKey(key);
      if (index !== view.lastIndex + 1) throw corrupt(`log entries ${view.lastIndex + 1} to ${index - 1} are missing`);
      const record = decodeEntry(value, index);
      view.append([follow(view, record)]);
      isOld = record.previousTerm === undefined;
    }
  }
  if (view.hardState.commit > view.lastIndex) {
    throw corrupt(`the log ends at ${view.lastIndex} but was committed up to ${view.hardState.commit}`);
  }
  const prepared = await disk.get(PREPARED_KEY);
  const end = await disk.get(END_KEY);
  const isFresh = hardState === undefined && base === undefined && view.lastIndex === 0;
  return new DurableLog({ disk, witness }, view, {
    isFresh,
    prepared: prepared === undefined ? undefined : decodeBase(prepared),
    writes: end === undefined ? 0 : checkEnd(view, decodeEnd(end), isOld),
  });
}

/**
 * A record that is whole and in its place may be an old one, of a term that was replaced there: then what follows it
 * follows another, or it is of an older term than what it follows.
 */
function follow(view: MemoryStorage, { entry, previousTerm }: EntryRecord): Entry {
  const before = view.term(view.lastIndex);
  assert(before !== undefined, 'a log knows the term of its last entry');
  if ((previousTerm ?? before) === before && entry.term >= before) return entry;
  throw corrupt(
    `log entry ${entry.index} of term ${entry.term} does not follow entry ${entry.index - 1} of term ${before}`,
  );
}

/**
 * How many writes there were. `isOld`: the last record is of a program that does not tell the end, and has written
 * since.
 */
function checkEnd(view: MemoryStorage, { writes, lastIndex, lastTerm }: End, isOld: boolean): number {
  const term = view.term(view.lastIndex);
  if (isOld || (view.lastIndex === lastIndex && term === lastTerm)) return writes;
  throw corrupt(
    `the log ends with entry ${view.lastIndex} of term ${term}, but its last write left entry ${lastIndex} of term ${lastTerm} there`,
  );
}

interface Found {
  readonly isFresh: boolean;
  readonly prepared: Base | undefined;
  readonly writes: number;
}

class DurableLog implements MemberLog {
  readonly view: MemoryStorage;
  readonly #disk: KeyValueDisk;
  readonly #witness: Witness;
  #isFresh: boolean;
  #prepared: Base | undefined;
  #writes: number;
  #isWriting = false;

  constructor(files: { readonly disk: KeyValueDisk; readonly witness: Witness }, view: MemoryStorage, found: Found) {
    this.#disk = files.disk;
    this.#witness = files.witness;
    this.view = view;
    this.#isFresh = found.isFresh;
    this.#prepared = found.prepared;
    this.#writes = found.writes;
  }

  /** For the witness. */
  get position(): Witnessed {
    const {
      hardState: { term, vote },
      lastIndex,
    } = this.view;
    return { writes: this.#writes, term, vote, lastTerm: this.view.term(lastIndex) ?? 0, lastIndex };
  }

  get preparedSnapshot(): Base | undefined {
    return this.#prepared;
  }

  async prepareSnapshot(id: Base): Promise<void> {
    await this.#exclusively(() => this.#disk.write([{ type: 'put', key: PREPARED_KEY, value: encodeBase(id) }]));
    this.#prepared = id;
  }

  get isFresh(): boolean {
    return this.#isFresh;
  }

  async write(writes: readonly LogWrite[]): Promise<void> {
    await this.#exclusively(async () => {
      const operations: DiskOperation[] = [];
      const terms = new BatchTerms(this.view);
      let last = this.view.lastIndex;
      for (const write of writes)
        last = collect(operations, write, { first: this.view.firstIndex, last, previousTerm: terms.add(write) });
      const hardState = writes.findLast((write) => write.hardState !== undefined)?.hardState;
      if (hardState !== undefined)
        operations.push({ type: 'put', key: HARD_STATE_KEY, value: encodeHardState(hardState) });
      if (operations.length === 0) return;
      const end = { writes: this.#writes + 1, lastIndex: last, lastTerm: terms.at(last) ?? 0 };
      operations.push({ type: 'put', key: END_KEY, value: encodeEnd(end) });
      await this.#disk.write(operations);
      this.#writes++;
    });
    this.#isFresh = false;
    if (writes.some(({ snapshot }) => snapshot !== undefined)) this.#prepared = undefined;
    for (const write of writes) applyToView(this.view, write);
    this.#witness.durable(this.position);
  }

  async compact(index: LogIndex): Promise<void> {
    if (index < this.view.firstIndex) return;
    const term = this.view.term(index);
    assert(term !== undefined, `compaction up to ${index} is within the log`);
    await this.#exclusively(async () => {
      // First the new start, durably; then the removal, which may stop half-way.
      await this.#disk.write([{ type: 'put', key: BASE_KEY, value: encodeBase({ index, term }) }]);
      await this.#disk.clear({ gte: entryKey(0), lt: entryKey(index + 1) });
    });
    this.view.compact(index);
  }

  async close(): Promise<void> {
    await this.#witness.close();
    await this.#disk.close();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    assert(!this.#isWriting, 'one write of the log at a time');
    this.#isWriting = true;
    try {
      await work();
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Adds the operations of one write; returns the last index after it. A replaced tail is deleted in the same batch. */
function collect(
  operations: DiskOperation[],
  write: LogWrite,
  range: { first: LogIndex; last: LogIndex; previousTerm: Term | undefined },
): LogIndex {
  let { last, previousTerm } = range;
  if (write.snapshot !== undefined) {
    const { index, term } = write.snapshot;
    for (let at = range.first; at <= last; at++) operations.push({ type: 'del', key: entryKey(at) });
    operations.push(
      { type: 'del', key: PREPARED_KEY },
      { type: 'put', key: BASE_KEY, value: encodeBase({ index, term }) },
    );
    last = index;
  }
  const first = write.entries[0];
  if (first === undefined) return last;
  assert(first.index <= last + 1, `a write from ${first.index} would leave a hole behind ${last}`);
  for (const entry of write.entries) {
    operations.push({ type: 'put', key: entryKey(entry.index), value: encodeEntry(entry, previousTerm) });
    previousTerm = entry.term;
  }
  const end = first.index + write.entries.length - 1;
  for (let at = end + 1; at <= last; at++) operations.push({ type: 'del', key: entryKey(at) });
  return end;
}
