/**
 * The vocabulary of the core: entries, messages and states, as plain data. Numbers are checked integers; 0 means "none"
 * for nodes, terms and indexes, since real ones start at 1.
 */

export type NodeId = number;
export type Term = number;
export type LogIndex = number;

/** No node, or no leader. */
export const NONE: NodeId = 0;
/** Addresses of the two local workers that carry out storage writes (asynchronous mode). Never on the wire. */
export const APPEND_THREAD: NodeId = -1;
export const APPLY_THREAD: NodeId = -2;

/** `conf-change` holds exactly one change; `conf-change-v2` holds any number and how to pass through the joint state. */
export type EntryKind = 'normal' | 'conf-change' | 'conf-change-v2';

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
  /** The proposer's mark, by which it recognizes its own entry when it applies; 0: nobody waits. Opaque to the core. */
  readonly proposal: number;
}

/** What a proposer hands in: the leader adds term and index. */
export type ProposedEntry = Omit<Entry, 'term' | 'index'>;

/** What must be durable before a node answers for it (Raft paper, figure 2). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: LogIndex;
}

export type Role = 'follower' | 'candidate' | 'pre-candidate' | 'leader';

export interface SoftState {
  readonly lead: NodeId;
  readonly role: Role;
}

/** A configuration in the form that snapshots and logs keep it. Sets without order. */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
}

/** What the core knows of a snapshot. Its content travels beside the core. */
export interface Snapshot {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}

/** The answer to a ReadIndex request: reads that see everything up to `index` are linearizable (thesis 6.4). */
export interface ReadState {
  readonly index: LogIndex;
  readonly context: number;
}

export type MessageType =
  | 'hup' | 'beat' | 'check-quorum' | 'unreachable' | 'snap-status'
  | 'prop' | 'app' | 'app-resp' | 'vote' | 'vote-resp' | 'pre-vote' | 'pre-vote-resp' | 'snap'
  | 'heartbeat' | 'heartbeat-resp' | 'transfer-leader' | 'timeout-now' | 'forget-leader'
  | 'read-index' | 'read-index-resp'
  | 'storage-append' | 'storage-append-resp' | 'storage-apply' | 'storage-apply-resp';

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

export const NO_DATA = new Uint8Array(0);
const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A message that is being filled in. */
export type Draft = { -readonly [Field in keyof Message]: Message[Field] };

/** A message that says nothing yet, of the same shape as all. For those that are sent often: `message` looks for each field that may be there. */
export function draft(type: MessageType, to: NodeId, from: NodeId): Draft {
  return {
    type, to, from, term: 0, logTerm: 0, index: 0, commit: 0, vote: NONE, reject: false, rejectHint: 0, context: 0, force: false,
    entries: NO_ENTRIES, snapshot: undefined, responses: NO_MESSAGES,
  };
}

/** Fills the fields that a message does not use. All messages have one shape, so that reading them costs nothing. */
export function message(fields: Partial<Message> & Pick<Message, 'type' | 'to'>, from = fields.from ?? NONE, term = fields.term ?? 0): Message {
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

/** Bytes that an entry costs beside its data, in memory and on the wire; an estimate that limits are counted in. */
export const ENTRY_OVERHEAD_BYTES = 12;

export function entrySize(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + entry.data.length;
}

export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

/** Bytes of user data alone. The no-op of a term and the leaving of a joint state count nothing and are never refused. */
export function payloadSize(entries: readonly { readonly data: Uint8Array }[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

/** The longest prefix of at most `bytes_max`, but at least one entry, so that a large one cannot block the log. */
export function limitSize(entries: readonly Entry[], bytes_max: number): readonly Entry[] {
  let size = 0;
  for (const [i, entry] of entries.entries()) {
    size += entrySize(entry);
    if (size > bytes_max && i > 0) return entries.slice(0, i);
  }
  return entries;
}
