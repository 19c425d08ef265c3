import { describe, expect, it } from 'vitest';
import { describeEpisode, GRAVE, killings, schedule, TRANSIENT, type Episode, type FaultKind } from './schedule.js';

const ALL: readonly FaultKind[] = [...TRANSIENT, ...GRAVE];
const take = (from: Generator<Episode>, count: number) =>
  Array.from({ length: count }, () => from.next().value as Episode);

describe('the schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    const [first, again, other] = [7, 7, 8].map((seed) =>
      take(schedule({ seed, kinds: ALL }), 50).map(describeEpisode),
    );
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(take(killings(7), 20)).toEqual(take(killings(7), 20));
  });

  it('meets every kind once before any twice, but for company', () => {
    const first = take(schedule({ seed: 3, kinds: ALL }), ALL.length);
    expect(new Set(first.map(({ faults }) => faults[0]?.kind))).toEqual(new Set(ALL));
  });

  it('leaves what needs the other members alone', () => {
    const grave = new Set<FaultKind>(GRAVE);
    for (const { faults } of take(schedule({ seed: 1, kinds: ALL }), 500)) {
      if (faults.some(({ kind }) => grave.has(kind))) expect(faults).toHaveLength(1);
      expect(new Set(faults.map(({ kind }) => kind)).size).toBe(faults.length);
    }
  });

  it('does only what the machine can do', () => {
    for (const { faults } of take(schedule({ seed: 1, kinds: ['kill', 'pause'] }), 100)) {
      for (const { kind } of faults) expect(['kill', 'pause']).toContain(kind);
    }
  });
});
