/** Majorities: what a set of voters has agreed on (Raft paper, 5.3 and 5.2). */
import type { LogIndex, NodeId } from '../types/ids.js';

export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The largest index that a majority has acknowledged. An empty set commits everything (Infinity), which makes it the
 * neutral half of a joint quorum.
 */
export function majorityCommitted(voters: ReadonlySet<NodeId>, acked: (id: NodeId) => LogIndex): LogIndex {
  if (voters.size === 0) return Infinity;
  const indexes: LogIndex[] = [];
  for (const id of voters) indexes.push(acked(id));
  indexes.sort((a, b) => b - a);
  return indexes[indexes.length >> 1] ?? 0;
}

/** An empty set has always won, for the same reason. */
export function majorityVote(voters: ReadonlySet<NodeId>, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  if (voters.size === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = (voters.size >> 1) + 1;
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}
