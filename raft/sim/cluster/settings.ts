/**
 * What a seed decides before the run begins: sizes, limits, how bad the network and the disks are, which faults come.
 */
import type { Random } from '../../../platform/random.js';
import { COMMAND_LEVEL } from '../../../services/store/mvcc/commands.js';
import type { MemberSettings } from '../../index.js';
import type { NetworkSettings } from '../world/network.js';

const FAULTS = [
  'crash',
  'power loss',
  'power loss of all',
  'graceful restart',
  'pause',
  'symmetric partition',
  'one-way partition',
  'isolation',
  'split',
  'deafness',
  'slow link',
  'stalled link',
  'clock jump',
  'slow disk',
  'hung disk',
  'failed write',
  'failed sync',
  'full disk',
  'lost sync',
  'bit rot',
  'misdirected write',
  'truncated log',
  'old disk',
  'wiped disk',
  'leadership transfer',
  'membership change',
  'crash in a row',
  'crash at a write',
  'upgrade',
] as const;

export type FaultName = (typeof FAULTS)[number];

export interface SimSettings {
  readonly members: number;
  readonly clients: number;
  readonly watchers: number;
  /** Of leases (workload/keepers.ts). */
  readonly keepers: number;
  readonly duration_ms: number;
  /** What the first members' programs understand; newer ones take their places. */
  readonly level: number;
  readonly think_ms: number;
  readonly raft: Partial<MemberSettings>;
  readonly network: NetworkSettings;
  readonly diskLatency_ms: number;
  readonly rotationLoss: number;
  readonly hotValues_bytes: number;
  readonly drift: number;
  /** How much is done before others have their turn; 0 ms: every slice is a turn. */
  readonly turn_ms: number;
  readonly slice_keys: number;
  readonly part_records: number;
  /** Mean time between two faults. */
  readonly faultInterval_ms: number;
  /** How often each comes, relative to the others. */
  readonly faults: ReadonlyMap<FaultName, number>;
}

/** Swarm testing: each seed leaves out about half of the faults, so that none hides what another would show. */
export function settingsOf(random: Random, duration_ms: number): SimSettings {
  const pick = <T>(...choices: readonly T[]): T => choices[random.int(choices.length)] as T;
  const sometimes = (value: number) => (random.int(2) === 0 ? 0 : value * random.next());
  const faults = new Map<FaultName, number>();
  for (const fault of FAULTS) if (random.int(2) === 0) faults.set(fault, 1 + random.int(4));
  return {
    members: pick(1, 3, 3, 3, 3, 5),
    clients: 2 + random.int(6),
    watchers: 1 + random.int(4),
    duration_ms,
    level: pick(1, COMMAND_LEVEL),
    think_ms: pick(20, 60, 150),
    raft: {
      request_ms: 4000,
      persist_ms: pick(20, 100, 400),
      logTail_entries: pick(4, 30, 200),
      inflight_max: pick(2, 16, 256),
      message_bytes_max: pick(200, 1 << 20),
      uncommitted_bytes_max: pick(2000, 64 << 20),
      handover_ms: 1000,
    },
    network: {
      latency_ms: pick(0.2, 2, 15),
      jitter_ms: pick(0.1, 2, 10),
      loss: sometimes(0.05),
      duplication: sometimes(0.05),
      reorder: sometimes(0.1),
      snapshotBreak: sometimes(0.2),
    },
    diskLatency_ms: pick(0.3, 3, 12),
    rotationLoss: sometimes(0.5),
    hotValues_bytes: pick(0, 500, 1 << 20),
    drift: sometimes(0.02),
    faultInterval_ms: pick(300, 1000, 3000),
    faults,
    turn_ms: pick(0, 0, 4),
    slice_keys: pick(1, 3, 500),
    part_records: pick(1, 3, 1000),
    keepers: random.int(3),
  };
}
