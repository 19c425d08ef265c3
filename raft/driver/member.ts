/**
 * raft/driver: a member. Feeds the core with ticks, messages and proposals, and carries out what it asks for: writes,
 * sends, applies. In: commands. Out: their results, in the order of the log. The core is stepped in this thread alone
 * and never waits; the disk and the network do their work beside it. On a failed write the member stops for good.
 */
import type { Timer } from '../../platform/clock.js';
import { RaftError } from '../contract.js';
import type { LogIndex, Membership, MembershipChange, NodeId, RaftMember, RaftStatus, Term } from '../contract.js';
import { encodeConfChange } from '../core/confchange/change.js';
import { RaftNode } from '../core/node.js';
import type { Entry } from '../core/types/entry.js';
import type { Message } from '../core/types/message.js';
import type { IncomingSnapshot, PeerMessage, TransportHandler } from '../transport/transport.js';
import { Answers } from './answers.js';
import { Applier } from './applier.js';
import { BatchPace } from './batch-pace.js';
import { Caretaker } from './caretaker.js';
import { CommitNotes } from './commit-notes.js';
import { Forwarded, refusalOf } from './forwarded.js';
import { HeartbeatWatch } from './heartbeats.js';
import { checkLevel } from './levels.js';
import { LogWriter } from './log-writer.js';
import { toConfChange } from './membership.js';
import type { MemberOptions } from './options.js';
import { Proposals } from './proposals.js';
import { Questions } from './questions.js';
import { Reads } from './reads.js';
import { recover } from './recovery.js';
import { SnapshotExchange } from './snapshots.js';
import { statusOf } from './status.js';
import { Takeover } from './takeover.js';

/** Payload handed to the core in one proposal. */
const BATCH_BYTES_MAX = 1 << 20;

export class Member implements RaftMember {
  readonly #options: MemberOptions;
  readonly #node: RaftNode;
  readonly #writer: LogWriter;
  readonly #applier: Applier;
  readonly #snapshots: SnapshotExchange;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #questions: Questions;
  readonly #caretaker: Caretaker;
  readonly #pace: BatchPace;
  readonly #notes: CommitNotes;
  readonly #answers: Answers;
  readonly #takeover: Takeover;
  readonly #heartbeats = new HeartbeatWatch();
  #ticks: Timer | undefined;
  #farewell: Timer | undefined;
  /** Proposals that peers forwarded, to be appended with our own. */
  readonly #forwarded = new Forwarded();
  #isFlushDue = false;
  #isPumping = false;
  #isOver = false;
  #stopping: Promise<void> | undefined;
  /** What the last leadership event told. */
  #announced: { readonly lead: number; readonly term: number; readonly leading: boolean } | undefined;

  private constructor(options: MemberOptions, membership: Membership) {
    const { settings, random, log, clock } = options;
    this.#options = options;
    this.#proposals = new Proposals(random);
    this.#reads = new Reads(random);
    // Longer than an election takes, nobody waits for an answer: by then another may lead.
    this.#questions = new Questions({
      id: options.id,
      clock,
      random,
      wait_ms: 2 * settings.election_ms,
      events: options.events,
      send: (messages) => this.#send(messages),
    });
    this.#caretaker = new Caretaker({
      id: options.id,
      level: options.level,
      settings,
      clock,
      logger: options.logger,
      change: (change) => this.changeMembership(change),
    });
    if (options.instance !== undefined) this.#caretaker.heard(options.id, options.instance);
    this.#node = new RaftNode({
      id: options.id,
      storage: log.view,
      randomInt: (bound) => random.int(bound),
      electionTicks: Math.max(Math.round(settings.election_ms / settings.heartbeat_ms), 2),
      heartbeatTicks: 1,
      applied: options.stateMachine.durableIndex,
      messageBytesMax: settings.message_bytes_max,
      committedBytesPerReadyMax: settings.uncommitted_bytes_max,
      uncommittedBytesMax: settings.uncommitted_bytes_max,
      inflightMax: settings.inflight_max,
      inflightBytesMax: settings.inflight_bytes_max,
      asyncStorageWrites: true,
      checkQuorum: true,
      preVote: true,
      stepDownOnRemoval: true,
    });
    this.#takeover = new Takeover({
      clock,
      random,
      settings,
      id: options.id,
      node: this.#node,
      campaign: () => this.#run(() => this.#node.campaign()),
    });
    this.#answers = new Answers(clock, settings.heartbeat_ms);
    this.#pace = new BatchPace({ clock, hold_ms: settings.batch_ms, onDue: () => this.#guard(() => this.#flush()) });
    this.#notes = new CommitNotes({
      clock,
      hold_ms: settings.note_ms,
      canWait: (peer) => this.#node.progress.get(peer)?.state === 'replicate' && !this.#node.mayBeChanging,
      onDue: (notes) => this.#guard(() => options.transport.send(notes)),
    });
    this.#applier = new Applier(options, this.#node, membership, {
      run: (work) => this.#run(work),
      isAwaited: (mark) => this.#proposals.isPending(mark),
      onResult: (mark, result) => this.#proposals.resolve(mark, result),
      onTerm: (term) => this.#proposals.termReached(term),
      onApplied: (index) => this.#applied(index),
      onMembership: (current) => this.#membershipChanged(current),
      onDurable: (index) => this.#writer.compact(this.#snapshots.compactionLimit(index)),
      onFailure: (error) => this.#fail(error),
    });
    this.#snapshots = new SnapshotExchange(options, this.#node, this.#applier, {
      run: (work) => this.#run(work),
      onFailure: (error) => this.#fail(error),
    });
    this.#writer = new LogWriter(log, clock, {
      onDurable: (responses) => this.#durable(responses),
      onFailure: (error) => this.#fail(error),
      beforeSnapshot: async ({ snapshot }) => {
        if (snapshot === undefined) return;
        await this.#snapshots.install(snapshot);
        this.#proposals.skippedBySnapshot(snapshot.term);
      },
    });
  }

  static async start(options: MemberOptions): Promise<Member> {
    const membership = await recover(options);
    const member = new Member(options, membership);
    await options.transport.start(member.#handler());
    options.transport.setPeers(membership.peers, membership.removed);
    member.#applier.start();
    member.#ticks = options.clock.every(options.settings.heartbeat_ms, () => member.#tick());
    member.#guard(() => member.#takeover.started(membership.voters));
    member.#pump();
    return member;
  }

  propose(data: Uint8Array, options: { readonly signal?: AbortSignal } = {}): Promise<unknown> {
    if (this.#isOver)
      return Promise.reject(new RaftError('stopped', 'this member was stopped; the proposal did not happen'));
    // Empty commands are the core's own (no-op of a term): a user's must not be taken for one.
    if (data.length === 0) return Promise.reject(new RaftError('invalid', 'a command has at least one byte'));
    const result = this.#proposals.add(data, { kind: 'normal', deadline_ms: this.#deadline(), signal: options.signal });
    this.#flushSoon();
    return result;
  }

  readIndex(options: { readonly signal?: AbortSignal } = {}): Promise<LogIndex> {
    if (this.#isOver) return Promise.reject(new RaftError('stopped', 'this member was stopped'));
    const result = this.#reads.add(this.#deadline(), options.signal);
    this.#flushSoon();
    return result;
  }

  askLeader(question: Uint8Array): Promise<Uint8Array> {
    return this.#questions.ask(question, this.#node);
  }

  /** The part of the status that a close observer wants after each step: nothing is copied, nothing may be changed. */
  get glance(): Pick<RaftNode, 'role' | 'term' | 'lastIndex' | 'progress'> {
    return this.#node;
  }

  get membership(): Membership {
    return this.#applier.membership;
  }

  status(): RaftStatus {
    return statusOf(this.#node, {
      membership: this.#applier.membership,
      clusterId: this.#options.clusterId,
      heartbeats: this.#heartbeats.intervals,
    });
  }

  async transferLeadership(to: NodeId, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { voters } = this.#applier.membership;
    if (!voters.includes(to)) throw new RaftError('invalid', `member ${to} has no vote and cannot lead`);
    const { clock, settings } = this.#options;
    const end_ms = this.#deadline();
    while (this.#node.lead !== to) {
      if (this.#isOver) throw new RaftError('stopped', 'this member was stopped');
      if (clock.monotonic() > end_ms) throw new RaftError('timeout', `member ${to} did not take over in time`);
      this.#guard(() => {
        if (this.#node.status().transferee !== to) this.#node.transferLeadership(to);
        this.#pump();
      });
      await clock.sleep(settings.heartbeat_ms / 2, options.signal);
    }
  }

  async changeMembership(
    change: MembershipChange,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Membership> {
    const { clock, settings } = this.#options;
    const deadline_ms = this.#deadline();
    // One change at a time: those that meet another wait for their turn.
    while (clock.monotonic() < deadline_ms) {
      if (this.#isOver) throw new RaftError('stopped', 'this member was stopped');
      const data = encodeConfChange(toConfChange(change, this.#applier.membership));
      const result = this.#proposals.add(data, { kind: 'conf-change-v2', deadline_ms, signal: options.signal });
      this.#flushSoon();
      const membership = await result;
      if (membership !== undefined) return membership as Membership;
      await clock.sleep(settings.heartbeat_ms, options.signal);
    }
    throw new RaftError('dropped', 'other membership changes are under way; try again');
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends at once and without goodbye, as a kill would; for tests. The state machine is left as it is. */
  async crash(): Promise<void> {
    this.#end();
    await this.#options.transport.stop();
    await this.#writer.stop();
    await this.#applier.stop({ persist: false });
    await this.#options.log.close();
  }

  async #stop(): Promise<void> {
    if (!this.#isOver) await this.#handOver();
    this.#end();
    const { transport, log, stateMachine } = this.#options;
    await transport.stop();
    await this.#writer.stop();
    await this.#applier.stop({ persist: true });
    await log.close();
    await stateMachine.close();
  }

  /** A leader that leaves in order lets the most advanced voter take over first. */
  async #handOver(): Promise<void> {
    const { settings, clock, id } = this.#options;
    const heirs = [...this.#node.progress].filter(
      ([peer, progress]) => peer !== id && !progress.isLearner && progress.recentActive,
    );
    const heir = heirs.sort(([, a], [, b]) => b.match - a.match)[0];
    if (this.#node.role !== 'leader' || heir === undefined || settings.handover_ms === 0) return;
    this.#guard(() => {
      this.#node.transferLeadership(heir[0]);
      this.#pump();
    });
    const end_ms = clock.monotonic() + settings.handover_ms;
    // Until the heir leads, not only until this member does not: its vote may be the one that is needed.
    while ([0, id].includes(this.#node.lead) && clock.monotonic() < end_ms) await clock.sleep(5);
  }

  #end(): void {
    this.#isOver = true;
    this.#applier.end();
    this.#ticks?.cancel();
    this.#takeover.stop();
    this.#farewell?.cancel();
    this.#pace.stop();
    this.#notes.stop();
    this.#proposals.stop();
    this.#reads.stop();
    this.#questions.stop();
  }

  /** Fail-stop: after a failed write nobody knows what the disk holds; only a restart may find out. */
  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#options.logger.error({ error: error.message }, 'this member stops: it cannot keep its promises any more');
    this.#end();
    void this.#options.transport.stop();
    this.#options.events.onFatal?.(error);
  }

  #deadline(): number {
    return this.#options.clock.monotonic() + this.#options.settings.request_ms;
  }

  #handler(): TransportHandler {
    return {
      onMessages: (messages) => this.#guard(() => this.#receive(messages)),
      onSnapshot: (snapshot) => this.#receiveSnapshot(snapshot),
      onPeerLost: (id) => this.#guard(() => this.#peerLost(id)),
      onUndelivered: (messages) => this.#guard(() => this.#undelivered(messages)),
      onInstance: (id, instance) => this.#caretaker.heard(id, instance),
      onFenced: (error) => this.#fail(error),
    };
  }

  /** A broken invariant in the core must not be survived. */
  #guard(work: () => void): void {
    if (this.#isOver) return;
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #run(work: () => void): void {
    this.#guard(() => {
      work();
      this.#pump();
    });
  }

  #tick(): void {
    this.#guard(() => {
      const { clock, settings } = this.#options;
      const now_ms = clock.monotonic();
      this.#proposals.expire(now_ms);
      this.#reads.expire(now_ms);
      this.#questions.expire(now_ms);
      // With a disk that hangs, a leader can promise nothing: it lets another lead, and does not stand itself.
      const { busyFor_ms } = this.#writer;
      if (busyFor_ms > settings.election_ms) this.#giveWay(busyFor_ms);
      else this.#node.tick();
      this.#flush();
      this.#caretaker.look(this.status(), this.#applier.isLeading);
    });
  }

  #giveWay(busyFor_ms: number): void {
    if (this.#node.role === 'leader')
      this.#options.logger.warn({ busyFor_ms }, 'the disk does not finish a write: another member shall lead');
    this.#node.stepDown();
  }

  /** Removed: it goes on for a moment, since its last answers may be what the others need to go on without it. */
  #membershipChanged(membership: Membership): void {
    const { transport, clock, settings, id, level } = this.#options;
    // Nothing behind this entry may be applied: it is what the program does not understand.
    checkLevel(membership, level);
    transport.setPeers(membership.peers, membership.removed);
    if (membership.removed?.includes(id) !== true) return;
    this.#farewell ??= clock.after(settings.removalLinger_ms, () =>
      this.#fail(
        new RaftError(
          'removed',
          `member ${id} was removed from cluster ${this.#options.clusterId}; to make it a member again, empty its data directory and start it with \`navarch server --join\``,
        ),
      ),
    );
  }

  #receive(messages: readonly PeerMessage[]): void {
    for (const message of messages) {
      if (message.type === 'prop') this.#forwarded.add(message);
      else if (message.type === 'prop-refused') this.#proposals.requeue(message.entries, message.logTerm);
      else if (message.type === 'ask') this.#questions.asked(message);
      else if (message.type === 'ask-resp') this.#questions.answered(message);
      else if (this.#takeover.admits(message)) this.#node.step(message as Message);
      if (message.type === 'heartbeat')
        this.#heartbeats.heard(message.from, message.term, this.#options.clock.monotonic());
    }
    if (!this.#forwarded.isEmpty) this.#flushSoon();
    this.#pump();
  }

  async #receiveSnapshot(snapshot: IncomingSnapshot): Promise<void> {
    if (this.#isOver) throw new RaftError('stopped', 'this member was stopped');
    await this.#snapshots.receive(snapshot);
  }

  #peerLost(id: NodeId): void {
    const { lead, role } = this.#node;
    if (role === 'leader') this.#node.reportUnreachable(id);
    if (lead === id) {
      this.#node.forgetLeader();
      this.#takeover.leaderLost(
        this.#applier.membership.voters.filter((voter) => voter !== id && voter < this.#options.id).length,
      );
    }
    this.#pump();
  }

  #undelivered(messages: readonly PeerMessage[]): void {
    const lost = new Set<number>();
    for (const message of messages) {
      if (message.type === 'prop') this.#proposals.requeue(message.entries, message.logTerm);
      else if (message.type === 'app') lost.add(message.to);
      else this.#questions.lost(message);
    }
    if (this.#node.role === 'leader') for (const id of lost) this.#node.reportUnreachable(id);
    this.#pump();
  }

  /** One batch per turn, and none while the disk is busy or the batch before is undecided (batch-pace.ts). */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.clock.immediate(() => {
      this.#isFlushDue = false;
      this.#guard(() => this.#flush());
    });
  }

  #flush(): void {
    const context = this.#node.lead === 0 ? undefined : this.#reads.nextAttempt(this.#options.clock.monotonic());
    if (context !== undefined) this.#node.readIndex(context);
    this.#proposeIfDue();
    this.#pump();
    if (this.#notes.hasHeld) this.#send(this.#notes.takeUrgent());
  }

  #send(messages: readonly PeerMessage[]): void {
    if (messages.length > 0) this.#options.transport.send(messages);
  }

  get #isWaiting(): boolean {
    return this.#proposals.hasQueued || !this.#forwarded.isEmpty;
  }

  #proposeIfDue(): void {
    if (!this.#writer.isBusy && this.#isWaiting && !this.#pace.holds()) this.#proposeQueued();
  }

  #proposeQueued(): void {
    if (!this.#forwarded.isEmpty) this.#appendForwarded();
    while (this.#proposals.hasQueued) {
      const { lead, role, term, transferee } = this.#node.status();
      if (lead === 0) return;
      // A leader changes the membership only once the no-op of its term has committed (Ongaro, 2015).
      const entries = this.#proposals.take(BATCH_BYTES_MAX, { changes: role !== 'leader' || this.#applier.isLeading });
      if (entries.length === 0) return;
      if (this.#node.propose(entries) === 'ok') {
        this.#proposals.markSent(entries, term);
        this.#startBatch(entries.at(-1)?.proposal ?? 0);
      } else if (role === 'leader' && transferee === 0) {
        this.#proposals.reject(entries, new RaftError('dropped', 'too many proposals are under way; try again later'));
      } else {
        return this.#proposals.requeue(entries);
      }
    }
  }

  #appendForwarded(): void {
    const { role, term } = this.#node;
    const { isLeading } = this.#applier;
    const { ours, others } = this.#forwarded.take(
      ({ logTerm, entries }) =>
        role === 'leader' && logTerm === term && (isLeading || entries.every(({ kind }) => kind === 'normal')),
    );
    this.#send(others.map(refusalOf));
    if (ours.length === 0) return;
    if (this.#node.propose(ours.flatMap(({ entries }) => entries)) !== 'ok') return this.#send(ours.map(refusalOf));
    this.#startBatch(0);
    for (const { from } of ours) this.#notes.owe(from, this.#node.lastIndex);
  }

  #startBatch(mark: number): void {
    const { role, lastIndex } = this.#node;
    this.#notes.batchBegins();
    // A batch that another member appends is decided with its last proposal.
    this.#pace.begins(() => (role === 'leader' ? this.#node.committed >= lastIndex : !this.#proposals.isPending(mark)));
  }

  #pump(): void {
    // Called from within itself (an apply that proposes, a send that fails at once): the loop below goes on anyway.
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    try {
      while (this.#node.hasReady() && !this.#isOver) this.#handleReady();
    } finally {
      this.#isPumping = false;
    }
    this.#announce();
  }

  #handleReady(): void {
    const ready = this.#node.ready();
    const outgoing: PeerMessage[] = [];
    const local: Message[] = [];
    for (const message of ready.messages) {
      if (message.to < 0) local.push(message);
      else if (message.type === 'snap') this.#snapshots.send(message);
      else outgoing.push(message.type === 'prop' ? { ...message, logTerm: this.#node.term } : message);
    }
    // The network first: the peers' disks work while ours does.
    this.#send(this.#notes.sift(outgoing));
    // What was held back leaves with the next batch, or, if somebody waits for it, at the end of this turn.
    if (this.#notes.hasHeld) this.#flushSoon();
    for (const message of local) {
      if (message.type === 'storage-append') this.#writer.enqueue(message);
      else
        this.#applier.apply(message.entries as readonly Entry[], () =>
          this.#guard(() => this.#deliver(message.responses)),
        );
    }
    for (const { context, index } of ready.readStates) this.#reads.confirmed(context, index, this.#applier.applied);
  }

  #durable(responses: readonly Message[]): void {
    this.#guard(() => {
      this.#deliver(responses);
      this.#pump();
      this.#proposeIfDue();
      this.#pump();
    });
  }

  #deliver(responses: readonly Message[]): void {
    const outgoing: Message[] = [];
    for (const message of responses) {
      if (message.to === this.#options.id) this.#node.step(message);
      else outgoing.push(message);
    }
    this.#send(this.#answers.sift(outgoing));
  }

  #applied(index: number): void {
    this.#reads.applied(index);
    if (this.#isWaiting) this.#flushSoon();
    this.#options.events.onApplied?.(index as LogIndex);
  }

  #announce(): void {
    const { lead, term } = this.#node;
    const leading = this.#applier.isLeading;
    const last = this.#announced;
    if (last !== undefined && last.lead === lead && last.term === term && last.leading === leading) return;
    this.#announced = { lead, term, leading };
    this.#questions.leaderChanged();
    this.#options.logger.info({ leader: lead, term, leading }, 'leadership');
    const leader = lead === 0 ? undefined : (lead as NodeId);
    this.#options.events.onLeadership?.({ leader, term: term as Term, leading });
    // Somebody can take now what waited for a leader.
    if (lead !== 0) this.#flushSoon();
  }
}
