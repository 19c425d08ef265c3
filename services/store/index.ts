/** Public entry point: navarch/store. */
export { StoreError } from './store.js';
export type {
  Compare, KeyValue, Op, OpResult, RangeRequest, RangeResult, Revision, Store, StoreCallOptions, StoreErrorCode, StoreEvent,
  StoreStatus, StoreWatchRequest, TxnRequest, TxnResult, WatchBatch,
} from './store.js';
export { MemoryStore } from './memory-store.js';
export type { MemoryStoreOptions } from './memory-store.js';
export type { KvBackend } from './backend.js';
