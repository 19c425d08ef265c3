import { expect, it } from 'vitest';
import { TurnBudget } from './turn-budget.js';

/** Turns of a loop that the test takes. */
function loop() {
  const callbacks: (() => void)[] = [];
  return {
    immediate: (callback: () => void) => void callbacks.push(callback),
    async turn() {
      for (const callback of callbacks.splice(0)) callback();
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
    get isIdle() {
      return callbacks.length === 0;
    },
  };
}

it('nobody waits while the budget of a turn lasts', async () => {
  const clock = loop();
  const budget = new TurnBudget(clock, 10);
  for (let i = 0; i < 10; i++) expect(budget.spend(1)).toBeUndefined();
  expect(budget.spend(1)).toBeInstanceOf(Promise);
  await clock.turn();
  expect(budget.spend(9)).toBeUndefined();
});

it('two hundred that have thirty things to do each take turns: no more than the budget in each, nobody is forgotten', async () => {
  const clock = loop();
  const budget = new TurnBudget(clock, 100);
  const done = new Array<number>(200).fill(0);
  let inTurn = 0;
  const most: number[] = [];
  const all = done.map(async (_, who) => {
    for (let i = 0; i < 30; i++) {
      await budget.spend(1);
      done[who] = i + 1;
      inTurn++;
    }
  });
  for (let turns = 0; !clock.isIdle; turns++) {
    expect(turns).toBeLessThan(100);
    await clock.turn();
    most.push(inTurn);
    inTurn = 0;
    expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(30);
  }
  await Promise.all(all);
  // What was done before the first turn counts to it.
  expect(Math.max(...most)).toBeLessThanOrEqual(200);
  expect(done).toEqual(new Array(200).fill(30));
});

it('what is larger than the budget has a turn of its own', async () => {
  const clock = loop();
  const budget = new TurnBudget(clock, 10);
  const order: string[] = [];
  const does = async (name: string, units: number) => {
    await budget.spend(units);
    order.push(name);
  };
  const all = [does('small', 1), does('huge', 1000), does('next', 1)];
  await Promise.resolve();
  expect(order).toEqual(['small']);
  await clock.turn();
  expect(order).toEqual(['small', 'huge']);
  await clock.turn();
  await Promise.all(all);
  expect(order).toEqual(['small', 'huge', 'next']);
});
