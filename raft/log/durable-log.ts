/** The log on LevelDB. Every write is one batch with `sync: true`. */
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { BatchOperation } from 'classic-level';
import { assert } from '../../platform/assert.js';
import { RaftError } from '../contract.js';
import { MemoryStorage } from '../core/log/memory-storage.js';
import type { LogIndex } from '../core/types.js';
import { claimDirectory } from './identity.js';
import type { Identity } from './identity.js';
import { applyToView } from './log.js';
import type { LogWrite, MemberLog } from './log.js';
import {
  BASE_KEY, corrupt, decodeBase, decodeEntry, decodeHardState, encodeBase, encodeEntry, encodeHardState, ENTRIES_END, entryKey,
  HARD_STATE_KEY, indexOfKey, PREPARED_KEY,
} from './records.js';
import type { Base } from './records.js';

type Database = ClassicLevel<Buffer, Buffer>;
type Operation = BatchOperation<Database, Buffer, Buffer>;

const WRITE_BUFFER_BYTES = 16 << 20;

export interface DurableLogOptions extends Identity {
  readonly directory: string;
}

/** Opens or creates the log of a member. Throws RaftError `wrong-cluster`, `invalid` (already in use) or `corrupt`. */
export async function openDurableLog(options: DurableLogOptions): Promise<MemberLog> {
  claimDirectory(options.directory, options);
  const path = join(options.directory, 'log');
  const db: Database = new ClassicLevel(path, {
    keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false, writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await open(db, path);
  try {
    return await load(db);
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function open(db: Database, path: string): Promise<void> {
  try {
    await db.open();
  } catch (error) {
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code === 'LEVEL_LOCKED') {
      throw new RaftError('invalid', `${path} is in use by another process: one data directory serves one member`);
    }
    throw corrupt(`${path} cannot be opened (${cause?.message ?? String(error)})`);
  }
}

async function load(db: Database): Promise<DurableLog> {
  const view = new MemoryStorage();
  const base = await db.get(BASE_KEY);
  const hardState = await db.get(HARD_STATE_KEY);
  const start = base === undefined ? { index: 0, term: 0 } : decodeBase(base);
  view.reset(start.index, start.term);
  if (hardState !== undefined) view.hardState = decodeHardState(hardState);
  // What lies below the start was compacted; its removal may have been interrupted.
  for await (const [key, value] of db.iterator({ gte: entryKey(start.index + 1), lt: ENTRIES_END })) {
    const index = indexOfKey(key);
    if (index !== view.lastIndex + 1) throw corrupt(`log entries ${view.lastIndex + 1} to ${index - 1} are missing`);
    view.append([decodeEntry(value, index)]);
  }
  if (view.hardState.commit > view.lastIndex) {
    throw corrupt(`the log ends at ${view.lastIndex} but was committed up to ${view.hardState.commit}`);
  }
  const prepared = await db.get(PREPARED_KEY);
  const isFresh = hardState === undefined && base === undefined && view.lastIndex === 0;
  return new DurableLog(db, view, { isFresh, prepared: prepared === undefined ? undefined : decodeBase(prepared) });
}

class DurableLog implements MemberLog {
  readonly view: MemoryStorage;
  readonly #db: Database;
  #isFresh: boolean;
  #prepared: Base | undefined;
  #isWriting = false;

  constructor(db: Database, view: MemoryStorage, found: { readonly isFresh: boolean; readonly prepared: Base | undefined }) {
    this.#db = db;
    this.view = view;
    this.#isFresh = found.isFresh;
    this.#prepared = found.prepared;
  }

  get preparedSnapshot(): Base | undefined {
    return this.#prepared;
  }

  async prepareSnapshot(id: Base): Promise<void> {
    await this.#exclusively(() => this.#db.put(PREPARED_KEY, encodeBase(id), { sync: true }));
    this.#prepared = id;
  }

  get isFresh(): boolean {
    return this.#isFresh;
  }

  async write(writes: readonly LogWrite[]): Promise<void> {
    await this.#exclusively(async () => {
      const operations: Operation[] = [];
      let last = this.view.lastIndex;
      for (const write of writes) last = collect(operations, write, { first: this.view.firstIndex, last });
      const hardState = writes.findLast((write) => write.hardState !== undefined)?.hardState;
      if (hardState !== undefined) operations.push({ type: 'put', key: HARD_STATE_KEY, value: encodeHardState(hardState) });
      if (operations.length > 0) await this.#db.batch(operations, { sync: true });
    });
    this.#isFresh = false;
    if (writes.some(({ snapshot }) => snapshot !== undefined)) this.#prepared = undefined;
    for (const write of writes) applyToView(this.view, write);
  }

  async compact(index: LogIndex): Promise<void> {
    if (index < this.view.firstIndex) return;
    const term = this.view.term(index);
    assert(term !== undefined, `compaction up to ${index} is within the log`);
    await this.#exclusively(async () => {
      // First the new start, durably; then the removal, which may stop half-way.
      await this.#db.batch([{ type: 'put', key: BASE_KEY, value: encodeBase({ index, term }) }], { sync: true });
      await this.#db.clear({ gte: entryKey(0), lt: entryKey(index + 1) });
    });
    this.view.compact(index);
  }

  async close(): Promise<void> {
    await this.#db.close();
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
function collect(operations: Operation[], write: LogWrite, range: { first: LogIndex; last: LogIndex }): LogIndex {
  let { last } = range;
  if (write.snapshot !== undefined) {
    const { index, term } = write.snapshot;
    for (let at = range.first; at <= last; at++) operations.push({ type: 'del', key: entryKey(at) });
    operations.push({ type: 'del', key: PREPARED_KEY }, { type: 'put', key: BASE_KEY, value: encodeBase({ index, term }) });
    last = index;
  }
  const first = write.entries[0];
  if (first === undefined) return last;
  assert(first.index <= last + 1, `a write from ${first.index} would leave a hole behind ${last}`);
  for (const entry of write.entries) operations.push({ type: 'put', key: entryKey(entry.index), value: encodeEntry(entry) });
  const end = first.index + write.entries.length - 1;
  for (let at = end + 1; at <= last; at++) operations.push({ type: 'del', key: entryKey(at) });
  return end;
}
