/** What a core is started with. Time is counted in ticks; chance is handed in. */
import type { LogStorage } from './log/storage.js';
import type { LogIndex, NodeId } from './types/ids.js';

export interface CoreOptions {
  readonly id: NodeId;
  readonly storage: LogStorage;
  /** An integer in [0, bound): the jitter of election timeouts. */
  readonly randomInt: (bound: number) => number;
  /** Ticks without a leader until an election; the actual timeout lies in [electionTicks, 2 * electionTicks). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Last applied index; entries behind it are handed out again. 0: start of the log. */
  readonly applied?: LogIndex;
  /** Limits; all absent ones are infinite. */
  readonly messageBytesMax?: number;
  readonly committedBytesPerReadyMax?: number;
  readonly uncommittedBytesMax?: number;
  readonly inflightMax?: number;
  readonly inflightBytesMax?: number;
  /** Writes and applies leave as messages to local threads and are acknowledged by messages (see ready.ts). */
  readonly asyncStorageWrites?: boolean;
  /**
   * A leader that hears from no quorum steps down; voters that hear a leader refuse to elect another (thesis 6.2,
   * 4.2.3).
   */
  readonly checkQuorum?: boolean;
  /** Ask before disturbing the term (thesis 9.6). */
  readonly preVote?: boolean;
  /** `lease-based` trusts clocks and needs checkQuorum. */
  readonly readOnly?: 'safe' | 'lease-based';
  readonly disableProposalForwarding?: boolean;
  readonly disableConfChangeValidation?: boolean;
  readonly stepDownOnRemoval?: boolean;
}
