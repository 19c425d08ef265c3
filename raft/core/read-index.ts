/** Linearizable reads without a log entry (thesis 6.4). */
import { broadcastHeartbeat } from './heartbeat.js';
import type { Raft } from './raft.js';
import { jointVote } from './quorum/joint.js';
import { NONE } from './types/ids.js';
import type { LogIndex } from './types/ids.js';
import type { Message } from './types/message.js';

/** Thesis 6.4, step 1: only with an entry of the own term committed does a leader know what is committed. */
function hasCommittedInTerm(raft: Raft): boolean {
  return raft.log.term(raft.log.committed) === raft.term;
}

export function handleReadRequest(raft: Raft, request: Message): void {
  // Also when nobody could object: after a restart the commit index may lie behind what was answered for.
  if (!hasCommittedInTerm(raft)) raft.postponedReads.push(request);
  else confirm(raft, request);
}

export function releasePostponedReads(raft: Raft): void {
  if (raft.postponedReads.length === 0 || !hasCommittedInTerm(raft)) return;
  const requests = raft.postponedReads;
  raft.postponedReads = [];
  for (const request of requests) confirm(raft, request);
}

/** A heartbeat's answer confirms the leader for the read that the heartbeat carried. */
export function handleReadAck(raft: Raft, response: Message): void {
  if (raft.settings.readOnly !== 'safe' || response.context === 0) return;
  const acks = raft.reads.acknowledge(response.from, response.context);
  if (jointVote(raft.tracker.configuration.voters, acks) !== 'won') return;
  for (const { request, index } of raft.reads.release(response.context)) answer(raft, request, index);
}

function confirm(raft: Raft, request: Message): void {
  if (raft.settings.readOnly === 'lease-based' || raft.tracker.isSingleton()) {
    answer(raft, request, raft.log.committed);
    return;
  }
  raft.reads.add(raft.log.committed, request);
  raft.reads.acknowledge(raft.id, request.context);
  broadcastHeartbeat(raft, request.context);
}

function answer(raft: Raft, request: Message, index: LogIndex): void {
  if (request.from === NONE || request.from === raft.id) raft.readStates.push({ index, context: request.context });
  else raft.send({ type: 'read-index-resp', to: request.from, index, context: request.context });
}
