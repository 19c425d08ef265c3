/**
 * The log as the algorithm sees it: stable storage below, unstable entries above.
 * Invariants: applied <= applying <= committed <= lastIndex.
 */
import { assert } from '../../../platform/assert.js';
import { entriesSize, limitSize } from '../types/entry.js';
import type { Entry } from '../types/entry.js';
import type { LogIndex, Term } from '../types/ids.js';
import type { Snapshot } from '../types/state.js';
import type { LogStorage } from './storage.js';
import { Unstable } from './unstable.js';

export interface EntryId {
  readonly term: Term;
  readonly index: LogIndex;
}

export class RaftLog {
  readonly #storage: LogStorage;
  readonly unstable: Unstable;
  readonly #applyingBytesMax: number;
  /** Highest index known to be on a quorum. */
  committed: LogIndex;
  /** Highest index handed out to be applied. */
  #applying: LogIndex;
  #applied: LogIndex;
  #applyingBytes = 0;
  /** No more entries are handed out until some that are out were applied. */
  #applyingPaused = false;

  constructor(storage: LogStorage, applyingBytesMax: number) {
    this.#storage = storage;
    this.#applyingBytesMax = applyingBytesMax;
    this.unstable = new Unstable(storage.lastIndex + 1);
    this.committed = storage.firstIndex - 1;
    this.#applying = this.committed;
    this.#applied = this.committed;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get firstIndex(): LogIndex {
    return this.unstable.firstIndex() ?? this.#storage.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex;
  }

  lastId(): EntryId {
    const index = this.lastIndex;
    const term = this.term(index);
    assert(term !== undefined, `the last entry ${index} has a term`);
    return { term, index };
  }

  /** Undefined when the entry is compacted or not there yet. */
  term(index: LogIndex): Term | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex || index > this.lastIndex) return undefined;
    return this.#storage.term(index);
  }

  matches(id: EntryId): boolean {
    return this.term(id.index) === id.term;
  }

  /** Whether a candidate's log is at least as new as this one (Raft paper, 5.4.1). */
  isUpToDate(candidate: EntryId): boolean {
    const own = this.lastId();
    return candidate.term > own.term || (candidate.term === own.term && candidate.index >= own.index);
  }

  /** Entries from `from` to the end, limited; undefined when `from` is compacted. */
  entriesFrom(from: LogIndex, bytes_max: number): readonly Entry[] | undefined {
    if (from < this.firstIndex) return undefined;
    return this.slice(from, this.lastIndex + 1, bytes_max);
  }

  /** Entries of [low, high), which must be there; cut after `bytes_max`, but never before the first. */
  slice(low: LogIndex, high: LogIndex, bytes_max: number): readonly Entry[] {
    if (low >= high) return [];
    assert(low >= this.firstIndex && high <= this.lastIndex + 1, `log entries [${low}, ${high}) are not here`);
    const { offset } = this.unstable;
    if (low >= offset) return limitSize(this.unstable.slice(low, high), bytes_max);
    const cut = Math.min(high, offset);
    const stable = this.#storage.entries(low, cut, bytes_max);
    if (cut === high || stable.length < cut - low) return stable;
    const left = bytes_max - entriesSize(stable);
    const more = limitSize(this.unstable.slice(offset, high), left);
    const first = more[0];
    // limitSize grants at least one; here the stable part has had it.
    return first === undefined || entriesSize([first]) > left ? stable : [...stable, ...more];
  }

  /** Appends the leader's own entries, or replaces an uncommitted tail. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(
      first.index > this.committed,
      `entry ${first.index} would overwrite what is committed up to ${this.committed}`,
    );
    this.unstable.truncateAndAppend(entries);
  }

  /** A follower's append (Raft paper, 5.3): the new last index, or undefined when `previous` does not match. */
  tryAppend(previous: EntryId, entries: readonly Entry[], committed: LogIndex): LogIndex | undefined {
    if (!this.matches(previous)) return undefined;
    const last = previous.index + entries.length;
    const conflict = entries.findIndex((entry) => !this.matches(entry));
    if (conflict >= 0) this.append(entries.slice(conflict));
    this.commitTo(Math.min(committed, last));
    return last;
  }

  /** The highest index at or below `index` whose term is at most `term`; term 0 when it is unknown here. */
  findConflictByTerm(index: LogIndex, term: Term): EntryId {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (own === undefined) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: LogIndex): void {
    if (index <= this.committed) return;
    assert(
      index <= this.lastIndex,
      `commit index ${index} is beyond the last entry ${this.lastIndex}: was the log lost?`,
    );
    this.committed = index;
  }

  /** A leader commits by counting only entries of its own term (Raft paper, 5.4.2). */
  tryCommit(at: EntryId): boolean {
    if (at.term === 0 || at.index <= this.committed || !this.matches(at)) return false;
    this.commitTo(at.index);
    return true;
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.#applying < this.#appliableTo(allowUnstable);
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const room = this.#applyingBytesMax - this.#applyingBytes;
    return this.slice(this.#applying + 1, this.#appliableTo(allowUnstable) + 1, room);
  }

  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#applying = last.index;
    this.#applyingBytes += entriesSize(entries);
    // A batch that was cut short met the limit too.
    this.#applyingPaused =
      this.#applyingBytes >= this.#applyingBytesMax || last.index < this.#appliableTo(allowUnstable);
  }

  appliedTo(index: LogIndex, bytes: number): void {
    assert(
      index <= this.committed && index >= this.#applied,
      `applied index ${index} is outside [${this.#applied}, ${this.committed}]`,
    );
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingBytes = Math.max(this.#applyingBytes - bytes, 0);
    this.#applyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }

  snapshot(): Snapshot | undefined {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  restore(snapshot: Snapshot): void {
    this.committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  #appliableTo(allowUnstable: boolean): LogIndex {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }
}
