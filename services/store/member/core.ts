/**
 * A member of the replicated store, on the thread where its Raft runs: commands go through the log, reads wait for
 * ReadIndex, watches are served from this replica. It is a KvBackend itself: what the thread's host serves over the
 * port, and what a cluster inside a test uses as it is.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../../platform/clock.js';
import type { DiskReserve } from '../../../platform/disk/reserve.js';
import type { Random } from '../../../platform/random.js';
import type { Slices } from '../../../platform/slices.js';
import type {
  LogIndex,
  Membership,
  MembershipChange,
  NodeId,
  RaftEvents,
  RaftMember,
  RaftStatus,
} from '../../../raft/contract.js';
import type { KvBackend, LeaseInfoOptions, PutResult, SaveOptions, StoreHead } from '../backend/backend.js';
import type { KvWatch, WatchHandle, WatchSink } from '../watch/sink.js';
import type { KvStateMachine } from '../disk/state-machine.js';
import { encodeRange, encodeTxn } from '../mvcc/encoded-kvs.js';
import type { EncodedRange, EncodedTxn } from '../mvcc/encoded-kvs.js';
import { closedError, fencedError, leaseNotFoundError, revisionOf, tooLargeError } from '../errors.js';
import { LeaseExpiry } from '../backend/lease-expiry.js';
import { newLeaseId } from '../lease-id.js';
import { LIMITS } from '../limits.js';
import type { Alarm } from '../mvcc/alarms.js';
import {
  decodeCommand,
  encodeCommand,
  expireCommand,
  isAlarm,
  isPut,
  levelOf,
  RENEWAL_LEVEL,
} from '../mvcc/commands.js';
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
import type { ReadResult } from '../mvcc/range.js';
import { isReadOnly, isSerializable } from '../mvcc/txn.js';
import { unpackResult } from '../mvcc/packed-results.js';
import { StoreError } from '../store.js';
import type { Revision, StoreCallOptions, StoreStatus, TxnRequest, TxnResult, WatchBatch } from '../store.js';
import { encodeEtcdSnapshot } from '../snapshot/etcd-file.js';
import { encodeSnapshot } from '../snapshot/format.js';
import { iterateWatch } from '../watch/iterate.js';
import { AutoCompaction } from './auto-compaction.js';
import type { AutoCompactionOptions } from './auto-compaction.js';
import { DiskGuard } from './disk-guard.js';
import { HashCheck } from './hash-check.js';
import { LongReads } from './long-reads.js';
import type { SpillOptions } from './long-reads.js';
import type { HashCommand } from './hash-check.js';
import { Quota } from './quota.js';
import { readErrorOf, storeErrorOf } from './raft-errors.js';
import { Renewals } from './renewals.js';

/** Starts Raft over a state machine; how it listens, where its log lies is the factory's. */
export type RaftFactory = (machine: KvStateMachine, events: RaftEvents) => Promise<RaftMember>;

export interface MemberCoreOptions {
  readonly machine: KvStateMachine;
  readonly startRaft: RaftFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly autoCompaction?: AutoCompactionOptions;
  readonly quota_bytes?: number;
  /** Longest command; see LIMITS. */
  readonly request_bytes?: number;
  readonly hashCheck_ms?: number;
  readonly reserve?: DiskReserve;
  /** Long reads take this much of a turn of the event loop. */
  readonly turn_ms?: number;
  /** Leader, term or leadership changed. */
  readonly onHead?: (head: StoreHead) => void;
  readonly onFatal?: (error: Error) => void;
}

type LeaseResult = Extract<CommandResult, { kind: 'lease' }>;

const SAVE_POLL_MS = 20;
/** Leases that end by one command. */
const EXPIRE_MAX = 1000;

export class MemberCore implements KvBackend {
  readonly #machine: KvStateMachine;
  readonly #random: Random;
  readonly #options: MemberCoreOptions;
  readonly #expiry: LeaseExpiry;
  readonly #renewals: Renewals;
  readonly #compaction: AutoCompaction | undefined;
  readonly #quota: Quota;
  readonly #hashCheck: HashCheck;
  readonly #disk: DiskGuard | undefined;
  readonly #long: LongReads;
  #raft: RaftMember | undefined;
  #head: StoreHead = { clusterId: 0n, memberId: 0n, term: 0 };
  /** The term this member leads in; undefined when it does not. */
  #leading: number | undefined;
  #readIndex: Promise<LogIndex> | undefined;

  private constructor(options: MemberCoreOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.#random = options.random;
    this.#long = new LongReads({
      clock: options.clock,
      turn_ms: options.turn_ms ?? LIMITS.turn_ms,
      state: () => options.machine.state,
      check: ({ signal }) => {
        if (signal?.aborted === true) throw abortedError();
        this.#checkOpen();
      },
    });
    this.#expiry = new LeaseExpiry({
      clock: options.clock,
      leases: options.machine.state.leases,
      expire: (ended) => this.#proposeLeading((term) => expireCommand(term, ended)),
      expireMax: () => (this.#mayPropose('leases-expire') ? EXPIRE_MAX : 1),
      checkpoint: (remaining) => this.#proposeLeading((term) => ({ kind: 'lease-checkpoint', term, remaining })),
    });
    this.#renewals = new Renewals({
      expiry: this.#expiry,
      leases: () => options.machine.state.leases,
      isAgreed: () => this.#level >= RENEWAL_LEVEL,
      confirm: () => this.#waitReadIndex(),
      ask: (question) => this.#member.askLeader(question),
    });
    this.#quota = new Quota({
      quota_bytes: options.quota_bytes ?? LIMITS.quota_bytes,
      clock: options.clock,
      state: () => ({ size_bytes: options.machine.state.mvcc.size_bytes, alarms: options.machine.state.alarms.all }),
      member: () => this.#head.memberId,
      change: (action, alarm) => this.changeAlarm(action, alarm),
    });
    this.#disk =
      options.reserve === undefined
        ? undefined
        : new DiskGuard({
            reserve: options.reserve,
            clock: options.clock,
            self: () => this.#head.memberId,
            alarms: () => options.machine.state.alarms.all,
            change: (action, alarm) => this.changeAlarm(action, alarm),
          });
    this.#hashCheck = new HashCheck({
      interval_ms: options.hashCheck_ms ?? LIMITS.hashCheck_ms,
      clock: options.clock,
      state: () => options.machine.state,
      self: () => this.#head.memberId,
      voters: () => this.raftStatus().membership.voters.map(BigInt),
      propose: (command) => this.propose(command),
      stepAside: () => this.#stepAside(),
    });
    options.machine.onHash = (data, term) => this.#hashCheck.applied(decodeCommand(data) as HashCommand, term);
    options.machine.onBroken = (error) => options.onFatal?.(error);
    options.machine.onReplaced = (state) => this.#expiry.follow(state.leases);
    this.#compaction =
      options.autoCompaction === undefined
        ? undefined
        : new AutoCompaction({ ...options.autoCompaction, clock: options.clock, store: this });
  }

  static async start(options: MemberCoreOptions): Promise<MemberCore> {
    const core = new MemberCore(options);
    core.#raft = await options.startRaft(options.machine, {
      onLeadership: (status) => core.#onLeadership(status),
      onQuestion: (question) => core.#renewals.answer(question),
      onFatal: (error) => options.onFatal?.(error),
    });
    core.#refreshHead();
    core.#disk?.start();
    return core;
  }

  get head(): StoreHead {
    return this.#head;
  }

  get revision(): Revision {
    return revisionOf(this.#machine.state.mvcc.revision);
  }

  // Writes

  /** Replicates an encoded command; long lists in its result are packed. Rejects with StoreError alone. */
  async proposeBytes(data: Uint8Array, options?: StoreCallOptions): Promise<CommandResult> {
    if (data.length > (this.#options.request_bytes ?? LIMITS.request_bytes)) throw tooLargeError();
    if (!isAlarm(data)) this.#checkFence();
    if (isPut(data)) this.#checkRoom();
    let result: unknown;
    try {
      result = await this.#member.propose(data, options);
    } catch (error) {
      throw storeErrorOf(error);
    }
    if (result instanceof StoreError) throw result;
    return result as CommandResult;
  }

  #checkRoom(): void {
    this.#quota.check();
    this.#disk?.check();
  }

  async propose(command: Command, options?: StoreCallOptions): Promise<CommandResult> {
    return unpackResult(await this.proposeBytes(encodeCommand(command), options));
  }

  async put(put: KvPut, options?: StoreCallOptions): Promise<PutResult> {
    return expectKind(await this.propose({ kind: 'put', put }, options), 'put');
  }

  async kvTxn(txn: KvTxn, options?: StoreCallOptions): Promise<KvTxnResult> {
    if (isReadOnly(txn)) return this.readTxn(txn, options);
    return expectKind(await this.propose({ kind: 'txn', txn }, options), 'txn').txn;
  }

  async txn(txn: TxnRequest, options?: StoreCallOptions): Promise<TxnResult> {
    // Without nested transactions in, there are none out.
    return (await this.kvTxn(txn, options)) as TxnResult;
  }

  async compact(revision: Revision, options?: StoreCallOptions): Promise<void> {
    await this.propose({ kind: 'compact', revision }, options);
  }

  async kvTxnEncoded(txn: KvTxn, options?: StoreCallOptions): Promise<EncodedTxn> {
    return encodeTxn(await this.kvTxn(txn, options));
  }

  // Reads

  async rangeEncoded(request: KvRange, options?: StoreCallOptions): Promise<EncodedRange> {
    return encodeRange(await this.range(request, options));
  }

  async range(request: KvRange, options?: SpillOptions): Promise<ReadResult> {
    if (request.serializable !== true) await this.#waitReadIndex();
    else this.#checkOpen();
    if (options?.signal?.aborted === true) throw abortedError();
    if (request.rangeEnd === undefined) return this.#machine.state.range(request);
    return this.#long.read((state, spill) => state.rangeSlices(request, spill), options);
  }

  /** A transaction that writes nothing goes the way of reads: no log entry, no other member has work with it. */
  async readTxn(txn: KvTxn, options?: SpillOptions): Promise<KvTxnResult> {
    if (isSerializable(txn)) this.#checkOpen();
    else await this.#waitReadIndex();
    return this.#long.read((state, spill) => state.readSlices(txn, spill), options);
  }

  /** Other work that would hold the thread too long, in the same turns as reads. */
  longWork<T>(slices: Slices<T>): Promise<T> {
    return this.#long.do(slices);
  }

  async readRevision(): Promise<Revision> {
    await this.#waitReadIndex();
    return this.revision;
  }

  async hash(revision: number): Promise<HashResult> {
    this.#checkOpen();
    return this.#long.read((state) => state.hashSlices(revision));
  }

  watch(request: KvWatch, options: { readonly signal: AbortSignal }): AsyncIterable<WatchBatch> {
    return iterateWatch((wanted, sink) => this.openWatch(wanted, sink), request, options.signal);
  }

  openWatch(request: KvWatch, sink: WatchSink): WatchHandle {
    this.#checkOpen();
    return this.#machine.hub.watch(request, sink);
  }

  // Leases

  async leaseGrant(
    request: { readonly id?: bigint; readonly ttl_s: number },
    options?: StoreCallOptions,
  ): Promise<{ id: bigint; ttl_s: number }> {
    const id = request.id === undefined || request.id === 0n ? newLeaseId(this.#random) : request.id;
    const ttl_s = Math.max(0, Math.ceil(request.ttl_s));
    return expectKind(await this.propose({ kind: 'lease-grant', id, ttl_s }, options), 'lease');
  }

  /** In the leader's memory if nothing speaks against it (renewals.ts), or else through the log. */
  async leaseKeepAlive(id: bigint, options?: StoreCallOptions): Promise<LeaseResult> {
    this.#checkOpen();
    const renewal = await this.#renewals.renew(id);
    if (renewal.kind === 'gone') throw leaseNotFoundError();
    if (renewal.kind === 'renewed') return { kind: 'lease', id, ttl_s: renewal.ttl_s, revision: this.revision };
    return expectKind(await this.propose({ kind: 'lease-keep-alive', id }, options), 'lease');
  }

  async leaseRevoke(id: bigint, options?: StoreCallOptions): Promise<void> {
    await this.propose({ kind: 'lease-revoke', id }, options);
  }

  async leaseInfo(id: bigint, options: LeaseInfoOptions & SpillOptions = {}): Promise<LeaseInfo> {
    await this.#waitReadIndex();
    await this.#machine.settled();
    const lease = this.#machine.state.leases.get(id);
    if (lease === undefined) return { id, grantedTtl_s: 0, ttl_s: -1, keys: [] };
    const facts = {
      id,
      grantedTtl_s: lease.ttl_s,
      ttl_s: await this.#renewals.remaining_s(id).catch((error: unknown) => Promise.reject(readErrorOf(error))),
    };
    const { keys = true } = options;
    return { ...facts, keys: keys ? await this.#long.read((state, spill) => state.leaseKeys(id, spill), options) : [] };
  }

  async leases(): Promise<readonly bigint[]> {
    await this.#waitReadIndex();
    await this.#machine.settled();
    return this.#long.read((state) => state.leaseIds());
  }

  // Alarms

  async alarms(): Promise<readonly Alarm[]> {
    await this.#confirmRead();
    return this.#machine.state.alarms.all;
  }

  async changeAlarm(action: 'raise' | 'clear', alarm: Alarm): Promise<void> {
    await this.propose({ kind: 'alarm', action, alarm });
  }

  async reclaim(): Promise<void> {
    this.#checkOpen();
    await this.#machine.reclaim();
  }

  async *saveSnapshot(options?: SaveOptions): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#waitReadIndex();
    const { clock } = this.#options;
    const machine = this.#machine;
    // What is applied becomes durable within moments, by itself.
    for (
      const index = machine.appliedIndex;
      machine.durableIndex < index;
      await clock.sleep(SAVE_POLL_MS, options?.signal)
    )
      this.#checkOpen();
    if (options?.format === 'etcd') yield* this.#saveForEtcd(options);
    else yield* this.#saveOwn(options);
  }

  async *#saveOwn(options: SaveOptions | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = await this.#machine.openSnapshot();
    try {
      const { index, term, revision, compactRevision } = reader.meta;
      const { clusterId } = this.raftStatus();
      for await (const chunk of encodeSnapshot(
        { clusterId, index, term, revision, compactRevision },
        reader.chunks(),
      )) {
        if (options?.signal?.aborted === true) throw abortedError();
        yield chunk;
      }
    } finally {
      await reader.close();
    }
  }

  async *#saveForEtcd({ signal }: SaveOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const view = await this.#machine.openView();
    try {
      for await (const chunk of encodeEtcdSnapshot(view, view.meta)) {
        if (signal?.aborted === true) throw abortedError();
        yield chunk;
      }
    } finally {
      await view.close();
    }
  }

  // The member

  async status(): Promise<StoreStatus> {
    const raft = this.raftStatus();
    const { mvcc } = this.#machine.state;
    return {
      driver: 'member',
      clusterId: raft.clusterId,
      memberId: idText(raft.id),
      leaderId: raft.leader === undefined ? undefined : idText(raft.leader),
      term: raft.term,
      revision: this.revision,
      compactRevision: revisionOf(mvcc.compactRevision),
      appliedIndex: this.#machine.appliedIndex,
      dbSize_bytes: mvcc.size_bytes,
      dbAllocated_bytes: Math.max(mvcc.size_bytes, await this.#machine.diskSize_bytes()),
      quota_bytes: this.#options.quota_bytes ?? LIMITS.quota_bytes,
      alarms: this.#machine.state.alarms.all,
    };
  }

  raftStatus(): RaftStatus {
    return this.#member.status();
  }

  async transferLeadership(to: NodeId): Promise<void> {
    try {
      await this.#member.transferLeadership(to);
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  async changeMembership(change: MembershipChange): Promise<Membership> {
    try {
      return await this.#member.changeMembership(change);
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  async close(): Promise<void> {
    const raft = this.#raft;
    if (raft === undefined) return;
    this.#raft = undefined;
    this.#rest();
    this.#disk?.stop();
    this.#machine.hub.closeAll(closedError());
    await raft.stop();
    // It may have become leader once more on its way out.
    this.#rest();
    await this.#machine.close();
  }

  get #member(): RaftMember {
    if (this.#raft === undefined) throw closedError();
    return this.#raft;
  }

  #checkOpen(): void {
    if (this.#raft === undefined) throw closedError();
    this.#checkFence();
  }

  /** Found to differ from the others, this member has nothing true to tell; the alarm itself can still be cleared. */
  #checkFence(): void {
    if (this.#machine.state.alarms.has('corrupt', this.#head.memberId)) throw fencedError();
  }

  /** Reads that arrive in one turn share a ReadIndex: it is asked after all of them began. */
  async #waitReadIndex(): Promise<void> {
    await this.#confirmRead();
    this.#checkOpen();
  }

  async #confirmRead(): Promise<void> {
    if (this.#readIndex === undefined) {
      this.#readIndex = this.#member.readIndex();
      queueMicrotask(() => (this.#readIndex = undefined));
    }
    try {
      await this.#readIndex;
    } catch (error) {
      throw readErrorOf(error);
    }
    if (this.#raft === undefined) throw closedError();
  }

  /** A fenced leader cannot even end leases: somebody whose state is sound takes over. */
  #stepAside(): void {
    const { id, membership } = this.raftStatus();
    const { alarms } = this.#machine.state;
    const heir = membership.voters.find((voter) => voter !== id && !alarms.has('corrupt', BigInt(voter)));
    if (heir !== undefined) this.transferLeadership(heir).catch(() => undefined);
  }

  /** Whether all members understand such a command. */
  #mayPropose(kind: Command['kind']): boolean {
    return levelOf(kind) <= this.#level;
  }

  get #level(): number {
    return this.#raft?.status().membership.level ?? 1;
  }

  #proposeLeading(command: (term: number) => Command): Promise<CommandResult> {
    if (this.#leading === undefined) return Promise.reject(new StoreError('unavailable', 'this member does not lead'));
    return this.propose(command(this.#leading));
  }

  #onLeadership(status: {
    readonly leader: NodeId | undefined;
    readonly term: number;
    readonly leading: boolean;
  }): void {
    const leading = status.leading ? status.term : undefined;
    if (leading !== this.#leading) {
      this.#leading = leading;
      if (leading === undefined) {
        this.#rest();
      } else {
        this.#expiry.lead();
        this.#compaction?.start();
        this.#quota.lead();
        this.#hashCheck.lead(leading);
      }
    }
    this.#refreshHead(status.term);
  }

  /** Ends what only a leader does. */
  #rest(): void {
    this.#expiry.stop();
    this.#compaction?.stop();
    this.#quota.stop();
    this.#hashCheck.stop();
  }

  #refreshHead(term?: number): void {
    // Before Raft has started there is nobody to answer to.
    if (this.#raft === undefined) return;
    const raft = this.#raft.status();
    this.#head = { clusterId: clusterIdOf(raft.clusterId), memberId: BigInt(raft.id), term: term ?? raft.term };
    this.#options.onHead?.(this.#head);
  }
}

const idText = (id: NodeId): string => id.toString(16);

/** etcd's clients want 64 bits: the first of a digest of the cluster's own id. */
const clusterIdOf = (clusterId: string): bigint => createHash('sha256').update(clusterId).digest().readBigUInt64BE();

const abortedError = () => new StoreError('unavailable', 'the call was aborted before it began');

function expectKind<K extends CommandResult['kind']>(
  result: CommandResult,
  kind: K,
): Extract<CommandResult, { kind: K }> {
  if (result.kind !== kind) throw new StoreError('corrupt', `a command answered as ${result.kind} instead of ${kind}`);
  return result as Extract<CommandResult, { kind: K }>;
}
