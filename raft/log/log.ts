/**
 * raft/log: what a member must not forget: entries, hard state, where the log begins. In: writes, in order. Out: a view
 * in memory that the core reads without waiting. It never truncates in silence and never reports a write before it is
 * durable.
 */
import type { EntryId } from '../core/log/raft-log.js';
import type { MemoryStorage } from '../core/log/memory-storage.js';
import type { Entry } from '../core/types/entry.js';
import type { HardState, Snapshot } from '../core/types/state.js';
import type { LogIndex } from '../core/types/ids.js';

export interface LogWrite {
  /** Replace what is there from the first entry's index on. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  /** The log starts anew behind it. */
  readonly snapshot: Snapshot | undefined;
}

export interface MemberLog {
  /** Shows what is durable. The log updates it; others read. */
  readonly view: MemoryStorage;
  /** Nothing was ever written here. */
  readonly isFresh: boolean;
  /** One atomic, synchronous write; the view follows once it is durable. Callers wait for one write before the next. */
  write(writes: readonly LogWrite[]): Promise<void>;
  /**
   * Announces that the state is about to be switched to a snapshot; a write of that snapshot, or of another, takes it
   * back.
   */
  prepareSnapshot(id: EntryId): Promise<void>;
  /** Announced, not written: the member stopped in between. */
  readonly preparedSnapshot: EntryId | undefined;
  /** Drops entries up to and including `index`. Not while a write is under way. */
  compact(index: LogIndex): Promise<void>;
  close(): Promise<void>;
}

/** Later writes win: folds several into the state they leave behind. */
export function applyToView(view: MemoryStorage, write: LogWrite): void {
  if (write.snapshot !== undefined) {
    view.reset(write.snapshot.index, write.snapshot.term);
    view.setSnapshot(write.snapshot);
  }
  view.append(write.entries);
  if (write.hardState !== undefined) view.hardState = write.hardState;
}
