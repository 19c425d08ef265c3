/**
 * What a member's Raft tells of itself, in the text format of metrics. Histograms are kept by the Raft thread: they are
 * told, not observed here.
 */
import type { PartFaults } from '../../platform/containment.js';
import type { HeartbeatIntervals, RaftStatus } from '../../raft/contract.js';

export function memberMetrics(status: RaftStatus, faults: readonly PartFaults[] = []): string {
  return [
    ...gauge('navarch_raft_term', 'The term this member is in.', status.term),
    ...gauge('navarch_raft_is_leader', '1 on the member that leads.', status.role === 'leader' ? 1 : 0),
    ...gauge('navarch_raft_has_leader', '1 while a leader is known.', status.leader === undefined ? 0 : 1),
    ...gauge('navarch_raft_commit_index', 'The newest entry known to be committed.', status.commitIndex),
    ...gauge('navarch_raft_applied_index', 'The newest entry applied.', status.appliedIndex),
    ...heartbeats(status.heartbeats),
    '# HELP navarch_part_faults_total Faults that were contained, by the part that they ended.',
    '# TYPE navarch_part_faults_total counter',
    ...faults.map(({ part, count }) => `navarch_part_faults_total{part="${part}"} ${count}`),
    '',
  ].join('\n');
}

const gauge = (name: string, help: string, value: number): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} gauge`,
  `${name} ${value}`,
];

function heartbeats({ bounds_ms, counts, sum_ms }: HeartbeatIntervals): string[] {
  const name = 'navarch_raft_heartbeat_interval_seconds';
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const bound_ms = bounds_ms[i];
    return `${name}_bucket{le="${bound_ms === undefined ? '+Inf' : bound_ms / 1000}"} ${total}`;
  });
  return [
    `# HELP ${name} Time between heartbeats of one leader, as this member worked on them.`,
    `# TYPE ${name} histogram`,
    ...buckets,
    `${name}_sum ${sum_ms / 1000}`,
    `${name}_count ${total}`,
  ];
}
