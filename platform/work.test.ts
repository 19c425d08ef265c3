import { expect, it } from 'vitest';
import { finish, inSlices, SLICE_UNITS } from './work.js';
import type { Work } from './work.js';

function* count(times: number, units: number): Work<number> {
  for (let i = 0; i < times; i++) yield units;
  return times;
}

it('pauses after each slice, and gives what it gives without pauses', async () => {
  let pauses = 0;
  expect(await inSlices(count(10, SLICE_UNITS / 2), () => Promise.resolve(void pauses++))).toBe(
    finish(count(10, SLICE_UNITS / 2)),
  );
  expect(pauses).toBe(5);
  await inSlices(count(10, 1), () => Promise.resolve(void pauses++));
  expect(pauses).toBe(5);
});

it('ends with what a pause throws, and does nothing more', async () => {
  const work = count(10, SLICE_UNITS);
  await expect(inSlices(work, () => Promise.reject(new Error('the caller has gone')))).rejects.toThrow(
    'the caller has gone',
  );
  expect([...work]).toHaveLength(9);
});
