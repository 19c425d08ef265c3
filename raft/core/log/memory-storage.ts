/** The tail of a log in memory. Tests use it alone; the durable log uses it as the view that the core reads. */
import { assert } from '../../../platform/assert.js';
import { ENTRY_OVERHEAD_BYTES } from '../types/entry.js';
import type { ConfState, HardState, Snapshot } from '../types/state.js';
import type { Entry } from '../types/entry.js';
import type { LogIndex, Term } from '../types/ids.js';
import { EntryTable } from './entry-table.js';
import type { LogStorage } from './storage.js';

const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

export class MemoryStorage implements LogStorage {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  confState: ConfState = EMPTY_CONF_STATE;
  /** The entry before the first: compacted away, its term is still needed for matching. */
  #base: { index: LogIndex; term: Term } = { index: 0, term: 0 };
  #entries = new EntryTable();
  #snapshot: Snapshot | undefined;

  get firstIndex(): LogIndex {
    return this.#base.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#base.index + this.#entries.size;
  }

  /** Payload of all entries that are here. */
  get payload_bytes(): number {
    return this.#entries.payload_bytes;
  }

  /** Of one entry that is here. */
  payloadOf(index: LogIndex): number {
    return this.#entries.dataLength(index - this.firstIndex);
  }

  term(index: LogIndex): Term | undefined {
    if (index === this.#base.index) return this.#base.term;
    return index < this.firstIndex || index > this.lastIndex ? undefined : this.#entries.term(index - this.firstIndex);
  }

  entries(low: LogIndex, high: LogIndex, bytes_max: number): readonly Entry[] {
    assert(low >= this.firstIndex && high <= this.lastIndex + 1, `log entries [${low}, ${high}) are not here`);
    const found: Entry[] = [];
    let left_bytes = bytes_max;
    for (let index = low; index < high; index++) {
      const place = index - this.firstIndex;
      left_bytes -= ENTRY_OVERHEAD_BYTES + this.#entries.dataLength(place);
      // At least one, so that a large one cannot block the log.
      if (left_bytes < 0 && index > low) break;
      found.push(this.#entries.read(place, index));
    }
    return found;
  }

  snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Overwrites from the first entry's index on. Entries that are compacted already are passed over. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex + 1, `log entry ${first.index} would leave a hole behind ${this.lastIndex}`);
    const fresh = first.index < this.firstIndex ? entries.slice(this.firstIndex - first.index) : entries;
    const start = fresh[0];
    if (start === undefined) return;
    this.#entries.truncate(start.index - this.firstIndex);
    for (const entry of fresh) this.#entries.push(entry);
  }

  setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Replaces everything by a snapshot. False when it is older than what is here. */
  applySnapshot(snapshot: Snapshot): boolean {
    if (this.#snapshot !== undefined && snapshot.index <= this.#snapshot.index) return false;
    this.#snapshot = snapshot;
    this.confState = snapshot.confState;
    this.reset(snapshot.index, snapshot.term);
    return true;
  }

  /** An empty log behind `index`. */
  reset(index: LogIndex, term: Term): void {
    this.#base = { index, term };
    this.#entries = new EntryTable();
  }

  /** Drops everything up to and including `index`. */
  compact(index: LogIndex): void {
    if (index < this.firstIndex) return;
    assert(index <= this.lastIndex, `cannot compact up to ${index}, the log ends at ${this.lastIndex}`);
    const term = this.term(index) ?? 0;
    this.#entries.dropFirst(index - this.#base.index);
    this.#base = { index, term };
  }
}
