import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { ExponentialLimiter } from './rate-limiter.js';
import { WorkQueue } from './work-queue.js';

function setUp() {
  const clock = new VirtualClock();
  return { clock, queue: new WorkQueue({ clock }) };
}

describe('WorkQueue', () => {
  it('hands out keys in order, each once', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b', 'a']) queue.add(key);
    expect(queue.size).toBe(2);
    expect([await queue.take(), await queue.take()]).toEqual(['a', 'b']);
  });

  it('gives a key to one taker, and to the next only after done', async () => {
    const { queue } = setUp();
    const first = queue.take();
    const second = queue.take();
    queue.add('a');
    queue.add('a');
    expect(await first).toBe('a');
    let taken = false;
    void second.then(() => (taken = true));
    await Promise.resolve();
    expect(taken).toBe(false);
    queue.done('a');
    expect(await second).toBe('a');
    queue.done('a');
    expect(queue.size).toBe(0);
  });

  it('adds later; the earliest of several delays counts', async () => {
    const { clock, queue } = setUp();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    await clock.advance(49);
    expect(queue.size).toBe(0);
    await clock.advance(1);
    expect(queue.size).toBe(1);
    queue.done((await queue.take()) ?? '');
    await clock.advance(1000);
    expect(queue.size).toBe(0);
  });

  it('doubles the delay of a key that fails, up to the limit, and forgets', async () => {
    const limiter = new ExponentialLimiter({ base_ms: 10, max_ms: 50 });
    expect([1, 2, 3, 4, 5].map(() => limiter.next('a'))).toEqual([10, 20, 40, 50, 50]);
    expect(limiter.next('b')).toBe(10);
    expect(limiter.retries('a')).toBe(5);
    limiter.forget('a');
    expect(limiter.next('a')).toBe(10);
  });

  it('shuts down: takers leave, nothing more is taken, work under way is waited for', async () => {
    const { clock, queue } = setUp();
    queue.add('busy');
    await queue.take();
    queue.add('waiting');
    queue.addAfter('later', 10);
    let idle = false;
    const down = queue.shutDown().then(() => (idle = true));
    expect(await queue.take()).toBeUndefined();
    await clock.advance(100);
    expect([queue.size, idle]).toEqual([0, false]);
    queue.done('busy');
    await down;
    queue.add('late');
    expect(queue.size).toBe(0);
  });

  it('wakes takers on shutdown', async () => {
    const { queue } = setUp();
    const taker = queue.take();
    await queue.shutDown();
    expect(await taker).toBeUndefined();
  });

  it('rejects done for a key nobody took', () => {
    expect(() => setUp().queue.done('x')).toThrow('without take');
  });
});
