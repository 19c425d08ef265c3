import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Entry } from '../types/entry.js';
import { EntryTable } from './entry-table.js';

const kinds = ['normal', 'conf-change', 'conf-change-v2'] as const;
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      push: fc.integer({ min: 0, max: 200 }),
      proposal: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      size: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.constant(70_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ cut: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

it('gives back what was put in, after whatever was dropped from either end; what was handed out stays as it is', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 300 }), (steps) => {
      const table = new EntryTable();
      let model: Entry[] = [];
      const held: { readonly entry: Entry; readonly copy: Buffer }[] = [];
      steps.forEach((one, n) => {
        if ('push' in one) {
          for (let i = 0; i < one.push; i++) {
            const entry: Entry = {
              term: n + 1,
              index: model.length,
              kind: kinds[(n + i) % 3] ?? 'normal',
              data: Buffer.alloc(one.size, n + i),
              proposal: one.proposal - (one.proposal > i ? i : 0),
            };
            table.push(entry);
            model.push(entry);
          }
          const last = model.length - 1;
          if (last < 0) return;
          const entry = table.read(last, last);
          held.push({ entry, copy: Buffer.from(entry.data) });
        } else if ('drop' in one) {
          const count = Math.floor(model.length * one.drop);
          table.dropFirst(count);
          model = model.slice(count).map((entry, index) => ({ ...entry, index }));
        } else {
          const size = Math.floor(model.length * one.cut);
          table.truncate(size);
          model = model.slice(0, size);
        }
      });
      expect(table.size).toBe(model.length);
      expect(table.payload_bytes).toBe(model.reduce((sum, { data }) => sum + data.length, 0));
      for (const [place, entry] of model.entries()) {
        expect(table.term(place)).toBe(entry.term);
        const { data, ...rest } = table.read(place, place);
        expect(rest).toEqual({ term: entry.term, index: place, kind: entry.kind, proposal: entry.proposal });
        expect(Buffer.compare(Buffer.from(data), Buffer.from(entry.data))).toBe(0);
      }
      for (const { entry, copy } of held) expect(copy.equals(Buffer.from(entry.data))).toBe(true);
    }),
    { numRuns: 30 },
  );
});
