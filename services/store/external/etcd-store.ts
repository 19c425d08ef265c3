/**
 * The Store on an external etcd v3 (or on members of ours, through the same API): requests go to one endpoint at a time,
 * and on to the next when it is unavailable. Linearizable by etcd's own promises; watches are resumed by revision on another
 * endpoint when their stream breaks, so that a consumer sees neither gap nor repetition.
 */
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import type { CallOptions, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import { KVClient, LeaseClient, MaintenanceClient, RangeRequest, WatchClient } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { LeaseKeepAliveResponse, ResponseHeader } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { closedError, emptyKeyError, leaseNotFoundError, revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type {
  RangeRequest as StoreRange, RangeResult, Revision, Store, StoreCallOptions, StoreStatus, StoreWatchRequest, TxnRequest, TxnResult, WatchBatch,
} from '../store.js';
import { fromEtcdRange, fromEtcdTxn, toEtcdRange, toEtcdTxn } from './messages.js';
import { isRetryable, toStoreError } from './grpc-errors.js';
import { watchEtcd } from './watch.js';

export interface EtcdStoreOptions {
  /** host:port of each. */
  readonly endpoints: readonly string[];
  /** Mutual TLS, PEM. Absent: plain text. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly clock: Clock;
  /** How long one attempt may take. */
  readonly timeout_ms?: number;
}

/** The clients of one endpoint. */
export interface Endpoint {
  readonly address: string;
  readonly kv: KVClient;
  readonly watch: WatchClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
}

const TIMEOUT_MS = 8000;
/** Answers may be as large as a range of everything. */
const CHANNEL_OPTIONS = { 'grpc.max_receive_message_length': -1, 'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 5000 };

type Method<Q, R> = (request: Q, metadata: Metadata, options: Partial<CallOptions>, callback: (error: ServiceError | null, response: R) => void) => ClientUnaryCall;
type Choose<Q, R> = (endpoint: Endpoint) => readonly [client: object, method: Method<Q, R>];

export class EtcdStore implements Store {
  readonly #endpoints: readonly Endpoint[];
  readonly #options: EtcdStoreOptions;
  #current = 0;
  #closed = false;
  readonly #watching = new Set<AbortController>();

  constructor(options: EtcdStoreOptions) {
    if (options.endpoints.length === 0) throw new StoreError('invalid', 'no endpoint of etcd is given');
    this.#options = options;
    const credentials = credentialsOf(options);
    this.#endpoints = options.endpoints.map((address) => ({
      address,
      kv: new KVClient(address, credentials, CHANNEL_OPTIONS),
      watch: new WatchClient(address, credentials, CHANNEL_OPTIONS),
      lease: new LeaseClient(address, credentials, CHANNEL_OPTIONS),
      maintenance: new MaintenanceClient(address, credentials, CHANNEL_OPTIONS),
    }));
  }

  async range(request: StoreRange, options?: StoreCallOptions): Promise<RangeResult> {
    if (request.key.length === 0) throw emptyKeyError();
    return fromEtcdRange(await this.#read(({ kv }) => [kv, kv.range], toEtcdRange(request), options));
  }

  async txn(request: TxnRequest, options?: StoreCallOptions): Promise<TxnResult> {
    return fromEtcdTxn(await this.#write(({ kv }) => [kv, kv.txn], toEtcdTxn(request), options));
  }

  watch(request: StoreWatchRequest, options: { readonly signal: AbortSignal }): AsyncIterable<WatchBatch> {
    return this.#watch(request, options.signal);
  }

  async leaseGrant(request: { readonly id?: bigint; readonly ttl_s: number }, options?: StoreCallOptions): Promise<{ id: bigint; ttl_s: number }> {
    const wanted = { ID: request.id ?? 0n, TTL: Math.max(1, Math.ceil(request.ttl_s)) };
    const { ID, TTL } = await this.#write(({ lease }) => [lease, lease.leaseGrant], wanted, options);
    return { id: ID, ttl_s: TTL };
  }

  /** One keep-alive on a stream of its own: the API has no unary call for it. */
  async leaseKeepAlive(id: bigint, options: StoreCallOptions = {}): Promise<{ ttl_s: number }> {
    this.#check(options);
    const stream = this.#endpoint.lease.leaseKeepAlive(new Metadata(), { deadline: this.#deadline() });
    const onAbort = () => stream.cancel();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await new Promise<LeaseKeepAliveResponse>((resolve, reject) => {
        stream.once('data', resolve).once('error', reject).once('end', () => reject(new StoreError('unknown-outcome', 'etcd closed the stream')));
        stream.write({ ID: id });
      });
      if (answer.TTL <= 0) throw leaseNotFoundError();
      return { ttl_s: answer.TTL };
    } catch (error) {
      this.#rotateAfter(error);
      throw toStoreError(error, true);
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
      // It has served; its cancellation is no news.
      stream.removeAllListeners('error').on('error', () => undefined);
      stream.cancel();
    }
  }

  async leaseRevoke(id: bigint, options?: StoreCallOptions): Promise<void> {
    await this.#write(({ lease }) => [lease, lease.leaseRevoke], { ID: id }, options);
  }

  async compact(revision: Revision, options?: StoreCallOptions): Promise<void> {
    await this.#write(({ kv }) => [kv, kv.compact], { revision, physical: false }, options);
  }

  async status(options?: StoreCallOptions): Promise<StoreStatus> {
    const status = await this.#read(({ maintenance }) => [maintenance, maintenance.status], {}, options);
    const { clusterId, memberId, revision } = header(status.header);
    return {
      driver: 'etcd',
      clusterId: clusterId.toString(16),
      memberId: memberId.toString(16),
      leaderId: status.leader === 0n ? undefined : status.leader.toString(16),
      term: status.raftTerm,
      revision: revisionOf(revision),
      // The API does not tell.
      compactRevision: revisionOf(0),
      appliedIndex: status.raftAppliedIndex === 0 ? status.raftIndex : status.raftAppliedIndex,
      dbSize_bytes: status.dbSize,
    };
  }

  /** A linearizable read of nothing: its header has the revision. */
  async readRevision(options?: StoreCallOptions): Promise<Revision> {
    const request = RangeRequest.fromPartial({ key: Buffer.from([0]), countOnly: true });
    const answer = await this.#read(({ kv }) => [kv, kv.range], request, options);
    return revisionOf(header(answer.header).revision);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const controller of this.#watching) controller.abort(closedError());
    for (const { kv, watch, lease, maintenance } of this.#endpoints) for (const client of [kv, watch, lease, maintenance]) client.close();
  }

  async *#watch(request: StoreWatchRequest, signal: AbortSignal): AsyncGenerator<WatchBatch, void, undefined> {
    this.#check();
    const controller = new AbortController();
    const onAbort = () => controller.abort();
    if (signal.aborted) return;
    signal.addEventListener('abort', onAbort, { once: true });
    this.#watching.add(controller);
    try {
      yield* watchEtcd(request, {
        endpoint: () => this.#endpoint,
        onBroken: () => this.#rotate(),
        signal: controller.signal,
        clock: this.#options.clock,
      });
      if (this.#closed && !signal.aborted) throw closedError();
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#watching.delete(controller);
    }
  }

  get #endpoint(): Endpoint {
    return this.#endpoints[this.#current % this.#endpoints.length] as Endpoint;
  }

  #rotate(): void {
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  #rotateAfter(error: unknown): void {
    if (isRetryable(error)) this.#rotate();
  }

  #deadline(): Date {
    return new Date(this.#options.clock.now() + (this.#options.timeout_ms ?? TIMEOUT_MS));
  }

  #check(options?: StoreCallOptions): void {
    if (this.#closed) throw closedError();
    if (options?.signal?.aborted === true) throw new StoreError('unavailable', 'the call was aborted before it began');
  }

  /** A read may be asked of every endpoint in turn. */
  async #read<Q, R>(choose: Choose<Q, R>, request: Q, options: StoreCallOptions = {}): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      this.#check(options);
      try {
        return await this.#call(choose, request, options);
      } catch (error) {
        this.#rotateAfter(error);
        if (!isRetryable(error) || attempt >= this.#endpoints.length || options.signal?.aborted === true) throw toStoreError(error, false);
      }
    }
  }

  /** A write is asked once: whether one that failed on the way has happened, nobody here knows. */
  async #write<Q, R>(choose: Choose<Q, R>, request: Q, options: StoreCallOptions = {}): Promise<R> {
    this.#check(options);
    try {
      return await this.#call(choose, request, options);
    } catch (error) {
      this.#rotateAfter(error);
      throw toStoreError(error, true);
    }
  }

  #call<Q, R>(choose: Choose<Q, R>, request: Q, { signal }: StoreCallOptions): Promise<R> {
    const [client, method] = choose(this.#endpoint);
    return new Promise((resolve, reject) => {
      const call = method.call(client, request, new Metadata(), { deadline: this.#deadline() }, (error: ServiceError | null, response: R) => {
        signal?.removeEventListener('abort', onAbort);
        if (error === null) resolve(response);
        else reject(error);
      });
      const onAbort = () => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function credentialsOf({ tls }: EtcdStoreOptions): ChannelCredentials {
  return tls === undefined ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
}

function header(given: ResponseHeader | undefined): ResponseHeader {
  if (given === undefined) throw new StoreError('unavailable', 'etcd answered without a header');
  return given;
}

