/** What a follower does with its leader's messages (Raft paper, 5.3 and 7). */
import { restoreMembership } from './membership.js';
import type { Raft } from './raft.js';
import { becomeFollower } from './transitions.js';
import { draft } from './types/message.js';
import { NONE } from './types/ids.js';
import type { Entry } from './types/entry.js';
import type { LogIndex, NodeId } from './types/ids.js';
import type { Message } from './types/message.js';
import type { Snapshot } from './types/state.js';

export function handleAppend(raft: Raft, request: Message): void {
  const { log } = raft;
  const to = request.from;
  if (request.index < log.committed) {
    // Late: what is committed matches anyway.
    acknowledge(raft, to, log.committed);
    return;
  }
  const last = log.tryAppend(
    { term: request.logTerm, index: request.index },
    request.entries as readonly Entry[],
    request.commit,
  );
  if (last !== undefined) {
    acknowledge(raft, to, last);
    return;
  }
  // Tell where the logs may still agree: entries of a higher term than the leader's there cannot.
  const hint = log.findConflictByTerm(Math.min(request.index, log.lastIndex), request.logTerm);
  raft.send({ type: 'app-resp', to, index: request.index, reject: true, rejectHint: hint.index, logTerm: hint.term });
}

function acknowledge(raft: Raft, to: NodeId, index: LogIndex): void {
  const answer = draft('app-resp', to, raft.id);
  answer.index = index;
  raft.post(answer);
}

export function handleHeartbeat(raft: Raft, request: Message): void {
  raft.log.commitTo(request.commit);
  const answer = draft('heartbeat-resp', request.from, raft.id);
  answer.context = request.context;
  raft.post(answer);
}

export function handleSnapshot(raft: Raft, request: Message): void {
  const isRestored = request.snapshot !== undefined && restore(raft, request.snapshot);
  acknowledge(raft, request.from, isRestored ? raft.log.lastIndex : raft.log.committed);
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
