import { expect, it } from 'vitest';
import { systemClock, VirtualClock } from './clock.js';
import { Turns } from './turns.js';

it('one step runs in a turn of the event loop, in the order in which they were asked for', async () => {
  const turns = new Turns(systemClock);
  const ran: string[] = [];
  const steps = ['a', 'b', 'c'].map(async (name) => {
    await turns.next(name);
    ran.push(name);
  });
  for (let turn = 0; turn < 3; turn += 1) {
    const before = ran.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(ran.length - before).toBeLessThanOrEqual(1);
  }
  await Promise.all(steps);
  expect(ran).toEqual(['a', 'b', 'c']);
});

it('after a step others have the thread for as long as it took', async () => {
  let now_ms = 0;
  const clock = new VirtualClock();
  const slow = { monotonic: () => now_ms, after: clock.after.bind(clock), immediate: clock.immediate.bind(clock) };
  const begun: string[] = [];
  const turns = new Turns(slow, (work) => begun.push(work));
  const first = turns.next('first').then(() => (now_ms += 30));
  const second = turns.next('second');
  await clock.advance(0);
  await first;
  await clock.advance(29);
  expect(begun).toEqual(['first']);
  await clock.advance(1);
  await second;
  expect(begun).toEqual(['first', 'second']);
});
