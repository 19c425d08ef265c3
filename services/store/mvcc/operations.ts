/**
 * What the replicated key-value store can be asked: the Store interface's requests with the rest of etcd's options.
 * Every request of `store.ts` is one of these as it stands.
 */
import type { Alarm } from './alarms.js';
import type { Compare, KeyValue, RangeRequest, RangeResult, Revision } from '../store.js';

export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';

export interface KvRange extends RangeRequest {
  readonly sortOrder?: 'ascend' | 'descend';
  /** Absent: by key. A target without an order ascends, and a limit then cuts before the sort (etcd). */
  readonly sortTarget?: SortTarget;
  /** 0 or absent: no bound. They filter what is returned, not what is counted. */
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

/** With `rangeEnd`: true when it holds for each key of the range; a value compare of an empty range fails. */
export type KvCompare = Compare & { readonly rangeEnd?: Uint8Array };

export interface KvPut {
  readonly kind: 'put';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease?: bigint;
  readonly prevKv?: boolean;
  /** Keep the present value (lease); fails when there is no such key. */
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface KvDelete {
  readonly kind: 'delete';
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly prevKv?: boolean;
}

export type KvOp =
  | KvPut
  | KvDelete
  | { readonly kind: 'range'; readonly request: KvRange }
  | { readonly kind: 'txn'; readonly txn: KvTxn };

export interface KvTxn {
  readonly compare: readonly KvCompare[];
  readonly success: readonly KvOp[];
  readonly failure: readonly KvOp[];
}

/** Results, whatever form (`L`) lists of keys and values have in them. */
export interface RangeResultOf<L> extends Omit<RangeResult, 'kvs'> {
  readonly kvs: L;
}

export type KvOpResultOf<L> =
  | { readonly kind: 'put'; readonly prevKv?: KeyValue }
  | { readonly kind: 'delete'; readonly deleted: number; readonly prevKvs: L }
  | { readonly kind: 'range'; readonly range: RangeResultOf<L> }
  | { readonly kind: 'txn'; readonly txn: KvTxnResultOf<L> };

export interface KvTxnResultOf<L> {
  readonly succeeded: boolean;
  readonly results: readonly KvOpResultOf<L>[];
  readonly revision: Revision;
}

export type KvOpResult = KvOpResultOf<readonly KeyValue[]>;
export type KvTxnResult = KvTxnResultOf<readonly KeyValue[]>;

export interface LeaseInfo {
  readonly id: bigint;
  readonly grantedTtl_s: number;
  /** What is left by this member's clock; the leader's is the one that counts. -1: there is no such lease. */
  readonly ttl_s: number;
  readonly keys: readonly Uint8Array[];
}

export interface HashResult {
  readonly hash: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

/** A command as it stands in the log. `term` in a command is the term its proposer led in: another term's is void. `renewals`:
 * how often the lease had been renewed when its end was decided; if it was again since, it goes on. */
export type Command =
  | { readonly kind: 'txn'; readonly txn: KvTxn }
  | { readonly kind: 'put'; readonly put: KvPut }
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'lease-grant'; readonly id: bigint; readonly ttl_s: number }
  | { readonly kind: 'lease-revoke'; readonly id: bigint }
  | { readonly kind: 'lease-keep-alive'; readonly id: bigint }
  | {
      readonly kind: 'lease-checkpoint';
      readonly term: number;
      readonly remaining: readonly { readonly id: bigint; readonly ttl_s: number }[];
    }
  | { readonly kind: 'alarm'; readonly action: 'raise' | 'clear'; readonly alarm: Alarm }
  /** Tell the hash at a revision, if nothing more was compacted meanwhile. Both change nothing. */
  | { readonly kind: 'hash-ask'; readonly term: number; readonly revision: number; readonly compactRevision: number }
  | {
      readonly kind: 'hash-tell';
      readonly member: bigint;
      readonly revision: number;
      readonly compactRevision: number;
      readonly hash: number;
    }
  | { readonly kind: 'lease-expire'; readonly term: number; readonly id: bigint; readonly renewals: number }
  /** As many of them. Of level 2. */
  | { readonly kind: 'leases-expire'; readonly term: number; readonly ended: readonly EndedLease[] };

export interface EndedLease {
  readonly id: bigint;
  readonly renewals: number;
}

/** What applying a command gave. `txn` for put and txn; the others answer with what they changed. */
export type CommandResult = CommandResultOf<readonly KeyValue[]>;

export type CommandResultOf<L> =
  | { readonly kind: 'txn'; readonly txn: KvTxnResultOf<L> }
  | { readonly kind: 'put'; readonly revision: Revision; readonly prevKv: KeyValue | undefined }
  | { readonly kind: 'lease'; readonly id: bigint; readonly ttl_s: number; readonly revision: Revision }
  | { readonly kind: 'done'; readonly revision: Revision };
