/**
 * What a user of the raft library hands in (a StateMachine) and gets back (a RaftMember). The store is the user here;
 * nothing in raft/ knows what the commands mean.
 */

import type { Slices } from '../platform/slices.js';

/** Branded so that a term is never taken for an index. Checked integers: 0 <= value <= 2^53 - 1. */
export type Term = number & { readonly __brand: 'Term' };
export type LogIndex = number & { readonly __brand: 'LogIndex' };
/** A member's identity: 53 random bits, never its address. */
export type NodeId = number & { readonly __brand: 'NodeId' };

export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  /** Empty for the no-op of a new term and for membership changes, which still advance the applied index. */
  readonly data: Uint8Array;
}

export interface PeerInfo {
  readonly id: NodeId;
  readonly name: string;
  /** host:port of the peer listener. */
  readonly peerAddress: string;
  /** URLs or host:port for clients; opaque to raft/. */
  readonly clientAddresses: readonly string[];
  readonly learner: boolean;
  /** A learner on its way to a vote: the leader promotes it once it has caught up, and drops it when it never comes. */
  readonly joining?: boolean;
  /**
   * Random, of the data directory; recorded when it is first heard, kept for good: another directory is not this
   * member.
   */
  readonly instance?: string;
  /**
   * Up to which level its program understands commands (raft/driver/levels.ts). Absent: it has not told; counted as 1.
   */
  readonly level?: number;
}

/** The configuration that `entry.index` left behind; stored in one place, with the state it belongs to. */
export interface Membership {
  readonly index: LogIndex;
  readonly voters: readonly NodeId[];
  /** Non-empty while a joint change is under way. */
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
  readonly peers: readonly PeerInfo[];
  /** Ids that belonged to members once and never will again; absent while there are none. */
  readonly removed?: readonly NodeId[];
  /**
   * Agreed: commands up to this level may be proposed, since all members understand them. Only ever raised. Absent: 1.
   */
  readonly level?: number;
}

/**
 * The replicated state. `apply` is a pure function of log and state: no clock, no chance, no I/O that can differ
 * between members. Durability is separate: `persist` writes all that was applied so far, together with the applied
 * index and the membership, in one atomic synchronous batch; once it has failed it is not called again.
 */
export interface StateMachine {
  /** Index of the last entry that is durable here; the log is replayed from there. */
  readonly durableIndex: LogIndex;
  readonly durableMembership: Membership | undefined;
  /**
   * Applies in order; gives one result per entry, handed to the proposer on this member. Must not throw on bad
   * commands. Long work yields every millisecond or so; nothing else that changes the state is called before it has
   * ended. `isAwaited`: a proposer waits here for the entry's result; what only the result needs may be left out for
   * the others.
   */
  applySlices(
    entries: readonly CommittedEntry[],
    isAwaited: (entry: CommittedEntry) => boolean,
  ): Slices<readonly unknown[]>;
  persist(applied: LogIndex, membership: Membership): Promise<void>;
  /** Streams a consistent image of the state at or after `durableIndex`, chunk by chunk. */
  openSnapshot(): Promise<SnapshotReader>;
  /** Receives an image beside the present state; `commit` switches over atomically. */
  receiveSnapshot(meta: SnapshotMeta): Promise<SnapshotWriter>;
  close(): Promise<void>;
}

export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

export interface SnapshotReader {
  readonly meta: SnapshotMeta;
  chunks(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Verifies and switches; afterwards the state machine stands at `meta.index`. */
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export type RaftRole = 'leader' | 'follower' | 'candidate' | 'pre-candidate' | 'learner';

/**
 * A histogram of times between heartbeats that a follower worked on: `counts[i]` of at most `bounds_ms[i]` and more
 * than the bound before; one count more for the rest.
 */
export interface HeartbeatIntervals {
  readonly bounds_ms: readonly number[];
  readonly counts: readonly number[];
  readonly sum_ms: number;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly role: RaftRole;
  readonly term: Term;
  readonly leader: NodeId | undefined;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly membership: Membership;
  /** On the leader: what it knows of each peer. */
  readonly progress: Readonly<
    Record<
      number,
      { readonly match: LogIndex; readonly state: 'probe' | 'replicate' | 'snapshot'; readonly active: boolean }
    >
  >;
  /** Since the start, as a follower. */
  readonly heartbeats: HeartbeatIntervals;
}

export type RaftErrorCode =
  /** No leader is known, or leadership was lost before the proposal entered the log: it did not happen; try again. */
  | 'not-leader'
  /**
   * The proposal was dropped before it entered a log (uncommitted-size cap, transfer under way): did not happen; try
   * again.
   */
  | 'dropped'
  /** Leadership was lost after the proposal entered the log: it may or may not happen. */
  | 'unknown-outcome'
  | 'timeout'
  | 'stopped'
  | 'invalid'
  | 'corrupt'
  | 'wrong-cluster'
  | 'removed'
  /**
   * The peers know this id with another data directory, or with a newer state of this one: it must not take part again.
   */
  | 'fenced'
  /** The cluster has agreed on a level that this program does not understand. */
  | 'outdated';

export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;
  readonly leader: NodeId | undefined;

  constructor(code: RaftErrorCode, message: string, leader?: NodeId) {
    super(message);
    this.code = code;
    this.leader = leader;
  }
}

export interface RaftEvents {
  /** Leader or term changed. `leading` is true only once the no-op of the term is applied here. */
  onLeadership?(status: { readonly leader: NodeId | undefined; readonly term: Term; readonly leading: boolean }): void;
  /** Entries were applied: after the results were handed out. */
  onApplied?(index: LogIndex): void;
  /**
   * A question by `askLeader`, of this member or another. A rejection is told as `not-leader`. Absent: there are no
   * answers.
   */
  onQuestion?(question: Uint8Array): Promise<Uint8Array>;
  /** A fault that stops this member for good (disk, corruption). The process should exit. */
  onFatal?(error: Error): void;
}

export interface RaftMember {
  /**
   * Replicates a command, from any member (followers forward to the leader); resolves with this member's result of
   * `apply`.
   */
  propose(data: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<unknown>;
  /** ReadIndex (thesis 6.4): resolves once this member has applied everything committed before the call. */
  readIndex(options?: { readonly signal?: AbortSignal }): Promise<LogIndex>;
  /**
   * Asks `onQuestion` of the member that is known as leader, outside of the log: whether it leads is for it to find
   * out. Rejects with `not-leader` (none is known, or it has no answer), `timeout` or `stopped`; it may have acted on
   * the question all the same.
   */
  askLeader(question: Uint8Array): Promise<Uint8Array>;
  status(): RaftStatus;
  transferLeadership(to: NodeId, options?: { readonly signal?: AbortSignal }): Promise<void>;
  changeMembership(change: MembershipChange, options?: { readonly signal?: AbortSignal }): Promise<Membership>;
  stop(): Promise<void>;
}

export type MembershipChange =
  | { readonly kind: 'add-learner'; readonly peer: PeerInfo }
  | { readonly kind: 'promote'; readonly id: NodeId }
  | { readonly kind: 'remove'; readonly id: NodeId }
  | { readonly kind: 'update'; readonly peer: PeerInfo }
  /** Records a member's data directory. Void when one is recorded already. */
  | { readonly kind: 'identify'; readonly id: NodeId; readonly instance: string }
  /** Up to which level a member's program understands commands. */
  | { readonly kind: 'tell-level'; readonly id: NodeId; readonly level: number }
  /** Void when the members are not those that the proposer saw. */
  | { readonly kind: 'raise-level'; readonly level: number };
