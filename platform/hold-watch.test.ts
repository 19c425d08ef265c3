import { expect, it } from 'vitest';
import { VirtualClock } from './clock.js';
import { HoldWatch } from './hold-watch.js';
import { silentLogger } from './log.js';

async function start(waited_ms: () => number | undefined = () => 0) {
  const clock = new VirtualClock();
  let ahead_ms = 0;
  const lines: object[] = [];
  const shifted = { ...clockOf(clock), monotonic: () => clock.monotonic() + ahead_ms };
  const watch = new HoldWatch({
    clock: shifted,
    logger: { ...silentLogger, warn: (fields: object) => void lines.push(fields) },
    waited_ms,
  });
  await watch.start();
  return { clock, watch, lines, hold: (ms: number) => void (ahead_ms += ms) };
}

const clockOf = (clock: VirtualClock) => ({
  now: () => clock.now(),
  monotonic: () => clock.monotonic(),
  after: clock.after.bind(clock),
  every: clock.every.bind(clock),
  sleep: clock.sleep.bind(clock),
  immediate: clock.immediate.bind(clock),
});

it('a hold of the main thread is measured, and names the work that took longest of what began in it', async () => {
  const { clock, watch, lines, hold } = await start();
  await clock.advance(20);
  watch.note('GET /short');
  hold(10);
  watch.note('POST /long: decoding');
  hold(200);
  watch.note('GET /after');
  hold(5);
  await clock.advance(20);
  expect(lines).toEqual([{ held_ms: 215, withheld_ms: 0, work: 'POST /long: decoding' }]);
  expect(watch.longest_ms).toBe(215);
  expect(await watch.metrics()).toContain('navarch_main_thread_hold_seconds_bucket{le="0.25"} 1');
  await clock.advance(70_000);
  expect(watch.longest_ms).toBe(0);
  await watch.stop();
});

it('what collections of garbage took of a hold is told, also of one that is counted after it', async () => {
  const clock = new VirtualClock();
  let [ahead_ms, collected_ms] = [0, 7];
  const lines: object[] = [];
  const watch = new HoldWatch({
    clock: { ...clockOf(clock), monotonic: () => clock.monotonic() + ahead_ms },
    logger: { ...silentLogger, warn: (fields: object) => void lines.push(fields) },
    waited_ms: () => 0,
    collected_ms: () => collected_ms,
  });
  await watch.start();
  await clock.advance(20);
  ahead_ms += 100;
  await clock.advance(20);
  expect([lines, watch.longest_ms]).toEqual([[], 100]);
  collected_ms += 60;
  await clock.advance(20);
  expect(lines).toEqual([{ held_ms: 100, withheld_ms: 0, work: '', collected_ms: 60 }]);
  // The next one has its own.
  ahead_ms += 80;
  await watch.stop();
  await clock.advance(20);
  expect(lines).toHaveLength(1);
});

it('what the machine withheld is no hold', async () => {
  let waited_ms = 0;
  const { clock, watch, lines, hold } = await start(() => waited_ms);
  await clock.advance(20);
  hold(400);
  waited_ms = 380;
  await clock.advance(20);
  expect(lines).toEqual([]);
  expect(watch.longest_ms).toBe(20);
  await watch.stop();
});
