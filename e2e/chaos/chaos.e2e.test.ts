/** Two minutes of chaos. `make chaos` does it for longer; the seed of a failure is in its message. Without root: on the loopback, without partitions and disks. */
import { expect, it } from 'vitest';
import { systemRandom } from '../../platform/random.js';
import { missing } from '../lib/requirements.js';
import { runChaos, summaryOf } from './run.js';

const DURATION_MS = 120_000;
/** What is under way when the time is up must end, everything must heal, and be judged. Beyond it, something hangs. */
const TIMEOUT_MS = 600_000;

const noRoot = missing('chaos in networks and on disks of its own', ['root']);

it('members as processes keep every promise through two minutes of faults', async () => {
  const seed = Number(process.env['CHAOS_SEED'] ?? systemRandom.int(2 ** 31));
  const lines: string[] = [];
  const result = await runChaos({ seed, duration_ms: DURATION_MS, isolated: noRoot.length === 0, say: (line) => void lines.push(line) });
  process.stderr.write(`chaos, ${lines[0] ?? ''}\n${summaryOf(result)}\n`);
  expect(result.episodes).toBeGreaterThan(0);
  expect(result.acknowledged).toBeGreaterThan(0);
}, TIMEOUT_MS);
