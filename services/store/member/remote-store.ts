/** The store as the main thread has it: a KvBackend whose member runs behind a message port. */
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../../platform/clock.js';
import { RaftError } from '../../../raft/contract.js';
import type { Membership, MembershipChange, NodeId, RaftErrorCode, RaftStatus } from '../../../raft/contract.js';
import type { Random } from '../../../platform/random.js';
import type { KvBackend, LeaseInfoOptions, PutResult, SaveOptions, StoreHead } from '../backend/backend.js';
import type { KvWatch, WatchHandle, WatchSink } from '../watch/sink.js';
import { ByteReader } from '../bytes.js';
import type { ByteWriter } from '../bytes.js';
import { decodeKvs, decodeTxn } from '../mvcc/encoded-kvs.js';
import type { EncodedKvs, EncodedRange, EncodedTxn, Releasable } from '../mvcc/encoded-kvs.js';
import { closedError, emptyKeyError, revisionOf } from '../errors.js';
import { newLeaseId } from '../lease-id.js';
import { writeCommand, writeRange } from '../mvcc/commands.js';
import type { Alarm } from '../mvcc/alarms.js';
import type {
  Command,
  CommandResultOf,
  HashResult,
  KvPut,
  KvRange,
  KvTxn,
  KvTxnResult,
  LeaseInfo,
} from '../mvcc/operations.js';
import { isReadOnly } from '../mvcc/txn.js';
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
import { iterateWatch } from '../watch/iterate.js';
import { WholeRevisions } from '../watch/parts.js';
import { packCall, unpackCall, unpackIds } from './calls.js';
import type { CallName, Calls } from './calls.js';
import { Ahead, readBatch, readError, readRangeResult, readResult, REQUEST, RESPONSE, writeWatch } from './frames.js';
import { messageBytes, Outbox } from './outbox.js';
import type { PortMessage } from './outbox.js';

type Result = CommandResultOf<EncodedKvs> & Releasable;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: StoreError) => void;
  /** Whether a lost answer leaves it open what happened. */
  readonly writes: boolean;
}

export interface RemoteStoreOptions {
  readonly port: MessagePort;
  readonly clock: Clock;
  readonly random: Random;
  /** The member has stopped for good: disk or corruption. */
  readonly onFatal: (error: Error) => void;
}

export class RemoteStore implements KvBackend {
  readonly #port: MessagePort;
  readonly #outbox: Outbox;
  readonly #random: Random;
  readonly #onFatal: (error: Error) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #watches = new Map<number, WatchSink>();
  /** Of those that wait: what came ahead of their results. */
  readonly #ahead = new Map<number, Ahead>();
  #lastBatch: WatchBatch | undefined;
  #nextId = 1;
  #revision = revisionOf(0);
  #head: StoreHead = { clusterId: 0n, memberId: 0n, term: 0 };
  #closed: Promise<void> | undefined;
  /** The member's thread has ended. */
  #gone = false;

  constructor(options: RemoteStoreOptions) {
    this.#port = options.port;
    this.#outbox = new Outbox(options.port, options.clock);
    this.#random = options.random;
    this.#onFatal = options.onFatal;
    this.#port.on('message', (message: PortMessage) => this.#onMessage(message));
  }

  get revision(): Revision {
    return this.#revision;
  }

  get head(): StoreHead {
    return this.#head;
  }

  // Store

  async range(request: KvRange, options?: StoreCallOptions): Promise<RangeResult> {
    const { release, ...range } = await this.rangeEncoded(request, options);
    release?.();
    return { ...range, kvs: decodeKvs(range.kvs) };
  }

  rangeEncoded(request: KvRange, options?: StoreCallOptions): Promise<EncodedRange> {
    if (request.key.length === 0) return Promise.reject(emptyKeyError());
    return this.#ask<EncodedRange>(REQUEST.range, (writer) => writeRange(writer, request), {
      ...options,
      writes: false,
    });
  }

  async put(put: KvPut, options?: StoreCallOptions): Promise<PutResult> {
    const result = await this.#propose({ kind: 'put', put }, options);
    if (result.kind !== 'put') throw unexpected(result);
    return result;
  }

  async kvTxn(txn: KvTxn, options?: StoreCallOptions): Promise<KvTxnResult> {
    const { release, ...result } = await this.kvTxnEncoded(txn, options);
    release?.();
    return decodeTxn(result);
  }

  async kvTxnEncoded(txn: KvTxn, options?: StoreCallOptions): Promise<EncodedTxn> {
    const result = isReadOnly(txn)
      ? await this.#ask<Result>(REQUEST.readTxn, (writer) => writeCommand(writer, { kind: 'txn', txn }), {
          ...options,
          writes: false,
        })
      : await this.#propose({ kind: 'txn', txn }, options);
    if (result.kind !== 'txn') throw unexpected(result);
    return { ...result.txn, release: result.release };
  }

  async txn(txn: TxnRequest, options?: StoreCallOptions): Promise<TxnResult> {
    // Without nested transactions in, there are none out.
    return (await this.kvTxn(txn, options)) as TxnResult;
  }

  async compact(revision: Revision, options?: StoreCallOptions): Promise<void> {
    await this.#propose({ kind: 'compact', revision }, options);
  }

  readRevision(options?: StoreCallOptions): Promise<Revision> {
    return this.#ask<Revision>(REQUEST.readRevision, undefined, { ...options, writes: false });
  }

  watch(request: KvWatch, options: { readonly signal: AbortSignal }): AsyncIterable<WatchBatch> {
    return iterateWatch((wanted, sink) => this.openWatch(wanted, sink), request, options.signal);
  }

  openWatch(request: KvWatch, sink: WatchSink): WatchHandle {
    if (this.#closed !== undefined) throw closedError();
    const id = this.#nextId++;
    this.#watches.set(id, sink.takesParts === true ? sink : new WholeRevisions(sink));
    this.#outbox.send(id, REQUEST.watch, (writer) => writeWatch(writer, request));
    return {
      grant: (batches) => this.#outbox.send(id, REQUEST.grant, (writer) => writer.varint(batches)),
      requestProgress: () => this.#outbox.send(id, REQUEST.progress),
      cancel: () => {
        if (this.#watches.delete(id)) this.#outbox.send(id, REQUEST.cancel);
      },
    };
  }

  async leaseGrant(
    request: { readonly id?: bigint; readonly ttl_s: number },
    options?: StoreCallOptions,
  ): Promise<{ id: bigint; ttl_s: number }> {
    const id = request.id === undefined || request.id === 0n ? newLeaseId(this.#random) : request.id;
    return this.#lease({ kind: 'lease-grant', id, ttl_s: Math.max(0, Math.ceil(request.ttl_s)) }, options);
  }

  async leaseKeepAlive(id: bigint, options?: StoreCallOptions): Promise<{ ttl_s: number }> {
    const result = await this.#ask<Result>(REQUEST.keepAlive, (writer) => writer.i64(id), { ...options, writes: true });
    if (result.kind !== 'lease') throw unexpected(result);
    return result;
  }

  async leaseRevoke(id: bigint, options?: StoreCallOptions): Promise<void> {
    await this.#propose({ kind: 'lease-revoke', id }, options);
  }

  leaseInfo(id: bigint, { keys = true }: LeaseInfoOptions = {}): Promise<LeaseInfo> {
    return this.#call('leaseInfo', { id, keys });
  }

  async leases(): Promise<readonly bigint[]> {
    return unpackIds(await this.#call('leases', undefined));
  }

  alarms(): Promise<readonly Alarm[]> {
    return this.#call('alarms', undefined);
  }

  changeAlarm(action: 'raise' | 'clear', alarm: Alarm): Promise<undefined> {
    return this.#call('changeAlarm', { action, alarm });
  }

  reclaim(): Promise<undefined> {
    return this.#call('reclaim', undefined);
  }

  async *saveSnapshot(options?: SaveOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const id = await this.#call('saveBegin', options?.format);
    try {
      for (
        let chunk = await this.#call('saveNext', id);
        chunk !== undefined && chunk !== null;
        chunk = await this.#call('saveNext', id)
      ) {
        if (options?.signal?.aborted === true) return;
        yield chunk;
      }
    } finally {
      // A member that is gone has let go of it.
      await this.#call('saveEnd', id).catch(() => undefined);
    }
  }

  hash(revision: number): Promise<HashResult> {
    return this.#call('hash', revision);
  }

  status(): Promise<StoreStatus> {
    return this.#call('status', undefined);
  }

  raftStatus(): Promise<RaftStatus> {
    return this.#call('raftStatus', undefined);
  }

  transferLeadership(to: NodeId): Promise<undefined> {
    return this.#call('transferLeadership', to);
  }

  changeMembership(change: MembershipChange): Promise<Membership> {
    return this.#call('changeMembership', change);
  }

  /** Stops the member; whatever waits fails. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const done = this.#send<undefined>(REQUEST.call, (writer) => writer.raw(Buffer.from(packCall({ name: 'close' }))), {
      writes: false,
    });
    try {
      await done;
    } catch (error) {
      // The thread's end may be heard of before its last message.
      if (!this.#gone) throw error;
    } finally {
      this.#abandon(closedError());
      this.#outbox.close();
      this.#port.close();
    }
  }

  /** The other side is gone: everything that waits is told. */
  abandon(error: Error): void {
    this.#gone = true;
    this.#closed ??= Promise.resolve();
    this.#outbox.close();
    this.#abandon(new StoreError('unavailable', error.message));
  }

  #abandon(error: StoreError): void {
    for (const { reject, writes } of this.#pending.values()) {
      reject(
        writes ? new StoreError('unknown-outcome', `${error.message}; whether the write happened is not known`) : error,
      );
    }
    this.#pending.clear();
    for (const sink of this.#watches.values()) sink.onEnd(error);
    this.#watches.clear();
  }

  // Frames

  async #lease(command: Command, options?: StoreCallOptions): Promise<{ id: bigint; ttl_s: number }> {
    const result = await this.#propose(command, options);
    if (result.kind !== 'lease') throw unexpected(result);
    return result;
  }

  #propose(command: Command, options?: StoreCallOptions): Promise<Result> {
    return this.#ask<Result>(REQUEST.propose, (writer) => writeCommand(writer, command), { ...options, writes: true });
  }

  #call<N extends CallName>(name: N, argument: Calls[N][0]): Promise<Calls[N][1]> {
    const text = Buffer.from(packCall({ name, argument }));
    return this.#ask(REQUEST.call, (writer) => writer.raw(text), {
      writes: name === 'changeMembership' || name === 'changeAlarm',
    });
  }

  #ask<T>(
    type: number,
    write: ((writer: ByteWriter) => void) | undefined,
    options: StoreCallOptions & { readonly writes: boolean },
  ): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError());
    return this.#send(type, write, options);
  }

  #send<T>(
    type: number,
    write: ((writer: ByteWriter) => void) | undefined,
    options: StoreCallOptions & { readonly writes: boolean },
  ): Promise<T> {
    const { signal, writes } = options;
    if (signal?.aborted === true)
      return Promise.reject(new StoreError('unavailable', 'the call was aborted before it began'));
    return new Promise<T>((resolve, reject) => {
      const id = this.#nextId++;
      try {
        this.#outbox.send(id, type, write);
      } catch (error) {
        reject(new StoreError('invalid', `the request cannot be written: ${String(error)}`));
        return;
      }
      if (signal === undefined) {
        this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, writes });
        return;
      }
      const onAbort = () => {
        this.#settle(id);
        reject(new StoreError(writes ? 'unknown-outcome' : 'unavailable', 'the call was aborted'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const settle =
        <A>(then: (value: A) => void) =>
        (value: A) => {
          signal.removeEventListener('abort', onAbort);
          then(value);
        };
      this.#pending.set(id, { resolve: settle(resolve as (value: unknown) => void), reject: settle(reject), writes });
    });
  }

  #onMessage(message: PortMessage): void {
    const reader = new ByteReader(messageBytes(message));
    while (reader.remaining > 0) {
      const frame = reader.raw(reader.u32());
      this.#onFrame(frame.readUInt32LE(0), frame[4] ?? 0, new ByteReader(frame, 5));
    }
  }

  #onFrame(id: number, type: number, reader: ByteReader): void {
    switch (type) {
      case RESPONSE.result: {
        const pending = this.#awaiting(id);
        if (pending === undefined) break;
        const result = readResult(reader, this.#aheadOf(id));
        this.#saw(result.kind === 'txn' ? result.txn.revision : result.revision);
        pending.resolve({ ...result, release: this.#keepPages(id) });
        break;
      }
      case RESPONSE.range: {
        const pending = this.#awaiting(id);
        if (pending === undefined) break;
        const range = readRangeResult(reader, this.#aheadOf(id));
        this.#saw(range.revision);
        pending.resolve({ ...range, release: this.#keepPages(id) });
        break;
      }
      case RESPONSE.revision: {
        const revision = revisionOf(reader.varint());
        this.#saw(revision);
        this.#settle(id)?.resolve(revision);
        break;
      }
      case RESPONSE.json: {
        const { rest } = this.#aheadOf(id);
        const value = unpackCall(reader.text()) ?? undefined;
        this.#settle(id)?.resolve(rest.length === 0 ? value : withKeys(value as LeaseInfo, rest));
        break;
      }
      case RESPONSE.kvs:
        this.#addAhead(id, reader);
        break;
      case RESPONSE.error:
        this.#settle(id)?.reject(readError(reader));
        break;
      case RESPONSE.batch: {
        const batch = readBatch(reader);
        this.#saw(batch.revision);
        this.#lastBatch = batch;
        this.#watches.get(id)?.onBatch(batch);
        break;
      }
      case RESPONSE.again:
        if (this.#lastBatch === undefined)
          throw new StoreError('corrupt', 'a batch is to be repeated, and there was none');
        this.#watches.get(id)?.onBatch(this.#lastBatch);
        break;
      case RESPONSE.end: {
        const sink = this.#watches.get(id);
        this.#watches.delete(id);
        sink?.onEnd(readError(reader));
        break;
      }
      case RESPONSE.head:
        this.#saw(revisionOf(reader.varint()));
        this.#head = unpackCall(reader.text()) as StoreHead;
        break;
      case RESPONSE.fatal:
        this.#onFatal(fatalError(reader.text()));
        break;
      default:
        throw new StoreError('corrupt', `unknown frame ${type} between threads`);
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#ahead.delete(id)) this.#release(id);
    return pending;
  }

  /** Whoever waits for a result that has come. Nobody: what came ahead of it is given back. */
  #awaiting(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) this.#release(id);
    return pending;
  }

  /**
   * Settles a call whose result keeps the pages that came ahead of it. Returns what gives them back; undefined: there
   * were none.
   */
  #keepPages(id: number): (() => void) | undefined {
    this.#pending.delete(id);
    return this.#ahead.delete(id) ? () => this.#release(id) : undefined;
  }

  #release(id: number): void {
    this.#outbox.send(id, REQUEST.release);
  }

  #aheadOf(id: number): Ahead {
    return this.#ahead.get(id) ?? new Ahead();
  }

  #addAhead(id: number, reader: ByteReader): void {
    // Nobody waits any more.
    if (!this.#pending.has(id)) return;
    const ahead = this.#aheadOf(id);
    this.#ahead.set(id, ahead);
    ahead.add(reader);
  }

  #saw(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
  }
}

/** The keys that came ahead of what is known of a lease. */
const withKeys = (info: LeaseInfo, ahead: EncodedKvs): LeaseInfo => ({
  ...info,
  keys: [...decodeKvs(ahead).map(({ key }) => key), ...info.keys],
});

/** A fault of Raft keeps its code: whoever runs the process must know a removed member from one with a broken disk. */
function fatalError(text: string): Error {
  const { code, message } = unpackCall(text) as { code?: RaftErrorCode; message: string };
  return code === undefined ? new Error(message) : new RaftError(code, message);
}

const unexpected = (result: Result) => new StoreError('corrupt', `a command answered as ${result.kind}`);
