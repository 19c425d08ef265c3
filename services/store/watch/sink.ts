/** A watch as its opener sees it: what it asks for, where batches go, and what it may ask for meanwhile. */
import type { StoreError, StoreWatchRequest, WatchBatch } from '../store.js';

export interface KvWatch extends StoreWatchRequest {
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
}

/** Receives a watch's batches, in order and on the spot. After `onEnd` nothing more comes. */
export interface WatchSink {
  /** Whether it takes a revision of very many events in parts. */
  readonly takesParts?: boolean;
  onBatch(batch: WatchBatch): void;
  onEnd(error: StoreError): void;
}

export interface WatchHandle {
  /** Allows that many further batches. A watch starts with none: without them it waits, and is served from history. */
  grant(batches: number): void;
  /** Asks for an empty batch once the watch has everything there is. */
  requestProgress(): void;
  cancel(): void;
}
