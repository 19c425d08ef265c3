/**
 * `make sim SEEDS=n`, `make sim SEED=x`, `make sim-long HOURS=n`: runs seeds one after another, stops at the first
 * failure and prints the command that replays it.
 */
import { parseArgs } from 'node:util';
import { systemClock } from '../../platform/clock.js';
import { systemRandom } from '../../platform/random.js';
import { simulate } from './simulate.js';
import type { RunResult } from './simulate.js';
import { FaultCounts } from './world/faults.js';

const print = (line: string) => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    hours: { type: 'string' },
    seconds: { type: 'string' },
    first: { type: 'string' },
    duration: { type: 'string' },
    trace: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

// The simulated store refuses much, and every refusal would remember where. A replay with a trace tells more.
if (!values.trace) Error.stackTraceLimit = 4;

let current: number | undefined;
process.on('unhandledRejection', (error) => {
  print(`seed ${current}: an unhandled rejection: ${error instanceof Error ? error.stack : String(error)}`);
  print(`replay: make sim SEED=${current}`);
  process.exit(1);
});

async function one(seed: number): Promise<RunResult> {
  current = seed;
  return simulate({
    seed,
    ...(values.duration === undefined ? {} : { duration_ms: Number(values.duration) * 1000 }),
    ...(values.trace ? { onLine: print } : {}),
  });
}

function report(result: RunResult): void {
  const { seed, hash, simulated_ms, events, entries, acknowledged, failure } = result;
  print(
    `seed ${seed}: ${failure === undefined ? 'ok' : 'FAILED'}, trace ${hash}, ${(simulated_ms / 1000).toFixed(1)} s simulated, ${events} events, ${entries} entries, ${acknowledged} answers`,
  );
  if (failure === undefined) return;
  if (!values.trace) for (const line of result.recentLines.slice(-60)) print(line);
  print(failure.name === 'Violation' ? failure.message : (failure.stack ?? failure.message));
  print(`replay: make sim SEED=${seed}`);
}

async function main(): Promise<number> {
  const started_ms = systemClock.monotonic();
  const faults = new FaultCounts();
  const seconds = values.hours === undefined ? values.seconds : String(Number(values.hours) * 3600);
  const count = values.seed !== undefined ? 1 : seconds === undefined ? Number(values.seeds ?? 100) : Infinity;
  const first =
    values.seed === undefined
      ? Number(values.first ?? (seconds === undefined ? 1 : systemRandom.int(2 ** 31)))
      : Number(values.seed);
  let simulated_ms = 0;
  let done = 0;
  let failed: RunResult | undefined;
  const elapsed_s = () => (systemClock.monotonic() - started_ms) / 1000;
  while (done < count && failed === undefined && !(seconds !== undefined && elapsed_s() > Number(seconds))) {
    const result = await one(first + done);
    done++;
    simulated_ms += result.simulated_ms;
    faults.add(result.faults);
    if (result.failure !== undefined) failed = result;
    if (count === 1 || failed !== undefined || (!values.quiet && done % 20 === 0)) report(result);
  }
  const kinds = faults.all;
  for (const [kind, times] of kinds) if (!values.quiet) print(`  ${String(times).padStart(8)}  ${kind}`);
  const { user, system } = process.cpuUsage();
  const cpu_s = (user + system) / 1e6;
  print(
    `${done} seeds from ${first}, ${(simulated_ms / 1000).toFixed(0)} s simulated in ${elapsed_s().toFixed(1)} s (${cpu_s.toFixed(1)} s of one core): ${(simulated_ms / 1000 / cpu_s).toFixed(0)} s simulated a second and core; ${kinds.length} kinds of faults`,
  );
  return failed === undefined ? 0 : 1;
}

process.exitCode = await main();
