import { expect, it } from 'vitest';
import type { RaftStatus } from '../../raft/contract.js';
import { memberMetrics } from './member-metrics.js';

it('tells the histogram of heartbeats with cumulative counts, in seconds', () => {
  const status = {
    term: 7,
    role: 'follower',
    leader: 3,
    commitIndex: 12,
    appliedIndex: 11,
    heartbeats: { bounds_ms: [55, 100], counts: [8, 1, 1], sum_ms: 4250 },
  } as unknown as RaftStatus;
  const text = memberMetrics(status);
  expect(text).toContain('navarch_raft_term 7\n');
  expect(text).toContain('navarch_raft_is_leader 0\n');
  const histogram = text.split('\n').filter((line) => line.startsWith('navarch_raft_heartbeat'));
  const name = 'navarch_raft_heartbeat_interval_seconds';
  expect(histogram).toEqual([
    `${name}_bucket{le="0.055"} 8`,
    `${name}_bucket{le="0.1"} 9`,
    `${name}_bucket{le="+Inf"} 10`,
    `${name}_sum 4.25`,
    `${name}_count 10`,
  ]);
  expect(text.endsWith('\n')).toBe(true);
});
