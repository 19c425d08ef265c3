/**
 * What a node wants done. Two ways:
 *
 * Synchronous: write `hardState`, `entries` and `snapshot`; then send `messages`; apply `committedEntries`; then call
 * advance(). One Ready at a time.
 *
 * Asynchronous: `messages` may be sent at once. Among them are up to two for local threads: `storage-append` (write its
 * entries, hard state and snapshot, in order; once they are durable deliver its `responses`) and `storage-apply` (apply
 * its entries; then deliver its `responses`). Further Readys may be taken meanwhile. So the leader's own write runs
 * beside the sends, and only what is durable here is handed out to be applied.
 */
import { APPEND_THREAD, APPLY_THREAD, NONE } from './types/ids.js';
import { draft } from './types/message.js';
import type { Raft } from './raft.js';
import type { Entry } from './types/entry.js';
import type { HardState, ReadState, Snapshot, SoftState } from './types/state.js';
import type { Message } from './types/message.js';

export interface Ready {
  /** Undefined: as before. The same for hardState. */
  readonly softState: SoftState | undefined;
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** The write must be durable before its messages leave. */
  readonly mustSync: boolean;
}

/** What the last Ready told, so that only news is told. */
export interface Told {
  readonly softState: SoftState;
  readonly hardState: HardState;
}

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === 0 && state.commit === 0;
}

// Asked after every step: nothing is allocated for an answer of "no".
const isSameHard = (raft: Raft, told: HardState) =>
  raft.term === told.term && raft.vote === told.vote && raft.log.committed === told.commit;
const isSameSoft = (raft: Raft, told: SoftState) => raft.lead === told.lead && raft.role === told.role;

export function hasReady(raft: Raft, told: Told, isAsync: boolean): boolean {
  return (
    !isSameSoft(raft, told.softState) ||
    (!isSameHard(raft, told.hardState) && !isEmptyHardState(raft.hardState())) ||
    raft.log.unstable.nextSnapshot() !== undefined ||
    raft.messages.length > 0 ||
    raft.messagesAfterAppend.length > 0 ||
    raft.log.unstable.hasNextEntries() ||
    raft.log.hasNextCommitted(!isAsync) ||
    raft.readStates.length > 0
  );
}

export function buildReady(raft: Raft, told: Told, isAsync: boolean): Ready {
  const entries = raft.log.unstable.nextEntries();
  const hardState = isSameHard(raft, told.hardState) ? undefined : raft.hardState();
  const snapshot = raft.log.unstable.nextSnapshot();
  const committedEntries = raft.log.nextCommitted(!isAsync);
  // acceptReady() leaves them to us.
  const { messages } = raft;
  if (isAsync) {
    const append = appendMessage(raft, { entries, hardState, snapshot });
    if (append !== undefined) messages.push(append);
    if (committedEntries.length > 0) messages.push(applyMessage(raft, committedEntries));
  } else {
    for (const m of raft.messagesAfterAppend) if (m.to !== raft.id) messages.push(m);
  }
  return {
    entries,
    hardState,
    snapshot,
    committedEntries,
    softState: isSameSoft(raft, told.softState) ? undefined : raft.softState(),
    readStates: raft.readStates,
    messages,
    mustSync: entries.length > 0 || raft.vote !== told.hardState.vote || raft.term !== told.hardState.term,
  };
}

/** Synchronous way: what the node tells itself once the Ready is done. */
export function stepsOnAdvance(raft: Raft, ready: Ready): Message[] {
  const steps = raft.messagesAfterAppend.filter((m) => m.to === raft.id);
  const stable = appendAcknowledgement(raft, ready.snapshot);
  if (stable !== undefined) steps.push(stable);
  if (ready.committedEntries.length > 0) steps.push(applyAcknowledgement(raft, ready.committedEntries));
  return steps;
}

/** The Ready is under way: what it told is not told again. */
export function acceptReady(raft: Raft, ready: Ready, isAsync: boolean): void {
  raft.readStates = [];
  raft.messages = [];
  raft.messagesAfterAppend = [];
  raft.log.unstable.acceptInProgress();
  raft.log.acceptApplying(ready.committedEntries, !isAsync);
}

type WriteParts = Pick<Ready, 'entries' | 'hardState' | 'snapshot'>;

function appendMessage(raft: Raft, parts: WriteParts): Message | undefined {
  const { entries, hardState, snapshot } = parts;
  const isNeeded =
    entries.length > 0 || hardState !== undefined || snapshot !== undefined || raft.messagesAfterAppend.length > 0;
  if (!isNeeded) return undefined;
  // The own acknowledgement first: handling it is cheaper while the entries are still unstable.
  const responses = raft.messagesAfterAppend.slice();
  const stable = appendAcknowledgement(raft, snapshot);
  if (stable !== undefined) responses.push(stable);
  const append = draft('storage-append', APPEND_THREAD, raft.id);
  append.entries = entries;
  append.snapshot = snapshot;
  append.responses = responses;
  append.term = hardState?.term ?? 0;
  append.vote = hardState?.vote ?? NONE;
  append.commit = hardState?.commit ?? 0;
  return append;
}

/**
 * Names the last entry of the log, not of this write, and carries the term: when a leader of another term has replaced
 * entries and put them back meanwhile (ABA), an answer of the old term is ignored, and the answer of the last write,
 * which covers all before it, is what counts.
 */
function appendAcknowledgement(raft: Raft, snapshot: Snapshot | undefined): Message | undefined {
  const { log } = raft;
  if (log.unstable.isEmpty && snapshot === undefined) return undefined;
  const last = log.unstable.isEmpty ? { term: 0, index: 0 } : log.lastId();
  const answer = draft('storage-append-resp', raft.id, APPEND_THREAD);
  answer.term = raft.term;
  answer.index = last.index;
  answer.logTerm = last.term;
  answer.snapshot = snapshot;
  return answer;
}

function applyMessage(raft: Raft, entries: readonly Entry[]): Message {
  const apply = draft('storage-apply', APPLY_THREAD, raft.id);
  apply.entries = entries;
  apply.responses = [applyAcknowledgement(raft, entries)];
  return apply;
}

function applyAcknowledgement(raft: Raft, entries: readonly Entry[]): Message {
  const answer = draft('storage-apply-resp', raft.id, APPLY_THREAD);
  answer.entries = entries;
  return answer;
}
