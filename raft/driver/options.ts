/** What a member is made of. The defaults suit a busy machine with two cores. */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { NodeId, PeerInfo, RaftEvents, StateMachine } from '../contract.js';
import type { MemberLog } from '../log/log.js';
import type { Transport } from '../transport/transport.js';

export interface MemberSettings {
  /** One tick, and the interval of heartbeats. */
  readonly heartbeat_ms: number;
  /** Without a leader for this long (to twice as long, by chance), a member stands for election. */
  readonly election_ms: number;
  /** How long propose and readIndex wait for an outcome. */
  readonly request_ms: number;
  /** The state is made durable this often, if it changed. */
  readonly persist_ms: number;
  /** How long a member applies before ticks, messages and reads have their turn. */
  readonly turn_ms: number;
  /** Entries kept behind the durable state, so that a member that was away shortly needs no snapshot. */
  readonly logTail_entries: number;
  readonly logTail_bytes: number;
  /** A batch of proposals holds the next one back until it is decided, but no longer than this. */
  readonly batch_ms: number;
  /** A follower hears of what was committed with the next batch, if one is to be expected within this time. */
  readonly note_ms: number;
  readonly message_bytes_max: number;
  readonly inflight_max: number;
  readonly inflight_bytes_max: number;
  /** Proposals beyond this many bytes that are not applied yet are refused with `dropped`. */
  readonly uncommitted_bytes_max: number;
  /** Followers whose leader's stream broke ask for votes this far apart. More than a round trip and a write. */
  readonly takeover_ms: number;
  /** How long a stopping leader waits for another to take over; 0: it does not hand over. */
  readonly handover_ms: number;
  /** A joining learner is given a vote when its log is at most this far behind what is committed. */
  readonly promotionLag_entries: number;
  /** A joining learner that the leader has not heard for so long is taken out again. */
  readonly joinExpiry_ms: number;
  /** A member that learns of its removal goes on answering for so long, so that the others learn of it too. */
  readonly removalLinger_ms: number;
}

export const DEFAULT_SETTINGS: MemberSettings = {
  heartbeat_ms: 50,
  election_ms: 600,
  request_ms: 8000,
  persist_ms: 200,
  turn_ms: 4,
  logTail_entries: 10_000,
  logTail_bytes: 32 << 20,
  batch_ms: 3,
  note_ms: 2,
  message_bytes_max: 1 << 20,
  inflight_max: 256,
  inflight_bytes_max: 16 << 20,
  uncommitted_bytes_max: 64 << 20,
  takeover_ms: 30,
  handover_ms: 1000,
  promotionLag_entries: 500,
  joinExpiry_ms: 300_000,
  removalLinger_ms: 2000,
};

export interface MemberOptions {
  readonly clusterId: string;
  readonly id: NodeId;
  /** The cluster's first members, the same list for each; ignored once there is state. */
  readonly peers: readonly PeerInfo[];
  /** The cluster exists: `peers` only tells where; this member waits until it is added and sent a snapshot. */
  readonly join: boolean;
  readonly stateMachine: StateMachine;
  readonly log: MemberLog;
  readonly transport: Transport;
  /** Of the data directory; undefined: there is none (a cluster without disks), and directories are not told apart. */
  readonly instance?: string;
  /** Up to which level this program understands the state machine's commands; undefined: it takes no part in levels. */
  readonly level?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: RaftEvents;
  readonly settings: MemberSettings;
}
