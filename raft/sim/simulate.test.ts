/** A minute of seeds in every test run; `make sim` and `make sim-long` run more of them. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { simulate } from './simulate.js';
import { FaultCounts } from './world/faults.js';

const BUDGET_MS = 60_000;
const SEEDS_MIN = 5;
const DURATION_MS = 15_000;

describe('a simulated cluster', () => {
  it('keeps every promise under the faults of as many seeds as the time allows', async () => {
    const started_ms = systemClock.monotonic();
    const faults = new FaultCounts();
    let seeds = 0;
    while (seeds < SEEDS_MIN || systemClock.monotonic() - started_ms < BUDGET_MS) {
      const result = await simulate({ seed: 1000 + seeds++, duration_ms: DURATION_MS });
      faults.add(result.faults);
      expect(result.failure?.message, `replay: make sim SEED=${result.seed} SECONDS=15`).toBeUndefined();
      expect(result.acknowledged).toBeGreaterThan(0);
    }
    expect(faults.all.length).toBeGreaterThanOrEqual(20);
  }, 180_000);

  it('is a function of its seed', async () => {
    const [first, again, other] = [
      await simulate({ seed: 3, duration_ms: 5000 }),
      await simulate({ seed: 3, duration_ms: 5000 }),
      await simulate({ seed: 4, duration_ms: 5000 }),
    ];
    expect(again.hash).toBe(first.hash);
    expect(again.events).toBe(first.events);
    expect(other.hash).not.toBe(first.hash);
  });
});
