/** An answer is left out only where the leader has it, or will ask again. */
import { expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { message } from '../core/types/message.js';
import { Answers } from './answers.js';

const answer = (index: number, more: { term?: number; to?: number; reject?: boolean } = {}) =>
  message({ type: 'app-resp', to: 1, term: 3, index, ...more });

it('says the same once in a while, and anything else at once', async () => {
  const clock = new VirtualClock();
  const answers = new Answers(clock, 50);
  const isSent = (one: ReturnType<typeof answer>) => answers.sift([one]).length === 1;
  expect([isSent(answer(5)), isSent(answer(5)), isSent(answer(6)), isSent(answer(6))]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  await clock.advance(49);
  expect(isSent(answer(6))).toBe(false);
  await clock.advance(1);
  expect([isSent(answer(6)), isSent(answer(6))]).toEqual([true, false]);
  // To a new leader, in a new term, after something else.
  expect([
    isSent(answer(6, { term: 4 })),
    isSent(answer(6, { term: 4, to: 2 })),
    isSent(answer(4, { term: 4, to: 2 })),
  ]).toEqual([true, true, true]);
});

it('never leaves out a refusal, nor the first answer after one', () => {
  const answers = new Answers(new VirtualClock(), 50);
  const refusal = answer(5, { reject: true });
  const heartbeat = message({ type: 'heartbeat-resp', to: 1 });
  expect(answers.sift([answer(5), refusal, heartbeat, answer(5), refusal, answer(5), answer(5)])).toHaveLength(6);
});
