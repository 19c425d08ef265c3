/** Changes of role and term (Raft paper, figure 4). */
import { assert } from '../../platform/assert.js';
import { appendAsLeader } from './replication.js';
import type { Raft } from './raft.js';
import { NO_DATA } from './types/entry.js';
import { NONE } from './types/ids.js';
import type { NodeId, Term } from './types/ids.js';

export function becomeFollower(raft: Raft, term: Term, lead: NodeId): void {
  reset(raft, term);
  raft.lead = lead;
  raft.role = 'follower';
}

/** Neither term nor vote change: a pre-vote leaves no trace (thesis 9.6). */
export function becomePreCandidate(raft: Raft): void {
  assert(raft.role !== 'leader', 'a leader does not stand for election');
  raft.tracker.resetVotes();
  raft.lead = NONE;
  raft.role = 'pre-candidate';
}

export function becomeCandidate(raft: Raft): void {
  assert(raft.role !== 'leader', 'a leader does not stand for election');
  reset(raft, raft.term + 1);
  raft.vote = raft.id;
  raft.role = 'candidate';
}

export function becomeLeader(raft: Raft): void {
  assert(raft.role !== 'follower', 'a leader was a candidate before');
  reset(raft, raft.term);
  raft.lead = raft.id;
  raft.role = 'leader';
  const own = raft.tracker.progress.get(raft.id);
  assert(own !== undefined, 'a leader is in its configuration');
  own.becomeReplicate();
  own.recentActive = true;
  // There may be a membership change in the uncommitted tail: take no other before all of it is applied.
  raft.pendingConfIndex = raft.log.lastIndex;
  // The no-op of the term, without which older entries cannot be committed (thesis 3.6.2, 6.4).
  const accepted = appendAsLeader(raft, [{ kind: 'normal', data: NO_DATA, proposal: 0 }]);
  assert(accepted, 'the no-op of a term is never refused');
}

export function abortTransfer(raft: Raft): void {
  raft.transferee = NONE;
}

function resetElectionTimeout(raft: Raft): void {
  raft.randomizedElectionTicks = raft.settings.electionTicks + raft.settings.randomInt(raft.settings.electionTicks);
}

function reset(raft: Raft, term: Term): void {
  assert(term >= raft.term, `the term never goes back, from ${raft.term} to ${term}`);
  if (raft.term !== term) {
    raft.term = term;
    raft.vote = NONE;
  }
  raft.lead = NONE;
  raft.electionElapsed = 0;
  raft.heartbeatElapsed = 0;
  resetElectionTimeout(raft);
  abortTransfer(raft);
  raft.tracker.resetVotes();
  raft.tracker.resetProgress(raft.id, raft.log.lastIndex);
  raft.pendingConfIndex = 0;
  raft.uncommittedBytes = 0;
  raft.reads.clear();
  raft.postponedReads = [];
}
