/**
 * A client of one member's etcd API, from the generated code: each call with a deadline and an outcome that says what
 * is known.
 */
import { credentials, Metadata, status, type ClientUnaryCall, type ServiceError } from '@grpc/grpc-js';
import { neverSent } from '../../apimachinery/grpc/status.js';
import { systemClock } from '../../platform/clock.js';
import {
  CompactionRequest,
  HashKVRequest,
  KVClient,
  MaintenanceClient,
  MoveLeaderRequest,
  PutRequest,
  RangeRequest,
  StatusRequest,
  WatchClient,
  type CompactionResponse,
  type HashKVResponse,
  type MoveLeaderResponse,
  type PutResponse,
  type RangeResponse,
  type StatusResponse,
  type TxnRequest,
  type TxnResponse,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { serverNameOptions } from '../../sdk/grpc/server-name.js';
import type { ClientTls } from '../bench/grpc-wire.js';

export type Outcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  /** The member says no; nothing happened. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unknown'; readonly why: string };

const DEADLINE_MS = 4000;
const NO_METADATA = new Metadata();

/** UNAVAILABLE is not among them: a member that lost its leader does not know either. */
const REFUSALS: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
  status.NOT_FOUND,
  status.OUT_OF_RANGE,
  status.RESOURCE_EXHAUSTED,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
]);

const OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 400,
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.max_receive_message_length': 64 << 20,
};

type Callback<A> = (error: ServiceError | null, answer: A) => void;

export class EtcdClient {
  readonly #kv: KVClient;
  readonly #maintenance: MaintenanceClient;
  readonly watches: WatchClient;

  constructor(endpoint: string, tls: ClientTls) {
    const secure = credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert));
    const options = { ...OPTIONS, ...serverNameOptions(endpoint) };
    this.#kv = new KVClient(endpoint, secure, options);
    this.#maintenance = new MaintenanceClient(endpoint, secure, options);
    this.watches = new WatchClient(endpoint, secure, options);
  }

  put(request: Partial<PutRequest>): Promise<Outcome<PutResponse>> {
    return this.#call((options, done) => this.#kv.put(PutRequest.fromPartial(request), NO_METADATA, options, done));
  }

  range(request: Partial<RangeRequest>): Promise<Outcome<RangeResponse>> {
    return this.#call((options, done) => this.#kv.range(RangeRequest.fromPartial(request), NO_METADATA, options, done));
  }

  txn(request: TxnRequest): Promise<Outcome<TxnResponse>> {
    return this.#call((options, done) => this.#kv.txn(request, NO_METADATA, options, done));
  }

  compact(revision: number): Promise<Outcome<CompactionResponse>> {
    return this.#call((options, done) =>
      this.#kv.compact(CompactionRequest.fromPartial({ revision }), NO_METADATA, options, done),
    );
  }

  status(): Promise<Outcome<StatusResponse>> {
    return this.#call(
      (options, done) => this.#maintenance.status(StatusRequest.fromPartial({}), NO_METADATA, options, done),
      1500,
    );
  }

  moveLeader(targetID: bigint): Promise<Outcome<MoveLeaderResponse>> {
    return this.#call((options, done) =>
      this.#maintenance.moveLeader(MoveLeaderRequest.fromPartial({ targetID }), NO_METADATA, options, done),
    );
  }

  hash(revision: number): Promise<Outcome<HashKVResponse>> {
    return this.#call(
      (options, done) => this.#maintenance.hashKv(HashKVRequest.fromPartial({ revision }), NO_METADATA, options, done),
      30_000,
    );
  }

  close(): void {
    this.#kv.close();
    this.#maintenance.close();
    this.watches.close();
  }

  #call<A>(
    work: (options: { deadline: number }, done: Callback<A>) => ClientUnaryCall,
    deadline_ms = DEADLINE_MS,
  ): Promise<Outcome<A>> {
    return new Promise((resolve) => {
      const done: Callback<A> = (error, value) => {
        if (error === null) resolve({ kind: 'ok', value });
        else
          resolve({ kind: REFUSALS.has(error.code) || neverSent(error) ? 'refused' : 'unknown', why: error.details });
      };
      work({ deadline: systemClock.now() + deadline_ms }, done);
    });
  }
}
