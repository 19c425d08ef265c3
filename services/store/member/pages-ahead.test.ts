/** Issue 6, the aims of `make flood`: what clients do not take of long answers has a bound; beyond it reads wait. */
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import type { Slices } from '../../../platform/slices.js';
import type { KvState } from '../mvcc/kv-state.js';
import { LongReads } from './long-reads.js';
import { PagesAhead } from './pages-ahead.js';

const turns = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

it('beyond the limit all but the oldest wait, and go on when pages are given back', async () => {
  const pages = new PagesAhead(100);
  pages.add(1, 0, 60);
  pages.add(2, 0, 60);
  expect([pages.isFull(1), pages.isFull(2), pages.isFull(3)]).toEqual([false, true, false]);
  let went = 0;
  void pages.room(2).then(() => went++);
  pages.add(1, 0, 500);
  await turns();
  expect(went).toBe(0);
  pages.release(1);
  await turns();
  expect([went, pages.total_bytes, pages.isFull(2)]).toEqual([1, 60, false]);
});

it('pages of an earlier attempt are void, and what is released twice is counted once', () => {
  const pages = new PagesAhead(100);
  pages.add(1, 0, 60);
  pages.add(1, 1, 10);
  pages.add(1, 1, 10);
  expect(pages.total_bytes).toBe(20);
  pages.release(1);
  pages.release(1);
  expect(pages.total_bytes).toBe(0);
});

it('a whole result has room up to a limit of its own, and always when it is alone', () => {
  const pages = new PagesAhead(100, 200);
  expect([pages.take(1, 500), pages.take(2, 1), pages.total_bytes]).toEqual([true, false, 500]);
  pages.release(1);
  expect([pages.take(2, 150), pages.take(3, 50), pages.take(4, 1), pages.total_bytes]).toEqual([
    true,
    true,
    false,
    200,
  ]);
});

it('a long read stops between two slices while there is no room, on the same state, and begins again when history is compacted meanwhile', async () => {
  const clock = new VirtualClock();
  const mvcc = { compactRevision: 0 };
  const state = { mvcc } as unknown as KvState;
  const reads = new LongReads({ clock, turn_ms: 4, state: () => state, check: () => undefined });
  let [isFull, attempts, slices] = [false, 0, 0];
  let go: () => void = () => undefined;
  function* work(): Slices<string> {
    attempts++;
    for (let i = 0; i < 4; i++) {
      slices++;
      if (slices === 2) isFull = true;
      yield;
    }
    return 'done';
  }
  const done = reads.read(work, {
    pace: { isFull: () => isFull, room: () => new Promise<void>((resolve) => (go = resolve)) },
  });
  await clock.advance(50);
  expect([attempts, slices]).toEqual([1, 2]);
  mvcc.compactRevision = 5;
  isFull = false;
  go();
  await clock.advance(50);
  expect([await done, attempts, slices]).toEqual(['done', 2, 6]);
});
