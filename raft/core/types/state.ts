import type { LogIndex, NodeId, Term } from './ids.js';

/** What must be durable before a node answers for it (Raft paper, figure 2). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: LogIndex;
}

export type Role = 'follower' | 'candidate' | 'pre-candidate' | 'leader';

export interface SoftState {
  readonly lead: NodeId;
  readonly role: Role;
}

/** A configuration in the form that snapshots and logs keep it. Sets without order. */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
}

/** What the core knows of a snapshot. Its content travels beside the core. */
export interface Snapshot {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}

/** The answer to a ReadIndex request: reads that see everything up to `index` are linearizable (thesis 6.4). */
export interface ReadState {
  readonly index: LogIndex;
  readonly context: number;
}
