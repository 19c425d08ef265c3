import type { Entry, ProposedEntry } from './entry.js';
import { NONE } from './ids.js';
import type { LogIndex, NodeId, Term } from './ids.js';
import type { Snapshot } from './state.js';

export type MessageType =
  | 'hup'
  | 'beat'
  | 'check-quorum'
  | 'unreachable'
  | 'snap-status'
  | 'prop'
  | 'app'
  | 'app-resp'
  | 'vote'
  | 'vote-resp'
  | 'pre-vote'
  | 'pre-vote-resp'
  | 'snap'
  | 'heartbeat'
  | 'heartbeat-resp'
  | 'transfer-leader'
  | 'timeout-now'
  | 'forget-leader'
  | 'read-index'
  | 'read-index-resp'
  | 'storage-append'
  | 'storage-append-resp'
  | 'storage-apply'
  | 'storage-apply-resp';

/** One flat shape for all messages, so that engines and encoders see a single layout. Unused fields are 0 or empty. */
export interface Message {
  readonly type: MessageType;
  readonly to: NodeId;
  readonly from: NodeId;
  /** 0: no term attached (proposals, reads, local messages). */
  readonly term: Term;
  /** Term of the entry at `index`. */
  readonly logTerm: Term;
  readonly index: LogIndex;
  readonly commit: LogIndex;
  /** Vote of the hard state in a `storage-append`. */
  readonly vote: NodeId;
  readonly reject: boolean;
  /** With `reject`: where the follower's log may begin to match. */
  readonly rejectHint: LogIndex;
  /** ReadIndex attempt that this message belongs to; 0: none. */
  readonly context: number;
  /** A vote request of a leadership transfer: ask voters to ignore the lease. */
  readonly force: boolean;
  readonly entries: readonly (Entry | ProposedEntry)[];
  readonly snapshot: Snapshot | undefined;
  /** Messages to deliver once this local write is done. */
  readonly responses: readonly Message[];
}

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A message that is being filled in. */
export type Draft = { -readonly [Field in keyof Message]: Message[Field] };

/**
 * A message that says nothing yet, of the same shape as all. For those that are sent often: `message` looks for each
 * field that may be there.
 */
export function draft(type: MessageType, to: NodeId, from: NodeId): Draft {
  return {
    type,
    to,
    from,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: NONE,
    reject: false,
    rejectHint: 0,
    context: 0,
    force: false,
    entries: NO_ENTRIES,
    snapshot: undefined,
    responses: NO_MESSAGES,
  };
}

/** Fills the fields that a message does not use. All messages have one shape, so that reading them costs nothing. */
export function message(
  fields: Partial<Message> & Pick<Message, 'type' | 'to'>,
  from = fields.from ?? NONE,
  term = fields.term ?? 0,
): Message {
  return {
    type: fields.type,
    to: fields.to,
    from,
    term,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? NONE,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? 0,
    force: fields.force ?? false,
    entries: fields.entries ?? NO_ENTRIES,
    snapshot: fields.snapshot,
    responses: fields.responses ?? NO_MESSAGES,
  };
}
