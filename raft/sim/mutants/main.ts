/**
 * `make sim-mutants`: runs the simulator on each historical bug until it is caught, each in a process of its own, and
 * prints how many seeds and seconds that took. A seed counts if it passes without the bug. Exits 1 when one was not
 * caught in time.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../../../platform/clock.js';
import { MUTANTS } from './mutants.js';
import type { Mutant } from './mutants.js';

const { values } = parseArgs({ options: { only: { type: 'string' }, seconds: { type: 'string', default: '600' } } });
const print = (line: string) => void process.stdout.write(`${line}\n`);
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const FLAGS = ['--max-semi-space-size=64', '--single-threaded'];
const simulator = here('../main.js');
/** Seeds that fail without any mutant: a fault of ours, and no proof of anything. */
const unsound: string[] = [];

interface Found {
  /** Undefined: none was found in time. */
  readonly seed: string | undefined;
  readonly reason: string;
}

function search(mutant: Mutant, { first, seconds }: { readonly first: number; readonly seconds: number }): Found {
  const args = [
    ...FLAGS,
    '--import',
    here('./register.js'),
    simulator,
    '--first',
    String(first),
    '--seconds',
    String(seconds),
    '--quiet',
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    env: { ...process.env, NAVARCH_SIM_MUTANT: mutant.name },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seed = status === 1 ? /^seed (\d+): FAILED/m.exec(stdout)?.[1] : undefined;
  if (seed === undefined) return { seed, reason: stderr.slice(0, 400) };
  const lines = stdout.trimEnd().split('\n');
  return {
    seed,
    reason:
      lines.findLast(
        (line) => /^[A-Za-z"].*:|written/.test(line) && !line.startsWith('replay') && !/^\d+ seeds/.test(line),
      ) ?? '',
  };
}

const failsByItself = (seed: string): boolean =>
  spawnSync(process.execPath, [...FLAGS, simulator, '--seed', seed, '--quiet'], { encoding: 'utf8' }).status !== 0;

/** True when it was caught. */
function hunt(mutant: Mutant): boolean {
  const started_ms = systemClock.monotonic();
  const elapsed_s = () => (systemClock.monotonic() - started_ms) / 1000;
  const limit_s = Number(values.seconds);
  let found: Found = { seed: undefined, reason: '' };
  for (let first = 1; elapsed_s() < limit_s; first = Number(found.seed) + 1) {
    found = search(mutant, { first, seconds: limit_s - elapsed_s() });
    if (found.seed === undefined || !failsByItself(found.seed)) break;
    unsound.push(found.seed);
    print(`        seed ${found.seed} fails without it, too`);
  }
  const isCaught = found.seed !== undefined && !unsound.includes(found.seed);
  print(
    `${isCaught ? 'caught' : 'MISSED'}  ${mutant.name.padEnd(30)} ${(found.seed ?? '-').padStart(5)} seeds ${elapsed_s().toFixed(1).padStart(6)} s  ${isCaught ? found.reason.slice(0, 110) : found.reason}`,
  );
  return isCaught;
}

const wanted = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
const missed = wanted.filter((mutant) => !hunt(mutant));
print(
  `${wanted.length - missed.length} of ${wanted.length} caught${missed.length === 0 ? '' : `; missed: ${missed.map(({ name }) => name).join(', ')}`}`,
);
if (unsound.length > 0) print(`seeds that fail without any of them: ${unsound.join(', ')}`);
process.exitCode = missed.length === 0 && unsound.length === 0 && wanted.length > 0 ? 0 : 1;
