/** Elections: Raft paper 5.2 and 5.4.1; pre-vote, thesis 9.6; transfer, thesis 3.10. */
import { jointVoters } from './quorum/joint.js';
import type { Raft } from './raft.js';
import { broadcastAppend } from './replication.js';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './transitions.js';
import { NONE } from './types/ids.js';
import type { Message } from './types/message.js';

export type CampaignKind = 'pre-election' | 'election' | 'transfer';

const SCAN_BYTES = 1 << 20;

/** Stands for election, if this node may. */
export function startCampaign(raft: Raft, kind: CampaignKind): void {
  if (raft.role === 'leader' || !raft.promotable()) return;
  // With a membership change committed but not applied, this node may count the wrong voters.
  if (hasUnappliedConfChange(raft)) return;
  campaign(raft, kind);
}

function hasUnappliedConfChange(raft: Raft): boolean {
  const { log } = raft;
  for (let low = log.applied + 1; low <= log.committed;) {
    const page = log.slice(low, log.committed + 1, SCAN_BYTES);
    if (page.some((entry) => entry.kind !== 'normal')) return true;
    low += page.length;
  }
  return false;
}

function campaign(raft: Raft, kind: CampaignKind): void {
  const isPre = kind === 'pre-election';
  if (isPre) becomePreCandidate(raft);
  else becomeCandidate(raft);
  // A pre-vote asks about the term that would come.
  const term = isPre ? raft.term + 1 : raft.term;
  const last = raft.log.lastId();
  for (const to of jointVoters(raft.tracker.configuration.voters)) {
    if (to === raft.id) {
      // The own vote counts once it is durable: it comes back then.
      raft.send({ type: isPre ? 'pre-vote-resp' : 'vote-resp', to, term });
    } else {
      raft.send({
        type: isPre ? 'pre-vote' : 'vote',
        to,
        term,
        index: last.index,
        logTerm: last.term,
        force: kind === 'transfer',
      });
    }
  }
}

/** Whether a voter hears a leader and so ignores candidates, lest a node that was cut off disturb it (thesis 4.2.3). */
export function isInLease(raft: Raft): boolean {
  return raft.settings.checkQuorum && raft.lead !== NONE && raft.electionElapsed < raft.settings.electionTicks;
}

/** Learners vote too when asked: the candidate may know of their promotion before they do. */
export function handleVoteRequest(raft: Raft, request: Message): void {
  const isPre = request.type === 'pre-vote';
  const mayVote =
    raft.vote === request.from || (raft.vote === NONE && raft.lead === NONE) || (isPre && request.term > raft.term);
  const type = isPre ? 'pre-vote-resp' : 'vote-resp';
  if (!mayVote || !raft.log.isUpToDate({ term: request.logTerm, index: request.index })) {
    raft.send({ type, to: request.from, term: raft.term, reject: true });
    return;
  }
  // In the request's term: a pre-vote's answer would be dropped as old otherwise.
  raft.send({ type, to: request.from, term: request.term });
  if (!isPre) {
    raft.electionElapsed = 0;
    raft.vote = request.from;
  }
}

export function handleVoteResponse(raft: Raft, response: Message): void {
  raft.tracker.recordVote(response.from, !response.reject);
  const result = raft.tracker.voteResult();
  if (result === 'lost') {
    becomeFollower(raft, raft.term, NONE);
  } else if (result === 'won' && raft.role === 'pre-candidate') {
    campaign(raft, 'election');
  } else if (result === 'won' && raft.tracker.hasVoted(raft.id)) {
    // The own vote comes once it is durable. Without it, after a crash, the same votes could elect this node in this
    // term again, and it would write other entries into it.
    becomeLeader(raft);
    broadcastAppend(raft);
  }
}
