/**
 * `make flood`: a minute of attacks at every port of three members. Elections and late heartbeats are a failure, and so
 * are a silent `/livez`, a held main thread, and memory beyond the aims.
 */
import { constants, getPriority, setPriority } from 'node:os';
import { setup } from '../../testing/run-folder.js';
import { ownSilence_ms, type MemberMeasure } from './flood-measures.js';
import { describeFlood, describeHeartbeats, flood, floodFleet, p99_ms, quiet } from './flood.js';

const P99_MS_MAX = 100;
const QUIET_SECONDS = 10;
const SILENCE_MS_MAX = 250;
const HOLD_MS_MAX = 50;
const MEMORY_MIB_MAX = 300;
const SETTLE_MS = 10_000;
const { PRIORITY_LOW } = constants.priority;
const [seconds = 60, keys = 100_000] = process.argv.slice(2).map(Number);

const missed = (measure: MemberMeasure): string[] => [
  ...(ownSilence_ms(measure) > SILENCE_MS_MAX
    ? [`${measure.name}: /livez was silent for ${ownSilence_ms(measure).toFixed(0)} ms; the aim is ${SILENCE_MS_MAX}`]
    : []),
  ...(measure.hold_ms > HOLD_MS_MAX
    ? [`${measure.name}: the main thread was held for ${measure.hold_ms.toFixed(0)} ms; the aim is ${HOLD_MS_MAX}`]
    : []),
  ...(measure.memory_MiB.peak - measure.memory_MiB.before > MEMORY_MIB_MAX
    ? [
        `${measure.name}: memory rose by ${(measure.memory_MiB.peak - measure.memory_MiB.before).toFixed(0)} MiB; the aim is ${MEMORY_MIB_MAX}`,
      ]
    : []),
];
// Timers of the clock keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const tidy = await setup();
const fleet = await floodFleet();
let hasFailed = false;
// Attackers have processors of their own.
setPriority(0, Math.min(getPriority(0) + 10, PRIORITY_LOW));
try {
  console.log(`${QUIET_SECONDS} s without a flood\n${describeHeartbeats(await quiet(fleet, QUIET_SECONDS))}`);
  const result = await flood(fleet, { seconds, keys, removedKeys: keys, settle_ms: SETTLE_MS });
  console.log(describeFlood(result));
  const isLate = result.followers.some(({ heartbeats }) => p99_ms(heartbeats) > P99_MS_MAX);
  const aims = result.measures.flatMap(missed);
  for (const line of aims) console.error(line);
  hasFailed ||= aims.length > 0;
  if (result.elections.length > 0 || isLate) {
    console.error(
      `the flood ${result.elections.length > 0 ? 'caused elections' : `held heartbeats up: the p99 of their intervals is above ${P99_MS_MAX} ms`}`,
    );
    hasFailed = true;
  }
} catch (error) {
  console.error(error);
  hasFailed = true;
} finally {
  await fleet.stop();
  if (hasFailed) {
    console.error(`logs: ${fleet.keepLogs()}`);
    process.exitCode = 1;
  } else fleet.forget();
  tidy?.();
  clearInterval(alive);
}
