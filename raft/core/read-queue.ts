/** Reads that wait for a quorum to confirm the leader (thesis 6.4), in the order they came. */
import type { LogIndex, NodeId } from './types/ids.js';
import type { Message } from './types/message.js';

export interface PendingRead {
  readonly request: Message;
  /** Commit index when the request came. */
  readonly index: LogIndex;
  readonly acks: Map<NodeId, boolean>;
}

export class ReadQueue {
  readonly #pending = new Map<number, PendingRead>();
  #order: number[] = [];

  /** A context that is known already is not added again. */
  add(index: LogIndex, request: Message): void {
    if (this.#pending.has(request.context)) return;
    this.#pending.set(request.context, { request, index, acks: new Map() });
    this.#order.push(request.context);
  }

  acknowledge(from: NodeId, context: number): ReadonlyMap<NodeId, boolean> {
    const read = this.#pending.get(context);
    read?.acks.set(from, true);
    return read?.acks ?? new Map<NodeId, boolean>();
  }

  /** Takes out the read of `context` and all before it: a leader confirmed now was the leader then. */
  release(context: number): PendingRead[] {
    const end = this.#order.indexOf(context);
    if (end < 0) return [];
    const released: PendingRead[] = [];
    for (const key of this.#order.slice(0, end + 1)) {
      const read = this.#pending.get(key);
      if (read !== undefined) released.push(read);
      this.#pending.delete(key);
    }
    this.#order = this.#order.slice(end + 1);
    return released;
  }

  /** 0 when nothing waits. */
  lastContext(): number {
    return this.#order.at(-1) ?? 0;
  }

  clear(): void {
    this.#pending.clear();
    this.#order = [];
  }
}
