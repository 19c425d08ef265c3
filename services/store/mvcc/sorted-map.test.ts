import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SortedMap } from './sorted-map.js';

it('behaves as a sorted array of keys would, over many blocks', () => {
  const key = fc.nat(3000).map((n) => String.fromCharCode(n >> 8, n & 0xff));
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.constant('set' as const), key) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('delete' as const), key) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 2000, maxLength: 4000 }), key, key, (steps, start, end) => {
      const map = new SortedMap<string>();
      const model = new Map<string, string>();
      for (const [kind, k] of steps) {
        if (kind === 'set') {
          map.set(k, k);
          model.set(k, k);
        } else expect(map.delete(k)).toBe(model.delete(k));
      }
      expect(map.size).toBe(model.size);
      const seen: string[] = [];
      map.scan(start, end, (_, k) => seen.push(k) > 0);
      expect(seen).toEqual([...model.keys()].filter((k) => k >= start && k < end).sort((a, b) => (a < b ? -1 : 1)));
      for (const k of model.keys()) expect(map.get(k)).toBe(k);
    }),
    { numRuns: 10 },
  );
});
