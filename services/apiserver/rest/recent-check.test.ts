import { expect, test } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { RecentCheck } from './recent-check.js';

/** A store whose answers are given by hand. */
function store() {
  const asked: { readonly answer: () => void; readonly fail: (error: Error) => void }[] = [];
  return { asked, look: () => new Promise<void>((answer, fail) => asked.push({ answer, fail })) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a hundred that ask at once share one look, and those that ask within a second ask for none', async () => {
  const [{ asked, look }, clock] = [store(), new VirtualClock()];
  const recent = new RecentCheck(look, clock);
  const all = Promise.all(Array.from({ length: 100 }, () => recent.check()));
  expect(asked).toHaveLength(1);
  asked[0]?.answer();
  await all;
  await clock.advance(999);
  await recent.check();
  expect(asked).toHaveLength(1);
});

test('whoever asks often does not wait behind a slow store, until it has been silent for 10 s', async () => {
  const [{ asked, look }, clock] = [store(), new VirtualClock()];
  const recent = new RecentCheck(look, clock);
  const first = recent.check();
  asked[0]?.answer();
  await first;
  for (let second = 1; second < 10; second++) {
    await clock.advance(second === 1 ? 1000 : 999);
    await recent.check();
  }
  expect(asked).toHaveLength(2);
  await clock.advance(1008);
  const last = { isOver: false };
  const waiting = recent.check().finally(() => (last.isOver = true));
  await settled();
  expect([asked.length, last.isOver]).toEqual([2, false]);
  asked[1]?.answer();
  await settled();
  // What the look found is as old as its beginning, and is told to whoever waited for it.
  expect(last.isOver).toBe(true);
  await waiting;
});

test('a failure is told to all, also to those that did not wait, until a look finds the store well', async () => {
  const [{ asked, look }, clock] = [store(), new VirtualClock()];
  const recent = new RecentCheck(look, clock);
  const first = recent.check();
  asked[0]?.fail(new Error('no leader'));
  await expect(first).rejects.toThrow('no leader');
  await expect(recent.check()).rejects.toThrow('no leader');
  await clock.advance(1000);
  await expect(recent.check()).rejects.toThrow('no leader');
  asked[1]?.answer();
  await settled();
  await recent.check();
  expect(asked).toHaveLength(2);
});

test('a finding of long ago is told to nobody', async () => {
  const [{ asked, look }, clock] = [store(), new VirtualClock()];
  const recent = new RecentCheck(look, clock);
  const first = recent.check();
  asked[0]?.answer();
  await first;
  await clock.advance(60_000);
  const later = recent.check();
  asked[1]?.fail(new Error('cut off'));
  await expect(later).rejects.toThrow('cut off');
});
