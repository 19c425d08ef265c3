/**
 * What the core reads of stable storage: synchronous, so whoever implements it keeps the tail of the log in memory.
 * Writes do not pass here; they leave the core as part of a Ready.
 */
import type { ConfState, HardState, Snapshot } from '../types/state.js';
import type { Entry } from '../types/entry.js';
import type { LogIndex, Term } from '../types/ids.js';

export interface LogStorage {
  readonly hardState: HardState;
  /** The configuration as of the applied index that the core is started with. */
  readonly confState: ConfState;
  /** First index whose entry is still there. */
  readonly firstIndex: LogIndex;
  /** firstIndex - 1 when the log is empty. */
  readonly lastIndex: LogIndex;
  /** Known for firstIndex - 1 <= index <= lastIndex; undefined elsewhere. */
  term(index: LogIndex): Term | undefined;
  /** Entries of [low, high), cut after `bytes_max` but never before the first. Within [firstIndex, lastIndex + 1). */
  entries(low: LogIndex, high: LogIndex, bytes_max: number): readonly Entry[];
  /** The newest snapshot that could be sent; undefined: none at the moment. */
  snapshot(): Snapshot | undefined;
}
