/**
 * Joint quorums (thesis 4.3): a decision needs a majority of both halves. The outgoing half is empty outside a change.
 */
import type { LogIndex, NodeId } from '../types/ids.js';
import { majorityCommitted, majorityVote } from './majority.js';
import type { VoteResult } from './majority.js';

export interface JointQuorum {
  readonly incoming: ReadonlySet<NodeId>;
  readonly outgoing: ReadonlySet<NodeId>;
}

export function jointCommitted(quorum: JointQuorum, acked: (id: NodeId) => LogIndex): LogIndex {
  return Math.min(majorityCommitted(quorum.incoming, acked), majorityCommitted(quorum.outgoing, acked));
}

export function jointVote(quorum: JointQuorum, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = majorityVote(quorum.incoming, votes);
  const outgoing = majorityVote(quorum.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}

/** All voters of either half, ascending. */
export function jointVoters(quorum: JointQuorum): NodeId[] {
  return [...new Set([...quorum.incoming, ...quorum.outgoing])].sort((a, b) => a - b);
}
