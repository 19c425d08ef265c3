/**
 * The active configuration (thesis 4.3). Invariants: learners and voters are disjoint; learnersNext lies within the
 * outgoing voters (a voter becomes a learner only when the joint state is left); without a joint state, learnersNext is
 * empty and autoLeave false.
 */
import type { JointQuorum } from '../quorum/joint.js';
import type { ConfState } from '../types/state.js';
import type { NodeId } from '../types/ids.js';

export interface Configuration {
  readonly voters: JointQuorum;
  readonly learners: ReadonlySet<NodeId>;
  readonly learnersNext: ReadonlySet<NodeId>;
  /** The leader leaves the joint state by itself once it has applied it. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONFIGURATION: Configuration = {
  voters: { incoming: new Set(), outgoing: new Set() },
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
};

export function isJoint(configuration: Configuration): boolean {
  return configuration.voters.outgoing.size > 0;
}

const sorted = (ids: ReadonlySet<NodeId>): NodeId[] => [...ids].sort((a, b) => a - b);

export function toConfState(configuration: Configuration): ConfState {
  return {
    voters: sorted(configuration.voters.incoming),
    votersOutgoing: sorted(configuration.voters.outgoing),
    learners: sorted(configuration.learners),
    learnersNext: sorted(configuration.learnersNext),
    autoLeave: configuration.autoLeave,
  };
}
