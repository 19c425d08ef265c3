import { expect, it } from 'vitest';
import { VirtualClock } from './clock.js';
import { HoldWatch } from './hold-watch.js';
import { silentLogger } from './log.js';

async function start(waited_ms: () => number | undefined = () => 0) {
  const clock = new VirtualClock();
  let ahead_ms = 0;
  const lines: object[] = [];
  const shifted = { ...clockOf(clock), monotonic: () => clock.monotonic() + ahead_ms };
  const watch = new HoldWatch({ clock: shifted, logger: { ...silentLogger, warn: (fields: object) => void lines.push(fields) }, waited_ms });
  await watch.start();
  return { clock, watch, lines, hold: (ms: number) => void (ahead_ms += ms) };
}

const clockOf = (clock: VirtualClock) => ({
  now: () => clock.now(), monotonic: () => clock.monotonic(), after: clock.after.bind(clock), every: clock.every.bind(clock), sleep: clock.sleep.bind(clock),
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
