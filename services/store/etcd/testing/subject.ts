/**
 * A server of the etcd API under comparison: clients for all services, calls whose answers and refusals become plain
 * data, and watch streams that gather what they are told. Revisions are counted from where a case begins; ids of
 * cluster and member, and terms, are left out.
 */
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import type { CallOptions, Client, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { systemClock } from '../../../../platform/clock.js';
import {
  AuthClient,
  ClusterClient,
  CompactionRequest,
  DeleteRangeRequest,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchClient,
  WatchCreateRequest,
} from '../../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  DeepPartial,
  LeaseKeepAliveResponse,
  RequestOp,
  WatchRequest,
  WatchResponse,
} from '../../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ElectionClient } from '../../../../proto/gen/etcd/v3electionpb/election.js';
import { LockClient } from '../../../../proto/gen/etcd/v3lockpb/lock.js';

type Unary<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: R) => void,
) => unknown;
export type Plain =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Plain[]
  | { readonly [name: string]: Plain };

const CALL_MS = 20_000;
/** So long without an answer, a stream is taken to have said all it has to say. */
const QUIET_MS = 250;
const SETTLED_MS = 40;
const LONG_BYTES = 200;

export const bytes = (text: string) => Buffer.from(text, 'latin1');

const REVISIONS = new Set(['revision', 'createRevision', 'modRevision', 'compactRevision', 'hashRevision', 'rev']);
const LEFT_OUT = new Set(['clusterId', 'memberId', 'raftTerm']);

export class Subject {
  readonly kv: KVClient;
  readonly watch: WatchClient;
  readonly lease: LeaseClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;
  readonly auth: AuthClient;
  readonly lock: LockClient;
  readonly election: ElectionClient;
  readonly #clients: readonly Client[];
  /** The revision at which the case began. */
  base = 0;

  constructor(address: string) {
    const credentials = ChannelCredentials.createInsecure();
    const options = { 'grpc.max_receive_message_length': -1 };
    this.kv = new KVClient(address, credentials, options);
    this.watch = new WatchClient(address, credentials, options);
    this.lease = new LeaseClient(address, credentials, options);
    this.cluster = new ClusterClient(address, credentials, options);
    this.maintenance = new MaintenanceClient(address, credentials, options);
    this.auth = new AuthClient(address, credentials, options);
    this.lock = new LockClient(address, credentials, options);
    this.election = new ElectionClient(address, credentials, options);
    this.#clients = [
      this.kv,
      this.watch,
      this.lease,
      this.cluster,
      this.maintenance,
      this.auth,
      this.lock,
      this.election,
    ];
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** A case begins: revisions are told as their distance from now. */
  async begin(): Promise<void> {
    this.base = 0;
    const answer = await this.call(this.kv, this.kv.range, RangeRequest.fromPartial({ key: bytes('begin') }));
    this.base = answer.header?.revision ?? 0;
  }

  call<Q, R>(client: object, method: Unary<Q, R>, request: Q): Promise<R> {
    return new Promise((resolve, reject) =>
      method.call(client, request, new Metadata(), { deadline: systemClock.now() + CALL_MS }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      ),
    );
  }

  /** The answer as data, or the refusal's code and text. */
  async ask<Q, R>(client: object, method: Unary<Q, R>, request: Q): Promise<Plain> {
    return this.told(this.call(client, method, request));
  }

  async told(answer: Promise<unknown>): Promise<Plain> {
    return answer.then(
      (value) => this.plain(value),
      (error: ServiceError) => ({ code: error.code, details: error.details }),
    );
  }

  range(key: string, more: DeepPartial<RangeRequest> = {}): Promise<Plain> {
    return this.ask(this.kv, this.kv.range, RangeRequest.fromPartial({ key: bytes(key), ...more }));
  }

  put(key: string, value: string, more: Partial<PutRequest> = {}): Promise<Plain> {
    return this.ask(this.kv, this.kv.put, put(key, value, more));
  }

  del(key: string, more: Partial<DeleteRangeRequest> = {}): Promise<Plain> {
    return this.ask(this.kv, this.kv.deleteRange, DeleteRangeRequest.fromPartial({ key: bytes(key), ...more }));
  }

  txn(request: Partial<TxnRequest>): Promise<Plain> {
    return this.ask(this.kv, this.kv.txn, TxnRequest.fromPartial(request));
  }

  compact(revision: number | bigint, physical = false): Promise<Plain> {
    return this.ask(this.kv, this.kv.compact, CompactionRequest.fromPartial({ revision, physical }));
  }

  /** Nothing else may have written: it is `base` and what the case did. */
  at(distance: number): number {
    return this.base + distance;
  }

  async keepAlive(...ids: readonly bigint[]): Promise<Plain> {
    const stream = this.lease.leaseKeepAlive(new Metadata(), { deadline: systemClock.now() + CALL_MS });
    for (const ID of ids) stream.write({ ID });
    stream.end();
    return this.told(
      (async () => {
        const answers: LeaseKeepAliveResponse[] = [];
        for await (const answer of stream as AsyncIterable<LeaseKeepAliveResponse>) answers.push(answer);
        return answers;
      })(),
    );
  }

  openWatch(): WatchTape {
    return new WatchTape(this.watch.watch(), this);
  }

  plain(value: unknown): Plain {
    if (Buffer.isBuffer(value)) return value.length > LONG_BYTES ? `${value.length} bytes` : value.toString('latin1');
    if (typeof value === 'bigint') return value.toString();
    if (Array.isArray(value)) return value.map((one) => this.plain(one));
    if (value === null || typeof value !== 'object') return value as Plain;
    const entries = Object.entries(value)
      .filter(([name]) => !LEFT_OUT.has(name))
      .map(([name, one]): [string, Plain] => {
        const revision = REVISIONS.has(name) && (typeof one === 'number' || typeof one === 'bigint') ? Number(one) : 0;
        return [name, revision === 0 ? this.plain(one) : `base+${revision - this.base}`];
      });
    return Object.fromEntries(entries);
  }
}

const put = (key: string, value: string, more: Partial<PutRequest> = {}) =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value), ...more });

export const ops = {
  put: (key: string, value: string, more: Partial<PutRequest> = {}): RequestOp => ({
    request: { $case: 'requestPut', value: put(key, value, more) },
  }),
  range: (key: string, more: DeepPartial<RangeRequest> = {}): RequestOp => ({
    request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key: bytes(key), ...more }) },
  }),
  del: (key: string, more: Partial<DeleteRangeRequest> = {}): RequestOp => ({
    request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.fromPartial({ key: bytes(key), ...more }) },
  }),
  txn: (request: Partial<TxnRequest>): RequestOp => ({
    request: { $case: 'requestTxn', value: TxnRequest.fromPartial(request) },
  }),
};

/** What one watch stream was told. */
export class WatchTape {
  readonly #stream: ClientDuplexStream<WatchRequest, WatchResponse>;
  readonly #plain: (value: unknown) => Plain;
  readonly #base: () => number;
  readonly responses: WatchResponse[] = [];
  #heard_ms = systemClock.monotonic();
  #end: Plain = 'open';

  constructor(stream: ClientDuplexStream<WatchRequest, WatchResponse>, subject: Pick<Subject, 'plain' | 'base'>) {
    this.#stream = stream;
    this.#plain = (value) => subject.plain(value);
    this.#base = () => subject.base;
    stream.on('data', (response: WatchResponse) => {
      this.responses.push(response);
      this.#heard_ms = systemClock.monotonic();
    });
    stream.on('error', (error: ServiceError) => (this.#end = { code: error.code, details: error.details }));
    stream.on('end', () => (this.#end = this.#end === 'open' ? 'ended' : this.#end));
  }

  async create(request: DeepPartial<WatchCreateRequest>): Promise<void> {
    await this.#answered({ requestUnion: { $case: 'createRequest', value: WatchCreateRequest.fromPartial(request) } });
  }

  async cancel(watchId: bigint): Promise<void> {
    this.#stream.write({ requestUnion: { $case: 'cancelRequest', value: { watchId } } });
    await this.quiet();
  }

  async progress(): Promise<void> {
    await this.#answered({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  /** Both servers answer each of these, and say at once what else there is to say. */
  async #answered(request: WatchRequest): Promise<void> {
    const before = this.responses.length;
    const asked_ms = systemClock.monotonic();
    this.#stream.write(request);
    while (this.responses.length === before && systemClock.monotonic() - asked_ms < CALL_MS) await systemClock.sleep(5);
    await this.quiet(SETTLED_MS);
  }

  /** Waits until nothing more comes. */
  async quiet(quiet_ms = QUIET_MS): Promise<void> {
    this.#heard_ms = systemClock.monotonic();
    while (systemClock.monotonic() - this.#heard_ms < quiet_ms) await systemClock.sleep(20);
  }

  /**
   * By watch, in order. Events are told one by one: how many come together is the server's choice, and so is the
   * revision in the header of the message that brings them.
   */
  async tell(): Promise<Plain> {
    await this.quiet();
    this.#stream.cancel();
    const told = new Map<bigint, Plain[]>();
    for (const { watchId, events, header, fragment: _fragment, ...rest } of this.responses) {
      const of = told.get(watchId) ?? [];
      told.set(watchId, of);
      // Here a watch that is too old is told why in words too; there the compact revision has to do.
      if (rest.canceled && rest.compactRevision > 0)
        of.push({ canceled: true, compactRevision: `base+${rest.compactRevision - this.#base()}` });
      else if (events.length > 0) of.push(...events.map((event) => this.#plain(event)));
      else of.push(this.#plain({ ...rest, revision: header?.revision ?? 0 }));
    }
    return { watches: Object.fromEntries([...told].map(([id, list]) => [String(id), list])), end: this.#end };
  }
}
