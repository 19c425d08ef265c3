/** A quarter of a minute of what `make flood` does for a whole one. Heartbeats are reported, not judged: that takes a machine of one's own. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Fleet } from './fleet.js';
import { describeFlood, flood, floodFleet, p99_ms, since, type Heartbeats } from './flood.js';

const SECONDS = 15;
let fleet: Fleet;

beforeAll(async () => {
  fleet = await floodFleet();
});
afterAll(async () => {
  await fleet?.stop();
  fleet?.forget();
});

// Once more when it fails: an election that a busy neighbour on this machine caused does not come twice.
it('a flood of large and broken requests ends no member, and elects no leader', { retry: 1 }, async () => {
  const put = (key: string) => fleet.members[0]?.client.put({ key: Buffer.from(key), value: Buffer.from('kept') });
  expect(await put('before')).toMatchObject({ kind: 'ok' });
  const result = await flood(fleet, SECONDS);
  process.stderr.write(`flood: ${describeFlood(result)}\n`);
  expect(fleet.members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
  expect(result.elections).toBe(0);
  for (const [name, attempts] of result.attempts) expect([name, attempts > 0]).toEqual([name, true]);
  for (const { heartbeats } of result.followers) expect(heartbeats.count).toBeGreaterThan(0);
  expect(await put('after')).toMatchObject({ kind: 'ok' });
});

it('the p99 counts late heartbeats among those that were due, whatever else was sent', () => {
  const at = (sum_s: number, counts: [number, number, number]): Heartbeats => ({ buckets: new Map([[0.025, counts[0]], [0.065, counts[1]], [Infinity, counts[2]]]), sum_s, count: counts[2] });
  expect(p99_ms(at(50, [0, 1000, 1000]))).toBe(65);
  expect(p99_ms(at(50, [0, 989, 1000]))).toBe(Infinity);
  // A thousand more for reads, and ten late ones too many.
  expect(p99_ms(at(50, [1000, 1980, 2000]))).toBe(Infinity);
  expect(since(at(50, [0, 980, 1000]), at(100, [0, 1980, 2000])).buckets.get(0.065)).toBe(1000);
});
