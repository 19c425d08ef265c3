import { describe, expect, it } from 'vitest';
import { VirtualClock } from './clock.js';
import { seededRandom } from './random.js';
import { finish, SliceMeter, sortSlices, Turns } from './slices.js';
import type { Slices } from './slices.js';

it('sorts as Array.sort does, whatever the length and the order, and never more than a slice at once', () => {
  const random = seededRandom(7);
  for (const length of [0, 1, 63, 64, 65, 129, 1000, 5000]) {
    const items = Array.from({ length }, (_, place) => ({ rank: random.int(50), place }));
    const slices = sortSlices(items, (a, b) => a.rank - b.rank, new SliceMeter(100));
    let yields = 0;
    let sorted;
    for (sorted = slices.next(); sorted.done !== true; sorted = slices.next()) yields++;
    expect(sorted.value).toEqual([...items].sort((a, b) => a.rank - b.rank));
    expect(yields).toBeGreaterThanOrEqual(Math.floor(length / 100));
  }
});

/** A clock whose time passes while work is done; it marks the end of each turn. */
class WorkClock extends VirtualClock {
  worked_ms = 0;
  readonly #log: string[];

  constructor(log: string[]) {
    super();
    this.#log = log;
  }

  override immediate(callback: () => void): void {
    super.immediate(() => {
      this.#log.push('|');
      callback();
    });
  }

  override monotonic(): number {
    return super.monotonic() + this.worked_ms;
  }
}

describe('Turns', () => {
  const log: string[] = [];
  const clock = new WorkClock(log);
  const turns = new Turns({ clock, turn_ms: 3 });
  function* work(name: string, slices: number): Slices<string> {
    for (let i = 0; i < slices; i++) {
      log.push(name);
      clock.worked_ms += 1;
      yield;
    }
    return name;
  }

  it('share one turn, each slice by slice, and what is short is done at once', async () => {
    const all = Promise.all([turns.do(work('a', 5)), turns.do(work('b', 4)), turns.do(work('c', 1))]);
    // The first has the turn to itself; the others come when it is over.
    expect(log.join('')).toBe('aaa');
    await clock.advance(1);
    expect(await all).toEqual(['a', 'b', 'c']);
    expect(log.join('')).toBe('aaa|abc|abb|b|');
  });

  it('end with what is thrown before a slice', async () => {
    let isClosed = false;
    const stopped = expect(
      turns.do(work('d', 10), () => {
        if (isClosed) throw new Error('closed');
      }),
    ).rejects.toThrow('closed');
    isClosed = true;
    await clock.advance(10);
    await stopped;
    expect(finish(work('e', 3))).toBe('e');
  });
});

it('a meter counts work that could not be interrupted', () => {
  const meter = new SliceMeter(10);
  expect(meter.spend(9)).toBe(false);
  meter.charge(5);
  expect(meter.spend()).toBe(true);
  expect(meter.spend()).toBe(false);
});
