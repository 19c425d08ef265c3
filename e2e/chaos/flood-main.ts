/** `make flood`: a minute of large and broken requests against three members; elections and late heartbeats are a failure. */
import { setPriority } from 'node:os';
import { describeFlood, describeHeartbeats, flood, floodFleet, p99_ms, quiet } from './flood.js';

const P99_MS_MAX = 100;
const QUIET_SECONDS = 10;
const seconds = Number(process.argv[2] ?? '60');
// Timers of the clock keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const fleet = await floodFleet();
// Attackers have processors of their own.
setPriority(0, 10);
try {
  console.log(`${QUIET_SECONDS} s without a flood\n${describeHeartbeats(await quiet(fleet, QUIET_SECONDS))}`);
  const result = await flood(fleet, seconds);
  console.log(describeFlood(result));
  const isLate = result.followers.some(({ heartbeats }) => p99_ms(heartbeats) > P99_MS_MAX);
  if (result.elections.length > 0 || isLate) {
    console.error(`the flood ${result.elections.length > 0 ? 'caused elections' : `held heartbeats up: the p99 of their intervals is above ${P99_MS_MAX} ms`}; logs: ${fleet.root}/m*.log`);
    process.exitCode = 1;
  }
} finally {
  await fleet.stop();
  if (process.exitCode === undefined) fleet.forget();
  clearInterval(alive);
}
