/**
 * raft/core: the consensus algorithm as a state machine (Ongaro's thesis with etcd/raft's refinements).
 *
 * In: ticks, messages, proposals, membership changes that were applied. Out: Readys (see ready.ts): what to write,
 * send, apply. Same inputs, same outputs: it opens nothing, waits for nothing, knows no clock and no chance but what is
 * handed in. It must never import anything but itself and platform/assert. Not reentrant; one caller.
 */
import { assert } from '../../platform/assert.js';
import { encodeConfChange } from './confchange/change.js';
import type { ConfChange } from './confchange/change.js';
import { applyConfChange, restoreMembership } from './membership.js';
import type { CoreOptions } from './options.js';
import { Raft } from './raft.js';
import { acceptReady, buildReady, hasReady, isEmptyHardState, stepsOnAdvance } from './ready.js';
import type { Ready, Told } from './ready.js';
import { step } from './step.js';
import { tick } from './tick.js';
import { toConfState } from './tracker/configuration.js';
import type { Configuration } from './tracker/configuration.js';
import type { Progress } from './tracker/progress.js';
import { becomeFollower } from './transitions.js';
import { message } from './types/message.js';
import { NONE } from './types/ids.js';
import type { ConfState, HardState, Role } from './types/state.js';
import type { LogIndex, NodeId, Term } from './types/ids.js';
import type { Message, MessageType } from './types/message.js';
import type { ProposedEntry } from './types/entry.js';

/** `ok`: taken in. Otherwise nothing happened. */
export type NodeResult = 'ok' | 'proposal-dropped' | 'local-message' | 'peer-not-found';

export interface CoreStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly lead: NodeId;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly isLearner: boolean;
  readonly transferee: NodeId;
}

const LOCAL: ReadonlySet<MessageType> = new Set<MessageType>([
  'hup',
  'beat',
  'check-quorum',
  'unreachable',
  'snap-status',
  'storage-append',
  'storage-append-resp',
  'storage-apply',
  'storage-apply-resp',
]);
const RESPONSES: ReadonlySet<MessageType> = new Set<MessageType>([
  'app-resp',
  'vote-resp',
  'heartbeat-resp',
  'unreachable',
  'read-index-resp',
  'pre-vote-resp',
  'storage-append-resp',
  'storage-apply-resp',
]);

export class RaftNode {
  readonly #raft: Raft;
  readonly #isAsync: boolean;
  #told: Told;
  #onAdvance: Message[] = [];

  constructor(options: CoreOptions) {
    const raft = new Raft(options);
    this.#raft = raft;
    this.#isAsync = options.asyncStorageWrites ?? false;
    restoreMembership(raft, options.storage.confState);
    const { hardState } = options.storage;
    if (!isEmptyHardState(hardState)) loadHardState(raft, hardState);
    if ((options.applied ?? 0) > 0) raft.log.appliedTo(options.applied ?? 0, 0);
    becomeFollower(raft, raft.term, NONE);
    this.#told = { softState: raft.softState(), hardState: raft.hardState() };
  }

  tick(): void {
    tick(this.#raft);
  }

  /** Stands for election now, if it may. */
  campaign(): void {
    step(this.#raft, message({ type: 'hup', to: this.#raft.id, from: this.#raft.id }));
  }

  propose(entries: readonly ProposedEntry[]): NodeResult {
    return step(this.#raft, message({ type: 'prop', to: this.#raft.id, from: this.#raft.id, entries }));
  }

  /** `isSingle` writes the older entry kind, which holds exactly one change. */
  proposeConfChange(
    change: ConfChange,
    options: { readonly isSingle?: boolean; readonly proposal?: number } = {},
  ): NodeResult {
    assert(options.isSingle !== true || change.changes.length === 1, 'a single change is one change');
    const kind = options.isSingle === true ? 'conf-change' : 'conf-change-v2';
    return this.propose([{ kind, data: encodeConfChange(change), proposal: options.proposal ?? 0 }]);
  }

  /** To be called for each membership change among the committed entries, in order. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#raft, change);
  }

  /** A message from a peer, or from a local thread. */
  step(m: Message): NodeResult {
    const isFromLocalThread = m.from < 0;
    if (LOCAL.has(m.type) && !isFromLocalThread) return 'local-message';
    if (RESPONSES.has(m.type) && !isFromLocalThread && !this.#raft.tracker.progress.has(m.from))
      return 'peer-not-found';
    return step(this.#raft, m);
  }

  /**
   * Asks for a read at the commit index; the answer comes as a ReadState with `context`, which must be fresh. May get
   * lost.
   */
  readIndex(context: number): void {
    step(this.#raft, message({ type: 'read-index', to: this.#raft.id, from: this.#raft.id, context }));
  }

  transferLeadership(to: NodeId): void {
    step(this.#raft, message({ type: 'transfer-leader', to: this.#raft.id, from: to }));
  }

  /** Gives up the belief in the present leader without leaving the term, so that votes are granted at once. */
  forgetLeader(): void {
    step(this.#raft, message({ type: 'forget-leader', to: this.#raft.id, from: this.#raft.id }));
  }

  /** A leader gives up its office, within the term. */
  stepDown(): void {
    if (this.#raft.role === 'leader') becomeFollower(this.#raft, this.#raft.term, NONE);
  }

  /** A candidate that has not asked for real votes yet gives up, and leaves no trace. */
  withdraw(): void {
    if (this.#raft.role === 'pre-candidate') becomeFollower(this.#raft, this.#raft.term, NONE);
  }

  /** Of a request for a vote: below zero when its log is behind ours, above when it is ahead. */
  compareLog({ logTerm, index }: Pick<Message, 'logTerm' | 'index'>): number {
    const own = this.#raft.log.lastId();
    return logTerm === own.term ? index - own.index : logTerm - own.term;
  }

  reportUnreachable(id: NodeId): void {
    step(this.#raft, message({ type: 'unreachable', to: this.#raft.id, from: id }));
  }

  reportSnapshot(id: NodeId, isFailed: boolean): void {
    step(this.#raft, message({ type: 'snap-status', to: this.#raft.id, from: id, reject: isFailed }));
  }

  hasReady(): boolean {
    return hasReady(this.#raft, this.#told, this.#isAsync);
  }

  ready(): Ready {
    const raft = this.#raft;
    const ready = buildReady(raft, this.#told, this.#isAsync);
    if (!this.#isAsync) {
      assert(this.#onAdvance.length === 0, 'one Ready at a time: call advance() first');
      this.#onAdvance = stepsOnAdvance(raft, ready);
    }
    this.#told = {
      softState: ready.softState ?? this.#told.softState,
      hardState: ready.hardState ?? this.#told.hardState,
    };
    acceptReady(raft, ready, this.#isAsync);
    return ready;
  }

  /** Synchronous way only: everything that the last Ready asked for is done. */
  advance(): void {
    assert(!this.#isAsync, 'asynchronous writes are acknowledged by messages');
    const steps = this.#onAdvance;
    this.#onAdvance = [];
    for (const m of steps) step(this.#raft, m);
  }

  status(): CoreStatus {
    const raft = this.#raft;
    return {
      id: raft.id,
      role: raft.role,
      term: raft.term,
      lead: raft.lead,
      committed: raft.log.committed,
      applied: raft.log.applied,
      firstIndex: raft.log.firstIndex,
      lastIndex: raft.log.lastIndex,
      isLearner: raft.isLearner,
      transferee: raft.transferee,
    };
  }

  // Asked after every step, unlike the whole status.

  get role(): Role {
    return this.#raft.role;
  }

  get term(): Term {
    return this.#raft.term;
  }

  /** NONE: nobody is known to lead. */
  get lead(): NodeId {
    return this.#raft.lead;
  }

  get committed(): LogIndex {
    return this.#raft.log.committed;
  }

  get lastIndex(): LogIndex {
    return this.#raft.log.lastIndex;
  }

  get configuration(): Configuration {
    return this.#raft.tracker.configuration;
  }

  get confState(): ConfState {
    return toConfState(this.#raft.tracker.configuration);
  }

  /** What the leader knows of each node. Not to be changed. */
  get progress(): ReadonlyMap<NodeId, Readonly<Progress>> {
    return this.#raft.tracker.progress;
  }

  /** On the leader: a membership change may be in the log that is not applied yet. */
  get mayBeChanging(): boolean {
    return this.#raft.pendingConfIndex > this.#raft.log.applied;
  }

  get hardState(): HardState {
    return this.#raft.hardState();
  }

  /** For tests that must not depend on chance. */
  setElectionTimeout(ticks: number): void {
    this.#raft.randomizedElectionTicks = ticks;
  }
}

function loadHardState(raft: Raft, state: HardState): void {
  assert(
    state.commit >= raft.log.committed && state.commit <= raft.log.lastIndex,
    `the commit index ${state.commit} is outside the log [${raft.log.committed}, ${raft.log.lastIndex}]`,
  );
  raft.log.committed = state.commit;
  raft.term = state.term;
  raft.vote = state.vote;
}
