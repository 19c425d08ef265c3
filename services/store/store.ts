/**
 * The Store interface: what the API server needs of a key-value store with etcd's promises (strict serializability, one
 * revision per transaction, watches that are ordered, unique, reliable, atomic, resumable and bookmarkable).
 * Drivers: the member in this process, any etcd v3 endpoint, and an in-memory one for tests. One conformance suite runs
 * against all of them.
 */

/** A store revision: one increasing sequence for the whole cluster; also Kubernetes' resourceVersion. */
export type Revision = number & { readonly __brand: 'Revision' };

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** 1 at creation, then one more for each put. */
  readonly version: number;
  /** 0n: no lease. */
  readonly lease: bigint;
}

export interface StoreCallOptions {
  readonly signal?: AbortSignal;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  /** Half-open end. Absent: the one key. A single zero byte: everything from `key` on (etcd API). */
  readonly rangeEnd?: Uint8Array;
  /** 0 or absent: no limit. */
  readonly limit?: number;
  /** Absent: the newest. */
  readonly revision?: Revision;
  /** True: from this replica as it is. False or absent: linearizable. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** All keys in the range, also beyond `limit`. */
  readonly count: number;
  readonly more: boolean;
  /** The store's revision when the range was read. */
  readonly revision: Revision;
}

export type Compare =
  | {
      readonly target: 'modRevision' | 'createRevision' | 'version';
      readonly key: Uint8Array;
      readonly op: '=' | '!=' | '<' | '>';
      readonly value: number;
    }
  | {
      readonly target: 'value';
      readonly key: Uint8Array;
      readonly op: '=' | '!=' | '<' | '>';
      readonly value: Uint8Array;
    }
  | { readonly target: 'lease'; readonly key: Uint8Array; readonly op: '=' | '!=' | '<' | '>'; readonly value: bigint };

export type Op =
  | {
      readonly kind: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly lease?: bigint;
      readonly prevKv?: boolean;
    }
  | { readonly kind: 'delete'; readonly key: Uint8Array; readonly rangeEnd?: Uint8Array; readonly prevKv?: boolean }
  | { readonly kind: 'range'; readonly request: RangeRequest };

export type OpResult =
  | { readonly kind: 'put'; readonly prevKv?: KeyValue }
  | { readonly kind: 'delete'; readonly deleted: number; readonly prevKvs: readonly KeyValue[] }
  | { readonly kind: 'range'; readonly range: RangeResult };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  /** Of the branch taken, in its order. */
  readonly results: readonly OpResult[];
  /** The store's revision after the transaction: its own when it wrote. */
  readonly revision: Revision;
}

export interface StoreWatchRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  /** First revision to deliver; absent: what comes next. */
  readonly startRevision?: Revision;
  readonly prevKv?: boolean;
  /** Send an empty batch with the current revision at least this often while nothing happens. Absent: never. */
  readonly progressInterval_ms?: number;
  /**
   * The newest revision that the consumer waits for, asked now and then. An external etcd whose progress cannot be
   * trusted makes something happen when it does not come; others need not look.
   */
  readonly awaited?: () => number;
}

export type StoreEvent =
  | { readonly kind: 'put'; readonly kv: KeyValue; readonly prevKv?: KeyValue }
  | { readonly kind: 'delete'; readonly key: Uint8Array; readonly modRevision: Revision; readonly prevKv?: KeyValue };

/** All events of one or more whole revisions, in order. `revision`: everything up to it has been delivered. */
export interface WatchBatch {
  readonly events: readonly StoreEvent[];
  readonly revision: Revision;
  /** More events of `revision` follow. Only for sinks that take parts. */
  readonly partial?: boolean;
}

export interface StoreStatus {
  readonly driver: 'memory' | 'member' | 'etcd';
  readonly clusterId: string;
  readonly memberId: string;
  readonly leaderId: string | undefined;
  readonly term: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly appliedIndex: number;
  /** Encoded size of all versions that are kept. */
  readonly dbSize_bytes: number;
  /** What it takes on disk, at least as much. */
  readonly dbAllocated_bytes?: number;
  /** Size at which nothing may grow any more; 0 or absent: none that is known. */
  readonly quota_bytes?: number;
  readonly alarms?: readonly { readonly member: bigint; readonly kind: 'nospace' | 'corrupt' | 'disk' }[];
}

/**
 * Fails with StoreError alone. A write whose outcome is unknown (timeout, lost leader) fails with code
 * 'unknown-outcome': it may or may not have happened. 'unavailable' means it did not happen, and may be tried again.
 */
export interface Store {
  range(request: RangeRequest, options?: StoreCallOptions): Promise<RangeResult>;
  txn(request: TxnRequest, options?: StoreCallOptions): Promise<TxnResult>;
  /**
   * Iterates until the signal aborts. Throws StoreError 'compacted' when `startRevision` has been compacted, and
   * 'overflow' when the consumer falls too far behind: range again, or resume from the last batch's revision.
   */
  watch(request: StoreWatchRequest, options: { readonly signal: AbortSignal }): AsyncIterable<WatchBatch>;
  /** `id` 0n: the store chooses. `ttl_s` is a minimum. */
  leaseGrant(
    request: { readonly id?: bigint; readonly ttl_s: number },
    options?: StoreCallOptions,
  ): Promise<{ id: bigint; ttl_s: number }>;
  leaseKeepAlive(id: bigint, options?: StoreCallOptions): Promise<{ ttl_s: number }>;
  leaseRevoke(id: bigint, options?: StoreCallOptions): Promise<void>;
  /** Drops history at and below the revision, except what is still the newest version of its key. */
  compact(revision: Revision, options?: StoreCallOptions): Promise<void>;
  status(options?: StoreCallOptions): Promise<StoreStatus>;
  /**
   * Resolves when this replica has everything committed before the call (ReadIndex), with the revision it then has:
   * what a linearizable read from a cache must wait for.
   */
  readRevision(options?: StoreCallOptions): Promise<Revision>;
  close(): Promise<void>;
}

export type StoreErrorCode =
  | 'compacted'
  | 'future-revision'
  | 'lease-not-found'
  | 'lease-exists'
  | 'no-space'
  | 'corrupt'
  | 'too-large'
  | 'invalid'
  | 'unavailable'
  | 'unknown-outcome'
  | 'overflow'
  | 'closed'
  | 'unsupported';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** With 'compacted': the revision up to which history is gone. */
  readonly compactRevision: Revision | undefined;

  constructor(code: StoreErrorCode, message: string, compactRevision?: Revision) {
    super(message);
    this.code = code;
    this.compactRevision = compactRevision;
  }
}
