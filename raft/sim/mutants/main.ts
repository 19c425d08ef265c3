/**
 * `make sim-mutants`: runs the simulator on each historical bug until it is caught, each in a process of its own, and prints
 * how many seeds and seconds that took. Exits 1 when one was not caught in time.
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

/** True when it was caught. */
function hunt(mutant: Mutant): boolean {
  const started_ms = systemClock.monotonic();
  const args = ['--max-semi-space-size=64', '--single-threaded', '--import', here('./register.js'), here('../main.js'), '--first', '1', '--seconds', values.seconds, '--quiet'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    env: { ...process.env, NAVARCH_SIM_MUTANT: mutant.name }, encoding: 'utf8', maxBuffer: 1 << 28,
  });
  const seconds = ((systemClock.monotonic() - started_ms) / 1000).toFixed(1);
  const seed = /^seed (\d+): FAILED/m.exec(stdout)?.[1];
  const lines = stdout.trimEnd().split('\n');
  const reason = lines.findLast((line) => /^[A-Za-z"].*:|written/.test(line) && !line.startsWith('replay') && !/^\d+ seeds/.test(line)) ?? '';
  const isCaught = status === 1 && seed !== undefined;
  print(`${isCaught ? 'caught' : 'MISSED'}  ${mutant.name.padEnd(30)} ${(seed ?? '-').padStart(5)} seeds ${seconds.padStart(6)} s  ${isCaught ? reason.slice(0, 110) : stderr.slice(0, 400)}`);
  return isCaught;
}

const wanted = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
const missed = wanted.filter((mutant) => !hunt(mutant));
print(`${wanted.length - missed.length} of ${wanted.length} caught${missed.length === 0 ? '' : `; missed: ${missed.map(({ name }) => name).join(', ')}`}`);
process.exitCode = missed.length === 0 && wanted.length > 0 ? 0 : 1;
