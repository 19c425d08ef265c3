/**
 * The Store on an external etcd v3 (or on members of ours, through the same API): requests go to one endpoint at a
 * time, and on to the next when it is unavailable. Linearizable by etcd's own promises; watches are resumed by revision
 * on another endpoint when their stream breaks, so that a consumer sees neither gap nor repetition.
 */
import { Metadata } from '@grpc/grpc-js';
import type { CallOptions, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import { RangeRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { LeaseKeepAliveResponse, ResponseHeader } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { closedError, emptyKeyError, leaseNotFoundError, revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type {
  RangeRequest as StoreRange,
  RangeResult,
  Revision,
  Store,
  StoreCallOptions,
  StoreStatus,
  StoreWatchRequest,
  TxnRequest,
  TxnResult,
  WatchBatch,
} from '../store.js';
import { openEndpoint } from './endpoint.js';
import type { Endpoint, EtcdTls } from './endpoint.js';
import { putMark } from './mark.js';
import { fromEtcdRange, fromEtcdTxn, toEtcdRange, toEtcdTxn } from './messages.js';
import { isRetryable, toStoreError } from './grpc-errors.js';
import { watchEtcd } from './watch.js';

export interface EtcdStoreOptions {
  /** host:port of each. */
  readonly endpoints: readonly string[];
  /** Absent: plain text. */
  readonly tls?: EtcdTls;
  readonly clock: Clock;
  /** How long one attempt may take. */
  readonly timeout_ms?: number;
}

const TIMEOUT_MS = 8000;

type Method<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: R) => void,
) => ClientUnaryCall;
type Choose<Q, R> = (endpoint: Endpoint) => readonly [client: object, method: Method<Q, R>];

export class EtcdStore implements Store {
  #endpoints: readonly Endpoint[];
  readonly #options: EtcdStoreOptions;
  #current = 0;
  #closed = false;
  readonly #watching = new Set<AbortController>();

  constructor(options: EtcdStoreOptions) {
    if (options.endpoints.length === 0) throw new StoreError('invalid', 'no endpoint of etcd is given');
    this.#options = options;
    this.#endpoints = options.endpoints.map((address) => openEndpoint(address, options.tls));
  }

  /** Shown on every connection from now on; calls and watches that are under way stay where they are. */
  renewCertificates(tls: EtcdTls): void {
    if (this.#closed) return;
    const old = this.#endpoints;
    this.#endpoints = old.map(({ address }) => openEndpoint(address, tls));
    for (const endpoint of old) endpoint.close();
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

  async leaseGrant(
    request: { readonly id?: bigint; readonly ttl_s: number },
    options?: StoreCallOptions,
  ): Promise<{ id: bigint; ttl_s: number }> {
    const wanted = { ID: request.id ?? 0n, TTL: BigInt(Math.max(1, Math.ceil(request.ttl_s))) };
    const { ID, TTL } = await this.#write(({ lease }) => [lease, lease.leaseGrant], wanted, options);
    return { id: ID, ttl_s: TTL };
  }

  /** One keep-alive on a stream of its own: the API has no unary call for it. */
  async leaseKeepAlive(id: bigint, options: StoreCallOptions = {}): Promise<{ ttl_s: number }> {
    this.#check(options);
    const endpoint = this.#endpoint;
    const stream = endpoint.lease.leaseKeepAlive(new Metadata(), { deadline: this.#deadline() });
    const onAbort = () => stream.cancel();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await new Promise<LeaseKeepAliveResponse>((resolve, reject) => {
        stream
          .once('data', resolve)
          .once('error', reject)
          .once('end', () => reject(new StoreError('unknown-outcome', 'etcd closed the stream')));
        stream.write({ ID: id });
      });
      if (answer.TTL <= 0) throw leaseNotFoundError();
      return { ttl_s: answer.TTL };
    } catch (error) {
      this.#rotateAfter(error, endpoint);
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
    await this.#write(({ kv }) => [kv, kv.compact], { revision: BigInt(revision), physical: false }, options);
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
    for (const endpoint of this.#endpoints) endpoint.close();
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
        onBroken: (endpoint) => this.#leave(endpoint),
        writeMark: (mark) =>
          this.#write(({ kv }) => [kv, kv.put], putMark(mark), { signal: controller.signal }).then(
            () => undefined,
            () => undefined,
          ),
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

  /** Many calls may find the same endpoint dead: the first of them moves on, for all. */
  #leave(endpoint: Endpoint): void {
    if (this.#endpoint === endpoint) this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  #rotateAfter(error: unknown, endpoint: Endpoint): void {
    if (isRetryable(error)) this.#leave(endpoint);
  }

  #deadline(): Date {
    return new Date(this.#options.clock.now() + (this.#options.timeout_ms ?? TIMEOUT_MS));
  }

  #check(options?: StoreCallOptions): void {
    if (this.#closed) throw closedError();
    if (options?.signal?.aborted === true) throw new StoreError('unavailable', 'the call was aborted before it began');
  }

  /** A read may be asked of every endpoint in turn. */
  #read<Q, R>(choose: Choose<Q, R>, request: Q, options: StoreCallOptions = {}): Promise<R> {
    return this.#ask(choose, { request, writes: false }, options);
  }

  /**
   * A write that failed on its way is not asked again: whether it has happened, nobody here knows. One that never left
   * is.
   */
  #write<Q, R>(choose: Choose<Q, R>, request: Q, options: StoreCallOptions = {}): Promise<R> {
    return this.#ask(choose, { request, writes: true }, options);
  }

  async #ask<Q, R>(
    choose: Choose<Q, R>,
    { request, writes }: { readonly request: Q; readonly writes: boolean },
    options: StoreCallOptions,
  ): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      this.#check(options);
      const endpoint = this.#endpoint;
      try {
        return await this.#call(choose(endpoint), request, options);
      } catch (error) {
        this.#rotateAfter(error, endpoint);
        const failure = toStoreError(error, writes);
        const again = writes ? failure.code === 'unavailable' : isRetryable(error);
        if (!again || attempt >= this.#endpoints.length || options.signal?.aborted === true) throw failure;
      }
    }
  }

  #call<Q, R>([client, method]: ReturnType<Choose<Q, R>>, request: Q, { signal }: StoreCallOptions): Promise<R> {
    return new Promise((resolve, reject) => {
      const call = method.call(
        client,
        request,
        new Metadata(),
        { deadline: this.#deadline() },
        (error: ServiceError | null, response: R) => {
          signal?.removeEventListener('abort', onAbort);
          if (error === null) resolve(response);
          else reject(error);
        },
      );
      const onAbort = () => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function header(given: ResponseHeader | undefined): ResponseHeader {
  if (given === undefined) throw new StoreError('unavailable', 'etcd answered without a header');
  return given;
}
