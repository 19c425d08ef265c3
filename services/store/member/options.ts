/** What it takes to start a member. Plain data and certificates, so that a thread can be given all of it. */
import type { Clock } from '../../../platform/clock.js';
import type { LogOptions } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import type { MemberSettings, MemoryLog, MemoryNetwork, PeerCertificates } from '../../../raft/index.js';
import type { AutoCompactionOptions } from './auto-compaction.js';

/** Can be cloned to another thread. */
export interface StoreMemberData {
  /** Checked on every peer connection and at every start. */
  readonly clusterId: string;
  readonly id: NodeId;
  readonly name: string;
  /**
   * The cluster's first members, the same list on each; for a member that joins, those who are there: where to answer
   * to.
   */
  readonly peers: readonly PeerInfo[];
  /** The cluster exists: this member waits until it is added and sent a snapshot. */
  readonly join?: boolean;
  /** Holds `raft/` (log, identity) and `state/`. One member's alone. */
  readonly dataDir: string;
  /** Where peers connect to. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificates: PeerCertificates;
  readonly raft?: Partial<MemberSettings>;
  readonly autoCompaction?: AutoCompactionOptions;
  /** Size of the state at which nothing may grow any more. 0: none. Default: 2 GiB. The same on all members. */
  readonly quota_bytes?: number;
  /** Longest request that is taken: what it writes, encoded. Default: 1.5 MiB, as etcd. */
  readonly request_bytes?: number;
  /**
   * Room kept on the disk for when it is full; below it nothing may grow. 0: none, and no watch on the disk. Default:
   * 64 MiB.
   */
  readonly diskReserve_bytes?: number;
  /** How often the leader has the members' states compared. 0: never. Default: 10 minutes. */
  readonly hashCheck_ms?: number;
  /** Memory for values that are also on disk. */
  readonly hotValues_bytes?: number;
  readonly log?: LogOptions;
}

export interface StoreMemberOptions extends StoreMemberData {
  readonly clock: Clock;
  readonly random: Random;
  /** The member has stopped for good (disk, corruption): the process should exit. */
  readonly onFatal?: (error: Error) => void;
  /**
   * On a thread of its own. Default: yes in built code, no when run from source. Needs built code and the system's
   * clock.
   */
  readonly thread?: boolean;
}

/**
 * A member for a cluster inside one process: peers talk through `network`, the log is `raftLog`; the state lies in
 * `dataDir`.
 */
export interface InlineMemberOptions extends Omit<StoreMemberOptions, 'listen' | 'certificates' | 'thread'> {
  readonly network: MemoryNetwork;
  /** Kept by the caller, so that the member can be started again on it. */
  readonly raftLog: MemoryLog;
}
