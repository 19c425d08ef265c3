/**
 * Two minutes of chaos, always the same faults: fresh seeds are for `make chaos`, which has the time to look for what
 * nobody has seen. Without root: on the loopback, without partitions and disks.
 */
import { expect, it } from 'vitest';
import { missing } from '../lib/requirements.js';
import { runChaos, summaryOf } from './run.js';

const SEED = 1;
const DURATION_MS = 120_000;
/** What is under way when the time is up must end, everything must heal, and be judged. Beyond it, something hangs. */
const TIMEOUT_MS = 600_000;

const noRoot = missing('chaos in networks and on disks of its own', ['root']);

it(
  'members as processes keep every promise through two minutes of faults',
  async () => {
    const seed = Number(process.env['CHAOS_SEED'] ?? SEED);
    const lines: string[] = [];
    const result = await runChaos({
      seed,
      duration_ms: DURATION_MS,
      isolated: noRoot.length === 0,
      say: (line) => void lines.push(line),
    });
    process.stderr.write(`chaos, ${lines[0] ?? ''}\n${summaryOf(result)}\n`);
    expect(result.episodes).toBeGreaterThan(0);
    expect(result.acknowledged).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
