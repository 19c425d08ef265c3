/** `make chaos`: a run, or one after the other, against real processes. See README.md. */
import { parseArgs } from 'node:util';
import { systemClock } from '../../platform/clock.js';
import { systemRandom } from '../../platform/random.js';
import { setup } from '../../testing/run-folder.js';
import { ChaosFailure, runChaos, summaryOf } from './run.js';
import type { FaultKind } from './schedule.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    kills: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    loopback: { type: 'boolean', default: false },
  },
});

// Timers of the clock keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const isRoot = process.getuid?.() === 0;
const seed = values.seed === undefined ? systemRandom.int(2 ** 31) : Number(values.seed);
const began_ms = systemClock.monotonic();
const say = (line: string) =>
  console.log(`${((systemClock.monotonic() - began_ms) / 1000).toFixed(1).padStart(7)}  ${line}`);

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());

const tidy = await setup();
try {
  const result = await runChaos({
    seed,
    isolated: isRoot && !values.loopback,
    say,
    signal: interruption.signal,
    ...(values.kills === undefined
      ? { duration_ms: Number(values.minutes) * 60_000 }
      : { kills: Number(values.kills) }),
    ...(values.only === undefined ? {} : { only: values.only.split(',') as FaultKind[] }),
  });
  console.log(summaryOf(result));
} catch (error) {
  console.error(error instanceof ChaosFailure ? error.message : error);
  process.exitCode = 1;
} finally {
  tidy?.();
  clearInterval(alive);
}
