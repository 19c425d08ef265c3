/** A log without a disk: for clusters inside a test, and for the simulator, which loses it at will. */
import { MemoryStorage } from '../core/log/memory-storage.js';
import type { EntryId } from '../core/log/raft-log.js';
import type { LogIndex } from '../core/types/ids.js';
import { applyToView } from './log.js';
import type { LogWrite, MemberLog } from './log.js';

export class MemoryLog implements MemberLog {
  readonly view = new MemoryStorage();
  #isFresh = true;
  #prepared: EntryId | undefined;

  get isFresh(): boolean {
    return this.#isFresh;
  }

  get preparedSnapshot(): EntryId | undefined {
    return this.#prepared;
  }

  prepareSnapshot(id: EntryId): Promise<void> {
    this.#prepared = id;
    return Promise.resolve();
  }

  write(writes: readonly LogWrite[]): Promise<void> {
    this.#isFresh = false;
    if (writes.some(({ snapshot }) => snapshot !== undefined)) this.#prepared = undefined;
    for (const write of writes) applyToView(this.view, write);
    return Promise.resolve();
  }

  compact(index: LogIndex): Promise<void> {
    this.view.compact(index);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
