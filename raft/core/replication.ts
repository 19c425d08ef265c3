/** The leader's side of log replication (Raft paper, 5.3; thesis 10.2.1 on pipelining). */
import type { Raft } from './raft.js';
import { releasePostponedReads } from './read-index.js';
import type { Progress } from './tracker/progress.js';
import { draft } from './types/message.js';
import { payloadSize } from './types/entry.js';
import type { Entry, ProposedEntry } from './types/entry.js';
import type { LogIndex, NodeId } from './types/ids.js';
import type { Message } from './types/message.js';

/** Appends to the leader's own log. False when the proposals would pass the cap on what is uncommitted. */
export function appendAsLeader(raft: Raft, proposed: readonly ProposedEntry[]): boolean {
  const bytes = payloadSize(proposed);
  // One proposal is always let in, however large; and one without payload however full it is.
  if (raft.uncommittedBytes > 0 && bytes > 0 && raft.uncommittedBytes + bytes > raft.settings.uncommittedBytesMax)
    return false;
  raft.uncommittedBytes += bytes;
  let index = raft.log.lastIndex;
  const entries: Entry[] = [];
  for (const { kind, data, proposal } of proposed)
    entries.push({ term: raft.term, index: ++index, kind, data, proposal });
  raft.log.append(entries);
  // The leader counts itself only once its own write is durable: it gets this message back then.
  const own = draft('app-resp', raft.id, raft.id);
  own.index = index;
  raft.post(own);
  return true;
}

export function releaseUncommitted(raft: Raft, bytes: number): void {
  raft.uncommittedBytes = Math.max(raft.uncommittedBytes - bytes, 0);
}

export function tryCommit(raft: Raft): boolean {
  return raft.log.tryCommit({ term: raft.term, index: raft.tracker.committed() });
}

export function broadcastAppend(raft: Raft): void {
  for (const id of raft.tracker.progress.keys()) {
    if (id !== raft.id) sendAppend(raft, id, true);
  }
}

/** Sends what the follower lacks. An empty append, which carries the commit index, only if `evenEmpty`. */
export function sendAppend(raft: Raft, to: NodeId, evenEmpty: boolean): boolean {
  const progress = raft.tracker.progress.get(to);
  if (progress === undefined || progress.isPaused()) return false;
  const index = progress.next - 1;
  const logTerm = raft.log.term(index);
  if (logTerm === undefined) return sendSnapshot(raft, to, progress);
  let entries: readonly Entry[] = [];
  // With a full pipeline an empty append still goes out now and then: if all in flight were lost, its rejection shows
  // it.
  if (progress.state !== 'replicate' || !progress.inflights.full()) {
    const found = raft.log.entriesFrom(progress.next, raft.settings.messageBytesMax);
    if (found === undefined) return sendSnapshot(raft, to, progress);
    entries = found;
  }
  if (entries.length === 0 && !evenEmpty) return false;
  const append = draft('app', to, raft.id);
  append.index = index;
  append.logTerm = logTerm;
  append.entries = entries;
  append.commit = raft.log.committed;
  raft.post(append);
  progress.sentEntries(entries.length, payloadSize(entries));
  progress.sentCommit(raft.log.committed);
  return true;
}

function sendSnapshot(raft: Raft, to: NodeId, progress: Progress): boolean {
  if (!progress.recentActive) return false;
  const snapshot = raft.log.snapshot();
  if (snapshot === undefined || snapshot.index === 0) return false;
  progress.becomeSnapshot(snapshot.index);
  raft.send({ type: 'snap', to, snapshot });
  return true;
}

export function handleAppendResponse(raft: Raft, response: Message, progress: Progress): void {
  progress.recentActive = true;
  if (response.reject) {
    handleRejection(raft, response, progress);
    return;
  }
  const isNews = progress.maybeUpdate(response.index);
  const endsProbe = progress.match === response.index && progress.state === 'probe';
  if (!isNews && !endsProbe) return;
  advanceState(raft, progress, response.index);
  if (tryCommit(raft)) {
    releasePostponedReads(raft);
    broadcastAppend(raft);
  } else if (response.from !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    sendAppend(raft, response.from, true);
  }
  if (response.from !== raft.id) {
    while (sendAppend(raft, response.from, false));
  }
  if (response.from === raft.transferee && progress.match === raft.log.lastIndex) {
    raft.send({ type: 'timeout-now', to: response.from });
  }
}

function advanceState(raft: Raft, progress: Progress, index: LogIndex): void {
  if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.state === 'replicate') {
    progress.inflights.freeUpTo(index);
  } else if (progress.match + 1 >= raft.log.firstIndex) {
    // Whatever brought it this far, the log can take it on from here. By way of probing, which heeds the snapshot.
    progress.becomeProbe();
    progress.becomeReplicate();
  }
}

/** Skips whole terms that cannot match, so that probing takes a round per term and not one per entry. */
function handleRejection(raft: Raft, response: Message, progress: Progress): void {
  const hint =
    response.logTerm > 0
      ? raft.log.findConflictByTerm(response.rejectHint, response.logTerm).index
      : response.rejectHint;
  if (!progress.maybeDecrease(response.index, hint)) return;
  if (progress.state === 'replicate') progress.becomeProbe();
  sendAppend(raft, response.from, true);
}

export function handleSnapshotStatus(status: Message, progress: Progress): void {
  if (progress.state !== 'snapshot') return;
  // After a failure, probing must not start behind a snapshot that never arrived.
  if (status.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // Wait for the follower's word, or for the next heartbeat after a failure.
  progress.paused = true;
}
