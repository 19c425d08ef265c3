/** The member's status, in the contract's words. */
import type { HeartbeatIntervals, LogIndex, Membership, NodeId, RaftRole, RaftStatus, Term } from '../contract.js';
import type { RaftNode } from '../core/node.js';

type Known = RaftStatus['progress'][number];

export function statusOf(
  node: RaftNode,
  parts: { readonly membership: Membership; readonly clusterId: string; readonly heartbeats: HeartbeatIntervals },
): RaftStatus {
  const status = node.status();
  const role: RaftRole = status.role === 'follower' && status.isLearner ? 'learner' : status.role;
  const progress: Record<number, Known> = {};
  if (role === 'leader') {
    for (const [id, peer] of node.progress) {
      progress[id] = {
        match: peer.match as LogIndex,
        state: peer.state,
        active: id === status.id || peer.recentActive,
      };
    }
  }
  return {
    id: status.id as NodeId,
    clusterId: parts.clusterId,
    role,
    term: status.term as Term,
    leader: status.lead === 0 ? undefined : (status.lead as NodeId),
    commitIndex: status.committed as LogIndex,
    appliedIndex: status.applied as LogIndex,
    lastIndex: status.lastIndex as LogIndex,
    firstIndex: status.firstIndex as LogIndex,
    membership: parts.membership,
    progress,
    heartbeats: parts.heartbeats,
  };
}
