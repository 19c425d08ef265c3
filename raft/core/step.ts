/** Where messages come in: first the rules about terms, which hold for every role, then the role's own. */
import { handleVoteRequest, handleVoteResponse, isInLease, startCampaign } from './election.js';
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.js';
import { broadcastHeartbeat } from './heartbeat.js';
import { leaveJointIfDue, proposeAsLeader } from './membership.js';
import type { Raft } from './raft.js';
import { handleReadAck, handleReadRequest } from './read-index.js';
import { handleAppendResponse, handleSnapshotStatus, releaseUncommitted, sendAppend } from './replication.js';
import type { Progress } from './tracker/progress.js';
import { abortTransfer, becomeFollower } from './transitions.js';
import { entriesSize, payloadSize } from './types/entry.js';
import { NONE } from './types/ids.js';
import type { Entry } from './types/entry.js';
import type { LogIndex } from './types/ids.js';
import type { Message } from './types/message.js';
import type { Snapshot } from './types/state.js';

export type StepResult = 'ok' | 'proposal-dropped';

export function step(raft: Raft, m: Message): StepResult {
  if (m.term > raft.term && m.term !== 0) {
    if (!enterTerm(raft, m)) return 'ok';
  } else if (m.term !== 0 && m.term < raft.term) {
    answerOldTerm(raft, m);
    return 'ok';
  }
  switch (m.type) {
    case 'hup':
      startCampaign(raft, raft.settings.preVote ? 'pre-election' : 'election');
      return 'ok';
    case 'storage-append-resp':
      if (m.index !== 0) raft.log.unstable.stableTo(m.logTerm, m.index);
      if (m.snapshot !== undefined) appliedSnapshot(raft, m.snapshot);
      return 'ok';
    case 'storage-apply-resp':
      appliedEntries(raft, m.entries as readonly Entry[]);
      return 'ok';
    case 'vote':
    case 'pre-vote':
      handleVoteRequest(raft, m);
      return 'ok';
    default:
      if (raft.role === 'leader') return stepLeader(raft, m);
      return raft.role === 'follower' ? stepFollower(raft, m) : stepCandidate(raft, m);
  }
}

/** A message of a newer term. False when it is to be ignored. */
function enterTerm(raft: Raft, m: Message): boolean {
  const isRequest = m.type === 'vote' || m.type === 'pre-vote';
  if (isRequest && !m.force && isInLease(raft)) return false;
  // A pre-vote and its grant speak of a term that nobody is in yet.
  if (m.type === 'pre-vote' || (m.type === 'pre-vote-resp' && !m.reject)) return true;
  const isFromLeader = m.type === 'app' || m.type === 'heartbeat' || m.type === 'snap';
  becomeFollower(raft, m.term, isFromLeader ? m.from : NONE);
  return true;
}

function answerOldTerm(raft: Raft, m: Message): void {
  if ((raft.settings.checkQuorum || raft.settings.preVote) && (m.type === 'heartbeat' || m.type === 'app')) {
    // A leader of an older term keeps us from voting and us it from committing: let it know, so that one can be
    // elected.
    raft.send({ type: 'app-resp', to: m.from });
  } else if (m.type === 'pre-vote') {
    // A rejection tells the new term to a node that would otherwise ask for ever.
    raft.send({ type: 'pre-vote-resp', to: m.from, term: raft.term, reject: true });
  } else if (m.type === 'storage-append-resp' && m.snapshot !== undefined) {
    // Entries written in an older term may have been replaced since (ABA): not taken for stable. A snapshot is
    // committed.
    appliedSnapshot(raft, m.snapshot);
  }
}

function appliedSnapshot(raft: Raft, snapshot: Snapshot): void {
  raft.log.unstable.stableSnapshotTo(snapshot.index);
  appliedTo(raft, snapshot.index, 0);
}

function appliedEntries(raft: Raft, entries: readonly Entry[]): void {
  const last = entries.at(-1);
  if (last === undefined) return;
  appliedTo(raft, last.index, entriesSize(entries));
  releaseUncommitted(raft, payloadSize(entries));
}

function appliedTo(raft: Raft, index: LogIndex, bytes: number): void {
  raft.log.appliedTo(Math.max(index, raft.log.applied), bytes);
  leaveJointIfDue(raft);
}

function stepLeader(raft: Raft, m: Message): StepResult {
  switch (m.type) {
    case 'beat':
      broadcastHeartbeat(raft, raft.reads.lastContext());
      return 'ok';
    case 'check-quorum':
      if (!raft.tracker.quorumActive()) becomeFollower(raft, raft.term, NONE);
      raft.tracker.startActivityRound(raft.id);
      return 'ok';
    case 'prop':
      return proposeAsLeader(raft, m.entries) ? 'ok' : 'proposal-dropped';
    case 'read-index':
      handleReadRequest(raft, m);
      return 'ok';
    default: {
      const progress = raft.tracker.progress.get(m.from);
      if (progress !== undefined) stepLeaderForPeer(raft, m, progress);
      return 'ok';
    }
  }
}

function stepLeaderForPeer(raft: Raft, m: Message, progress: Progress): void {
  switch (m.type) {
    case 'app-resp':
      handleAppendResponse(raft, m, progress);
      return;
    case 'heartbeat-resp':
      progress.recentActive = true;
      progress.paused = false;
      // Also for one that lags behind nothing but is in doubt: the answer to an empty append ends the doubt.
      if (progress.match < raft.log.lastIndex || progress.state === 'probe') sendAppend(raft, m.from, true);
      handleReadAck(raft, m);
      return;
    case 'snap-status':
      handleSnapshotStatus(m, progress);
      return;
    case 'unreachable':
      // Appends that were sent optimistically are probably lost.
      if (progress.state === 'replicate') progress.becomeProbe();
      return;
    case 'transfer-leader':
      startTransfer(raft, m, progress);
      return;
    default:
  }
}

/** Thesis 3.10: bring the target up to date, then let it campaign at once. */
function startTransfer(raft: Raft, m: Message, progress: Progress): void {
  if (progress.isLearner || raft.transferee === m.from) return;
  abortTransfer(raft);
  if (m.from === raft.id) return;
  // It should be done within one election timeout, else it is given up.
  raft.electionElapsed = 0;
  raft.transferee = m.from;
  if (progress.match === raft.log.lastIndex) raft.send({ type: 'timeout-now', to: m.from });
  else sendAppend(raft, m.from, true);
}

function stepCandidate(raft: Raft, m: Message): StepResult {
  switch (m.type) {
    case 'prop':
      return 'proposal-dropped';
    case 'app':
    case 'heartbeat':
    case 'snap':
      becomeFollower(raft, m.term, m.from);
      handleFromLeader(raft, m);
      return 'ok';
    case 'vote-resp':
    case 'pre-vote-resp':
      // A late answer of the other kind must not count as a vote.
      if ((m.type === 'pre-vote-resp') === (raft.role === 'pre-candidate')) handleVoteResponse(raft, m);
      return 'ok';
    default:
      return 'ok';
  }
}

function stepFollower(raft: Raft, m: Message): StepResult {
  switch (m.type) {
    case 'prop':
      if (raft.lead === NONE || raft.settings.disableProposalForwarding) return 'proposal-dropped';
      raft.send({ ...m, to: raft.lead });
      return 'ok';
    case 'app':
    case 'heartbeat':
    case 'snap':
      raft.electionElapsed = 0;
      raft.lead = m.from;
      handleFromLeader(raft, m);
      return 'ok';
    case 'transfer-leader':
      if (raft.lead !== NONE) raft.send({ type: 'transfer-leader', to: raft.lead, from: m.from });
      return 'ok';
    case 'read-index':
      if (raft.lead !== NONE) raft.send({ ...m, to: raft.lead });
      return 'ok';
    case 'read-index-resp':
      raft.readStates.push({ index: m.index, context: m.context });
      return 'ok';
    case 'forget-leader':
      // Reads by lease rely on followers that remember.
      if (raft.settings.readOnly !== 'lease-based') raft.lead = NONE;
      return 'ok';
    case 'timeout-now':
      // No pre-vote: the leader itself wants it.
      startCampaign(raft, 'transfer');
      return 'ok';
    default:
      return 'ok';
  }
}

function handleFromLeader(raft: Raft, m: Message): void {
  if (m.type === 'app') handleAppend(raft, m);
  else if (m.type === 'heartbeat') handleHeartbeat(raft, m);
  else handleSnapshot(raft, m);
}
