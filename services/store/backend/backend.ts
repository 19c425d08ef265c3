/**
 * What the etcd front needs beyond the Store interface. The in-memory store and the member give it; every request is
 * etcd's.
 */
import type { EncodedRange, EncodedTxn } from '../mvcc/encoded-kvs.js';
import type { Alarm } from '../mvcc/alarms.js';
import type { HashResult, KvPut, KvRange, KvTxn, KvTxnResult, LeaseInfo } from '../mvcc/operations.js';
import type { KeyValue, RangeResult, Revision, Store, StoreCallOptions } from '../store.js';
import type { KvWatch, WatchHandle, WatchSink } from '../watch/sink.js';

/** What every answer of the etcd API carries beside the revision. Ids are etcd's 64-bit ones. */
export interface StoreHead {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly term: number;
}

export interface LeaseInfoOptions extends StoreCallOptions {
  /** Whether the keys are wanted too. Default: yes. */
  readonly keys?: boolean;
}

export interface SaveOptions extends StoreCallOptions {
  /** `etcd`: as a database that etcd's tools read. Default: our own form (snapshot/format.ts). */
  readonly format?: 'etcd';
}

export interface PutResult {
  readonly revision: Revision;
  readonly prevKv: KeyValue | undefined;
}

export interface KvBackend extends Store {
  range(request: KvRange, options?: StoreCallOptions): Promise<RangeResult>;
  put(request: KvPut, options?: StoreCallOptions): Promise<PutResult>;
  kvTxn(request: KvTxn, options?: StoreCallOptions): Promise<KvTxnResult>;
  /** As `range` and `kvTxn`, with lists in the form in which etcd's clients get them. */
  rangeEncoded(request: KvRange, options?: StoreCallOptions): Promise<EncodedRange>;
  kvTxnEncoded(request: KvTxn, options?: StoreCallOptions): Promise<EncodedTxn>;
  openWatch(request: KvWatch, sink: WatchSink): WatchHandle;
  leaseInfo(id: bigint, options?: LeaseInfoOptions): Promise<LeaseInfo>;
  leases(options?: StoreCallOptions): Promise<readonly bigint[]>;
  /** Linearizable. */
  alarms(options?: StoreCallOptions): Promise<readonly Alarm[]>;
  changeAlarm(action: 'raise' | 'clear', alarm: Alarm, options?: StoreCallOptions): Promise<void>;
  /** Gives back the disk space of what was removed, of this replica, while it serves. */
  reclaim(): Promise<void>;
  /** The whole state as a snapshot file, with everything acknowledged before the call in it. */
  saveSnapshot(options?: SaveOptions): AsyncIterable<Uint8Array>;
  /** `revision` 0: the newest. Of this replica. */
  hash(revision: number, options?: StoreCallOptions): Promise<HashResult>;
  /** The newest revision that this replica is known to have; costs nothing. */
  readonly revision: Revision;
  readonly head: StoreHead;
}
