/**
 * The state of one node, and how messages leave it. The rules that change it are in the modules beside: transitions,
 * election, replication, follower, read-index, membership; step.ts dispatches.
 */
import { assert } from '../../platform/assert.js';
import { RaftLog } from './log/raft-log.js';
import type { CoreOptions } from './options.js';
import { ReadQueue } from './read-queue.js';
import { Tracker } from './tracker/tracker.js';
import { message } from './types/message.js';
import { NONE } from './types/ids.js';
import type { Draft, Message } from './types/message.js';
import type { HardState, ReadState, Role, SoftState } from './types/state.js';
import type { LogIndex, NodeId, Term } from './types/ids.js';

export interface RaftSettings {
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly messageBytesMax: number;
  readonly uncommittedBytesMax: number;
  readonly checkQuorum: boolean;
  readonly preVote: boolean;
  readonly readOnly: 'safe' | 'lease-based';
  readonly disableProposalForwarding: boolean;
  readonly disableConfChangeValidation: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly randomInt: (bound: number) => number;
}

function settingsOf(options: CoreOptions): RaftSettings {
  const checkQuorum = options.checkQuorum ?? false;
  const readOnly = options.readOnly ?? 'safe';
  assert(options.id > 0, 'a node id is positive');
  assert(
    options.electionTicks > options.heartbeatTicks && options.heartbeatTicks > 0,
    'heartbeats come more often than elections',
  );
  assert(readOnly === 'safe' || checkQuorum, 'reads by lease need the quorum check');
  return {
    electionTicks: options.electionTicks,
    heartbeatTicks: options.heartbeatTicks,
    messageBytesMax: options.messageBytesMax ?? Infinity,
    uncommittedBytesMax: options.uncommittedBytesMax ?? Infinity,
    checkQuorum,
    preVote: options.preVote ?? false,
    readOnly,
    disableProposalForwarding: options.disableProposalForwarding ?? false,
    disableConfChangeValidation: options.disableConfChangeValidation ?? false,
    stepDownOnRemoval: options.stepDownOnRemoval ?? false,
    randomInt: options.randomInt,
  };
}

export class Raft {
  readonly id: NodeId;
  readonly settings: RaftSettings;
  readonly log: RaftLog;
  tracker: Tracker;

  term: Term = 0;
  vote: NodeId = NONE;
  lead: NodeId = NONE;
  role: Role = 'follower';
  isLearner = false;

  /** Leader: who is to take over; NONE: no transfer under way. */
  transferee: NodeId = NONE;
  /** Leader: no further membership change is taken in until this index is applied. */
  pendingConfIndex: LogIndex = 0;
  /** Leader: bytes of proposals that are in the log and not applied yet. */
  uncommittedBytes = 0;

  /** Leader: ticks since the last quorum check. Others: ticks since the leader was heard or a vote was cast. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;

  readonly reads = new ReadQueue();
  /** Reads that wait for the first commit of the leader's term. */
  postponedReads: Message[] = [];
  readStates: ReadState[] = [];

  /** May leave at once. */
  messages: Message[] = [];
  /** Must not leave before what is unstable now is durable: votes and acknowledgements. */
  messagesAfterAppend: Message[] = [];

  constructor(options: CoreOptions) {
    this.id = options.id;
    this.settings = settingsOf(options);
    this.log = new RaftLog(options.storage, options.committedBytesPerReadyMax ?? options.messageBytesMax ?? Infinity);
    this.tracker = new Tracker({
      count_max: options.inflightMax ?? Infinity,
      bytes_max: options.inflightBytesMax ?? Infinity,
    });
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  softState(): SoftState {
    return { lead: this.lead, role: this.role };
  }

  /** A voter that has its state together may stand for election. */
  promotable(): boolean {
    const progress = this.tracker.progress.get(this.id);
    return progress !== undefined && !progress.isLearner && this.log.unstable.snapshot === undefined;
  }

  send(fields: Parameters<typeof message>[0]): void {
    const { type } = fields;
    const isVote = type === 'vote' || type === 'vote-resp' || type === 'pre-vote' || type === 'pre-vote-resp';
    assert(
      isVote === (fields.term !== undefined && fields.term !== 0),
      `message ${type} carries a term of its own exactly if it is a vote`,
    );
    const isTermless = type === 'prop' || type === 'read-index';
    const term = isVote ? fields.term : isTermless ? 0 : this.term;
    this.#queue(message(fields, fields.from ?? this.id, term));
  }

  /** Sends what was filled in, which is no vote, in the present term. */
  post(full: Draft): void {
    full.term = this.term;
    this.#queue(full);
  }

  #queue(full: Message): void {
    const { type } = full;
    if (type === 'app-resp' || type === 'vote-resp' || type === 'pre-vote-resp') {
      this.messagesAfterAppend.push(full);
    } else {
      assert(full.to !== this.id, `message ${type} to itself`);
      this.messages.push(full);
    }
  }
}
