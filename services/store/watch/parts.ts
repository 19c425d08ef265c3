/** Puts the parts of a long revision together again, for whoever wants whole revisions. */
import type { WatchSink } from './sink.js';
import type { StoreError, StoreEvent, WatchBatch } from '../store.js';

export class WholeRevisions implements WatchSink {
  readonly takesParts = true;
  readonly #sink: WatchSink;
  #events: StoreEvent[] = [];

  constructor(sink: WatchSink) {
    this.#sink = sink;
  }

  onBatch(batch: WatchBatch): void {
    if (batch.partial !== true && this.#events.length === 0) {
      this.#sink.onBatch(batch);
      return;
    }
    for (const event of batch.events) this.#events.push(event);
    if (batch.partial === true) return;
    const events = this.#events;
    this.#events = [];
    this.#sink.onBatch({ events, revision: batch.revision });
  }

  onEnd(error: StoreError): void {
    this.#sink.onEnd(error);
  }
}
