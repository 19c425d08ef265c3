/** What a follower does with its leader's messages (Raft paper, 5.3 and 7). */
import { restoreMembership } from './membership.js';
import type { Raft } from './raft.js';
import { becomeFollower } from './transitions.js';
import { NONE } from './types.js';
import type { Entry, Message, Snapshot } from './types.js';

export function handleAppend(raft: Raft, request: Message): void {
  const { log } = raft;
  const to = request.from;
  if (request.index < log.committed) {
    // Late: what is committed matches anyway.
    raft.send({ type: 'app-resp', to, index: log.committed });
    return;
  }
  const last = log.tryAppend({ term: request.logTerm, index: request.index }, request.entries as readonly Entry[], request.commit);
  if (last !== undefined) {
    raft.send({ type: 'app-resp', to, index: last });
    return;
  }
  // Tell where the logs may still agree: entries of a higher term than the leader's there cannot.
  const hint = log.findConflictByTerm(Math.min(request.index, log.lastIndex), request.logTerm);
  raft.send({ type: 'app-resp', to, index: request.index, reject: true, rejectHint: hint.index, logTerm: hint.term });
}

export function handleHeartbeat(raft: Raft, request: Message): void {
  raft.log.commitTo(request.commit);
  raft.send({ type: 'heartbeat-resp', to: request.from, context: request.context });
}

export function handleSnapshot(raft: Raft, request: Message): void {
  const isRestored = request.snapshot !== undefined && restore(raft, request.snapshot);
  raft.send({ type: 'app-resp', to: request.from, index: isRestored ? raft.log.lastIndex : raft.log.committed });
}

function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { log } = raft;
  if (snapshot.index <= log.committed) return false;
  if (raft.role !== 'follower') {
    // Cannot happen: whoever takes a snapshot follows its sender. A higher term keeps the mistake harmless.
    becomeFollower(raft, raft.term + 1, NONE);
    return false;
  }
  const { voters, votersOutgoing, learners } = snapshot.confState;
  if (![voters, votersOutgoing, learners].some((ids) => ids.includes(raft.id))) return false;
  if (log.matches(snapshot)) {
    // The log has it all: only the commit index lagged.
    log.commitTo(snapshot.index);
    return false;
  }
  log.restore(snapshot);
  restoreMembership(raft, snapshot.confState);
  return true;
}
