/**
 * The part of the log that is not known to be durable: entries from `offset` on, and perhaps a snapshot before them.
 * Entries before `offsetInProgress` were handed out to be written. An unstable entry outranks a stable one of its
 * index.
 */
import { assert } from '../../../platform/assert.js';
import type { Entry } from '../types/entry.js';
import type { LogIndex, Term } from '../types/ids.js';
import type { Snapshot } from '../types/state.js';

export class Unstable {
  #entries: Entry[] = [];
  #offset: LogIndex;
  #offsetInProgress: LogIndex;
  #snapshot: Snapshot | undefined;
  #snapshotInProgress = false;

  constructor(offset: LogIndex) {
    this.#offset = offset;
    this.#offsetInProgress = offset;
  }

  get offset(): LogIndex {
    return this.#offset;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  firstIndex(): LogIndex | undefined {
    return this.#snapshot === undefined ? undefined : this.#snapshot.index + 1;
  }

  lastIndex(): LogIndex | undefined {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot?.index;
  }

  term(index: LogIndex): Term | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term;
    return this.#snapshot?.index === index ? this.#snapshot.term : undefined;
  }

  /** Entries of [low, high). */
  slice(low: LogIndex, high: LogIndex): readonly Entry[] {
    assert(
      low >= this.#offset && high <= this.#offset + this.#entries.length,
      `unstable entries [${low}, ${high}) are not here`,
    );
    return this.#entries.slice(low - this.#offset, high - this.#offset);
  }

  hasNextEntries(): boolean {
    return this.#offset + this.#entries.length > this.#offsetInProgress;
  }

  /** What is to be written and was not handed out yet. */
  nextEntries(): readonly Entry[] {
    return this.#entries.slice(this.#offsetInProgress - this.#offset);
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  /** Everything was handed out to be written. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * Entries up to (term, index) are durable. Passed over when they were replaced since: the write was another term's.
   */
  stableTo(term: Term, index: LogIndex): void {
    if (index < this.#offset || this.term(index) !== term) return;
    this.#entries = this.#entries.slice(index + 1 - this.#offset);
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
  }

  stableSnapshotTo(index: LogIndex): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.#offset = snapshot.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]?.index;
    if (from === undefined) return;
    if (from <= this.#offset) {
      this.#entries = [];
      this.#offset = from;
      this.#offsetInProgress = from;
    } else {
      this.#entries.length = from - this.#offset;
      // What is being written from `from` on is void; it will be written again.
      this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
    }
    for (const entry of entries) this.#entries.push(entry);
  }
}
