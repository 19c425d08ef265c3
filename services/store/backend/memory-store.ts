/** The Store in memory: the same state machine as a member's, without a log, a disk or peers. For tests. */
import { systemClock } from '../../../platform/clock.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { Random } from '../../../platform/random.js';
import { finish } from '../../../platform/slices.js';
import type { KvBackend, PutResult } from './backend.js';
import type { KvWatch, WatchHandle, WatchSink } from '../watch/sink.js';
import { encodeRange, encodeTxn } from '../mvcc/encoded-kvs.js';
import type { EncodedRange, EncodedTxn } from '../mvcc/encoded-kvs.js';
import { closedError, revisionOf } from '../errors.js';
import { LeaseExpiry } from './lease-expiry.js';
import type { Alarm } from '../mvcc/alarms.js';
import { KvState } from '../mvcc/kv-state.js';
import type {
  Command,
  CommandResult,
  HashResult,
  KvPut,
  KvRange,
  KvTxn,
  KvTxnResult,
  LeaseInfo,
} from '../mvcc/operations.js';
import { StoreError } from '../store.js';
import type {
  RangeResult,
  Revision,
  StoreCallOptions,
  StoreStatus,
  TxnRequest,
  TxnResult,
  WatchBatch,
} from '../store.js';
import { newLeaseId } from '../lease-id.js';
import { WatchHub } from '../watch/hub.js';
import { iterateWatch } from '../watch/iterate.js';

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Events that may pass while a watcher takes nothing; then it fails with 'overflow'. */
  readonly watchLag_events?: number;
}

const TERM = 1;
const SCRUB_RECORDS = 10_000;

export class MemoryStore implements KvBackend {
  readonly head = { clusterId: 1n, memberId: 1n, term: TERM };
  readonly #state = new KvState();
  readonly #hub: WatchHub;
  readonly #expiry: LeaseExpiry;
  readonly #clock: Clock;
  readonly #random: Random;
  #scrubbing: Timer | undefined;
  #applied = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#hub = new WatchHub(this.#state.mvcc, {
      clock: this.#clock,
      ...(options.watchLag_events === undefined ? {} : { lag_events: options.watchLag_events }),
    });
    this.#expiry = new LeaseExpiry({
      clock: this.#clock,
      leases: this.#state.leases,
      expire: async (ended) => this.#apply({ kind: 'leases-expire', term: TERM, ended }),
      expireMax: () => Infinity,
    });
    this.#expiry.lead();
  }

  get revision(): Revision {
    return revisionOf(this.#state.mvcc.revision);
  }

  async range(request: KvRange, options?: StoreCallOptions): Promise<RangeResult> {
    this.#check(options);
    return this.#state.range(request);
  }

  async txn(request: TxnRequest, options?: StoreCallOptions): Promise<TxnResult> {
    this.#check(options);
    // Without nested transactions in, there are none out.
    return this.#applyTxn(request) as TxnResult;
  }

  async kvTxn(request: KvTxn, options?: StoreCallOptions): Promise<KvTxnResult> {
    this.#check(options);
    return this.#applyTxn(request);
  }

  async rangeEncoded(request: KvRange, options?: StoreCallOptions): Promise<EncodedRange> {
    return encodeRange(await this.range(request, options));
  }

  async kvTxnEncoded(request: KvTxn, options?: StoreCallOptions): Promise<EncodedTxn> {
    return encodeTxn(await this.kvTxn(request, options));
  }

  async put(put: KvPut, options?: StoreCallOptions): Promise<PutResult> {
    this.#check(options);
    const result = this.#apply({ kind: 'put', put });
    return {
      revision: result.kind === 'put' ? result.revision : this.revision,
      prevKv: result.kind === 'put' ? result.prevKv : undefined,
    };
  }

  async alarms(options?: StoreCallOptions): Promise<readonly Alarm[]> {
    this.#check(options);
    return this.#state.alarms.all;
  }

  async changeAlarm(action: 'raise' | 'clear', alarm: Alarm, options?: StoreCallOptions): Promise<void> {
    this.#check(options);
    this.#apply({ kind: 'alarm', action, alarm });
  }

  saveSnapshot(): AsyncIterable<Uint8Array> {
    throw new StoreError('unsupported', 'a store in memory has no snapshots');
  }

  /** There is no disk. */
  async reclaim(): Promise<void> {
    this.#check();
  }

  watch(request: KvWatch, options: { readonly signal: AbortSignal }): AsyncIterable<WatchBatch> {
    return iterateWatch((wanted, sink) => this.openWatch(wanted, sink), request, options.signal);
  }

  openWatch(request: KvWatch, sink: WatchSink): WatchHandle {
    this.#check();
    return this.#hub.watch(request, sink);
  }

  async leaseGrant(
    request: { readonly id?: bigint; readonly ttl_s: number },
    options?: StoreCallOptions,
  ): Promise<{ id: bigint; ttl_s: number }> {
    this.#check(options);
    const id = request.id === undefined || request.id === 0n ? newLeaseId(this.#random) : request.id;
    return this.#applyLease({ kind: 'lease-grant', id, ttl_s: Math.max(0, Math.ceil(request.ttl_s)) });
  }

  async leaseKeepAlive(id: bigint, options?: StoreCallOptions): Promise<{ ttl_s: number }> {
    this.#check(options);
    return this.#applyLease({ kind: 'lease-keep-alive', id });
  }

  async leaseRevoke(id: bigint, options?: StoreCallOptions): Promise<void> {
    this.#check(options);
    this.#apply({ kind: 'lease-revoke', id });
  }

  async leaseInfo(id: bigint): Promise<LeaseInfo> {
    this.#check();
    const lease = this.#state.leases.get(id);
    if (lease === undefined) return { id, grantedTtl_s: 0, ttl_s: -1, keys: [] };
    const keys = [...lease.keys].sort().map((key) => Buffer.from(key, 'latin1'));
    return { id, grantedTtl_s: lease.ttl_s, ttl_s: this.#expiry.remaining_s(id), keys };
  }

  async leases(): Promise<readonly bigint[]> {
    this.#check();
    return [...this.#state.leases.all()].map(({ id }) => id);
  }

  async compact(revision: Revision, options?: StoreCallOptions): Promise<void> {
    this.#check(options);
    this.#apply({ kind: 'compact', revision });
    this.#scrubbing ??= this.#clock.every(1, () => this.#scrub());
  }

  async hash(revision: number): Promise<HashResult> {
    this.#check();
    return this.#state.hash(revision);
  }

  async status(options?: StoreCallOptions): Promise<StoreStatus> {
    this.#check(options);
    const { mvcc } = this.#state;
    return {
      driver: 'memory',
      clusterId: 'memory',
      memberId: 'memory',
      leaderId: 'memory',
      term: TERM,
      revision: this.revision,
      compactRevision: revisionOf(mvcc.compactRevision),
      appliedIndex: this.#applied,
      dbSize_bytes: mvcc.size_bytes,
    };
  }

  async readRevision(options?: StoreCallOptions): Promise<Revision> {
    this.#check(options);
    return this.revision;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#expiry.stop();
    this.#scrubbing?.cancel();
    this.#hub.closeAll(closedError());
  }

  #check(options?: StoreCallOptions): void {
    if (this.#closed) throw closedError();
    if (options?.signal?.aborted === true) throw new StoreError('unavailable', 'the call was aborted before it began');
  }

  #apply(command: Command): CommandResult {
    const result = this.#state.apply(command, TERM);
    this.#applied++;
    finish(this.#hub.publish());
    if (result instanceof StoreError) throw result;
    return result;
  }

  #applyTxn(txn: KvTxn): KvTxnResult {
    const result = this.#apply({ kind: 'txn', txn });
    if (result.kind !== 'txn') throw new StoreError('corrupt', 'a transaction answered as something else');
    return result.txn;
  }

  #applyLease(command: Command): { id: bigint; ttl_s: number } {
    const result = this.#apply(command);
    if (result.kind !== 'lease') throw new StoreError('corrupt', 'a lease answered as something else');
    return { id: result.id, ttl_s: result.ttl_s };
  }

  #scrub(): void {
    if (this.#state.mvcc.scrub(SCRUB_RECORDS)) return;
    this.#scrubbing?.cancel();
    this.#scrubbing = undefined;
  }
}
