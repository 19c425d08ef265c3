import { describe, expect, it } from 'vitest';
import { PushStream } from './stream.js';

const overflow = () => new Error('too slow');

describe('PushStream', () => {
  it('delivers what was pushed before the end, in order', async () => {
    const stream = new PushStream<number>({ limit: 10, onOverflow: overflow });
    stream.push(1);
    stream.push(2);
    stream.end();
    const seen: number[] = [];
    for await (const item of stream) seen.push(item);
    expect(seen).toEqual([1, 2]);
  });

  it('fails the consumer, after what fitted, when it is too slow', async () => {
    let closed = 0;
    const stream = new PushStream<number>({ limit: 2, onOverflow: overflow, onClose: () => closed++ });
    expect([stream.push(1), stream.push(2), stream.push(3), stream.push(4)]).toEqual([true, true, false, false]);
    expect(closed).toBe(1);
    expect((await stream.next()).value).toBe(1);
    expect((await stream.next()).value).toBe(2);
    await expect(stream.next()).rejects.toThrow('too slow');
    expect((await stream.next()).done).toBe(true);
  });

  it('tells the producer when the consumer leaves', async () => {
    let closed = false;
    const stream = new PushStream<number>({ limit: 2, onOverflow: overflow, onClose: () => (closed = true) });
    stream.push(1);
    for await (const _ of stream) break;
    expect(closed).toBe(true);
    expect(stream.push(2)).toBe(false);
  });
});
