import { expect, it } from 'vitest';
import { HeartbeatWatch } from './heartbeats.js';

/** Counts by upper bound; those of nothing are left out. */
function counted(watch: HeartbeatWatch): Record<string, number> {
  const { bounds_ms, counts } = watch.intervals;
  return Object.fromEntries(
    counts.map((count, i) => [String(bounds_ms[i] ?? 'more'), count] as const).filter(([, count]) => count > 0),
  );
}

it('counts the time from one heartbeat to the next', () => {
  const watch = new HeartbeatWatch();
  for (const at_ms of [1000, 1050, 1100, 1199, 1300, 9000]) watch.heard(1, 3, at_ms);
  expect(counted(watch)).toEqual({ 55: 2, 100: 1, 125: 1, more: 1 });
  expect(watch.intervals.sum_ms).toBe(8000);
});

it('does not count across another leader or another term', () => {
  const watch = new HeartbeatWatch();
  watch.heard(1, 3, 0);
  watch.heard(2, 4, 700);
  watch.heard(2, 4, 750);
  watch.heard(2, 5, 2000);
  expect(counted(watch)).toEqual({ 55: 1 });
});
