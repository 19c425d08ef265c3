/** Public entry point: navarch/store. */
export { StoreError } from './store.js';
export type {
  Compare,
  KeyValue,
  Op,
  OpResult,
  RangeRequest,
  RangeResult,
  Revision,
  Store,
  StoreCallOptions,
  StoreErrorCode,
  StoreEvent,
  StoreStatus,
  StoreWatchRequest,
  TxnRequest,
  TxnResult,
  WatchBatch,
} from './store.js';
export { MemoryStore } from './backend/memory-store.js';
export type { MemoryStoreOptions } from './backend/memory-store.js';
export { restoreSnapshot, snapshotStatus } from './snapshot/file.js';
export type { Restored, RestoreOptions, SnapshotStatus } from './snapshot/file.js';
export type { KvBackend } from './backend/backend.js';
export { startInlineMember, startStoreMember } from './member/start.js';
export type { StoreMember } from './member/start.js';
export type { InlineMemberOptions, StoreMemberData, StoreMemberOptions } from './member/options.js';
export type { AutoCompactionOptions } from './member/auto-compaction.js';
export { etcdServices } from './etcd/index.js';
export type {
  EtcdAuthorizer,
  EtcdIdentity,
  EtcdMember,
  EtcdOperation,
  EtcdServicesOptions,
  GrpcService,
} from './etcd/index.js';
export { EtcdStore } from './external/etcd-store.js';
export type { EtcdStoreOptions } from './external/etcd-store.js';
