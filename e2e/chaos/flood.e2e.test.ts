/**
 * A quarter of a minute of what `make flood` does for a whole one. Heartbeats are reported, not judged: that takes a
 * machine of one's own.
 */
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import type { Fleet } from './fleet.js';
import { electionsAfter } from './elections.js';
import {
  describeFlood,
  flood,
  floodFleet,
  isDueToFlood,
  p99_ms,
  since,
  type FloodResult,
  type Heartbeats,
} from './flood.js';
import { ownSilence_ms } from './flood-measures.js';
import { withheld_ms, type Look } from './withheld.js';

const OPTIONS = { seconds: 15, keys: 5000, removedKeys: 1000, settle_ms: 0 };
/** Of a minute of `make flood` less is expected; here others have the processors, too. */
const SILENCE_MS_MAX = 5000;
const MEMORY_MIB_MAX = 700;
let fleet: Fleet;
let hasFailed = false;

beforeAll(async () => {
  fleet = await floodFleet();
});
afterAll(async () => {
  await fleet?.stop();
  if (hasFailed) process.stderr.write(`flood: failed; logs: ${fleet?.keepLogs()}\n`);
  else fleet?.forget();
});

async function survived(): Promise<FloodResult> {
  const put = (key: string) => fleet.members[0]?.client.put({ key: Buffer.from(key), value: Buffer.from('kept') });
  expect(await put('before')).toMatchObject({ kind: 'ok' });
  const result = await flood(fleet, OPTIONS);
  process.stderr.write(`flood: ${describeFlood(result)}\n`);
  expect(fleet.members.map(({ isRunning }) => isRunning)).toEqual([true, true, true]);
  for (const [name, attempts] of result.attempts) expect([name, attempts > 0]).toEqual([name, true]);
  for (const measure of result.measures) {
    expect(ownSilence_ms(measure)).toBeLessThan(SILENCE_MS_MAX);
    expect(measure.memory_MiB.peak - measure.memory_MiB.before).toBeLessThan(MEMORY_MIB_MAX);
  }
  for (const { heartbeats } of result.followers) expect(heartbeats.count).toBeGreaterThan(0);
  expect(await put('after')).toMatchObject({ kind: 'ok' });
  return result;
}

it('a flood of large and broken requests ends no member, and elects no leader', async () => {
  onTestFailed(() => {
    hasFailed = true;
  });
  const first = await survived();
  expect(first.elections.filter(isDueToFlood)).toEqual([]);
  if (first.elections.length === 0) return;
  // The machine kept processors or disk from the members when it came to it, which says nothing of the flood: once
  // more, and then it counts.
  expect((await survived()).elections).toEqual([]);
});

it('an election counts unless processors or disk were kept from the members just before it', () => {
  const looks = [0, 1000, 2000, 3000].map((at_ms, i): Look => ({
    at_ms,
    waited_ms: [10 * i, [0, 0, 250, 250][i] ?? 0, 20 * i],
    stolen_ms: i === 3 ? 70 : 0,
  }));
  expect([withheld_ms(looks, 0, 1000), withheld_ms(looks, 500, 1500), withheld_ms(looks, 2100, 2900)]).toEqual([
    30, 290, 100,
  ]);
  expect([withheld_ms(looks, -1, 1000), withheld_ms(looks, 0, 3001), withheld_ms([], 0, 1)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  const counts = (withheld: number | undefined, forDisk = false) =>
    isDueToFlood({ term: 2, forDisk, withheld_ms: withheld });
  expect([counts(0), counts(299), counts(300), counts(undefined), counts(0, true)]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

it('elections are found in the logs of all members, each once', () => {
  const line = (second: number, fields: object) =>
    JSON.stringify({ time: `2026-01-01T00:00:0${second}.000Z`, ...fields });
  const leads = (second: number, leader: number, term: number) => line(second, { leader, term, msg: 'leadership' });
  const logs = [
    [leads(1, 7, 4), leads(3, 0, 5), leads(5, 8, 5), '{"time":"2026-01-01T00:00'].join('\n'),
    [
      leads(4, 8, 5),
      line(7, { msg: 'the disk does not finish a write: another member shall lead' }),
      leads(8, 7, 6),
    ].join('\n'),
  ];
  const at = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);
  expect(electionsAfter(logs, 4)).toEqual([
    { term: 5, at_ms: at(4), forDisk: false },
    { term: 6, at_ms: at(8), forDisk: true },
  ]);
});

it('the p99 counts late heartbeats among those that were due, whatever else was sent', () => {
  const at = (sum_s: number, counts: [number, number, number]): Heartbeats => ({
    buckets: new Map([
      [0.025, counts[0]],
      [0.065, counts[1]],
      [Infinity, counts[2]],
    ]),
    sum_s,
    count: counts[2],
  });
  expect(p99_ms(at(50, [0, 1000, 1000]))).toBe(65);
  expect(p99_ms(at(50, [0, 989, 1000]))).toBe(Infinity);
  // A thousand more for reads, and ten late ones too many.
  expect(p99_ms(at(50, [1000, 1980, 2000]))).toBe(Infinity);
  expect(since(at(50, [0, 980, 1000]), at(100, [0, 1980, 2000])).buckets.get(0.065)).toBe(1000);
});
