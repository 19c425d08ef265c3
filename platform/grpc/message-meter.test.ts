/** Issue 6, row 2: bytes of a message that is not finished, however it is cut into pieces. */
import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.js';
import { MessageMeter } from './message-meter.js';

const framed = (length: number) => {
  const bytes = Buffer.alloc(5 + length);
  bytes.writeUInt32BE(length, 1);
  return bytes;
};

describe('MessageMeter', () => {
  it.each([1, 2, 3, 5, 7, 64, 1000])('holds what has come of the last message, in pieces of %i bytes', (size) => {
    const lengths = [0, 1, 5, 300, 0, 70_000];
    const bytes = Buffer.concat(lengths.map(framed));
    const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + 5 + length, 0));
    const meter = new MessageMeter();
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      meter.add(piece);
      const done = ends.filter((end) => end <= at + piece.length);
      expect(meter.messages).toBe(done.length);
      expect(meter.held).toBe(at + piece.length - (done.at(-1) ?? 0));
    }
    expect(meter.held).toBe(0);
  });

  it('reads a length of 32 bits', () => {
    const meter = new MessageMeter();
    meter.add(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]));
    expect([meter.held, meter.messages]).toEqual([6, 0]);
  });
});

describe('ByteBudget', () => {
  it('ends whoever holds most, until the rest fits', () => {
    const budget = new ByteBudget(100);
    const gone: string[] = [];
    const holder = (name: string) => ({ evict: () => void gone.push(name) });
    const [a, b, c] = [holder('a'), holder('b'), holder('c')];
    budget.set(a, 40);
    budget.set(b, 50);
    budget.set(c, 10);
    expect([gone, budget.total]).toEqual([[], 100]);
    budget.set(c, 20);
    expect([gone, budget.total]).toEqual([['b'], 60]);
    budget.set(c, 120);
    expect([gone, budget.total]).toEqual([['b', 'c'], 40]);
    budget.set(a, 0);
    expect(budget.total).toBe(0);
  });
});
