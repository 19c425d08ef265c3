/** One outgoing stream of messages: batches what is at hand, holds back when the stream is full, and is bounded. */
import type { PeerMessage } from './transport.js';

/** The part of a gRPC request stream that a lane needs. */
export interface LaneStream {
  /** False: full; `drain` will be emitted. */
  send(messages: readonly PeerMessage[]): boolean;
}

export interface LaneLimits {
  readonly messages_max: number;
  readonly bytes_max: number;
  /** Payload of one request, so that one request does not occupy the connection for long. */
  readonly batchBytes_max: number;
}

function sizeOf(message: PeerMessage): number {
  let size = 64;
  for (const entry of message.entries) size += entry.data.length + 24;
  return size;
}

export class Lane {
  readonly #limits: LaneLimits;
  #stream: LaneStream | undefined;
  #isFull = false;
  #queue: PeerMessage[] = [];
  #queuedBytes = 0;

  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  open(stream: LaneStream): void {
    this.#stream = stream;
    this.#isFull = false;
    this.drain();
  }

  /** Returns what was queued: it never left. */
  close(): PeerMessage[] {
    this.#stream = undefined;
    const left = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return left;
  }

  /** Sends or queues; returns those that do not fit or have nowhere to go. */
  send(messages: readonly PeerMessage[]): readonly PeerMessage[] {
    if (this.#stream === undefined) return messages;
    const refused: PeerMessage[] = [];
    for (const message of messages) {
      const size = sizeOf(message);
      const isOver =
        this.#queue.length >= this.#limits.messages_max || this.#queuedBytes + size > this.#limits.bytes_max;
      if (isOver && this.#queue.length > 0) {
        refused.push(message);
      } else {
        this.#queue.push(message);
        this.#queuedBytes += size;
      }
    }
    if (!this.#isFull) this.drain();
    return refused;
  }

  drain(): void {
    this.#isFull = false;
    while (this.#stream !== undefined && this.#queue.length > 0 && !this.#isFull) {
      let bytes = 0;
      let count = 0;
      for (const message of this.#queue) {
        const size = sizeOf(message);
        if (count > 0 && bytes + size > this.#limits.batchBytes_max) break;
        bytes += size;
        count++;
      }
      const batch = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
      this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
      this.#queuedBytes -= bytes;
      this.#isFull = !this.#stream.send(batch);
    }
  }
}
