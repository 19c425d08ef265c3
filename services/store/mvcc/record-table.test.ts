import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AllValues, SegmentedValues } from './hot-values.js';
import type { HotValues } from './hot-values.js';
import { NO_ROW, RecordTable } from './record-table.js';
import { RowQueue } from './row-queue.js';

const facts = (n: number) => ({
  key: `k${n}`,
  main: n * 2 ** 33 + 1,
  sub: n % 5,
  create: n,
  version: 2 ** 36 + n,
  lease: n % 3 === 0 ? -BigInt(n) : 0n,
  checksum: -n,
});
const NO_BYTES = Buffer.alloc(10_000);

it('gives back every fact of every row, and rows that were given back to others', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 100, maxLength: 9000 }), (steps) => {
      const table = new RecordTable();
      const model = new Map<number, ReturnType<typeof facts>>();
      let highest = NO_ROW;
      let most = 0;
      steps.forEach((adds, n) => {
        const [first] = model.keys();
        if (adds || first === undefined) {
          const row = table.add({ ...facts(n), bytes: NO_BYTES.subarray(0, n) }, `k${n}`, n - 1);
          expect(model.has(row)).toBe(false);
          model.set(row, facts(n));
          highest = Math.max(highest, row);
          most = Math.max(most, model.size);
        } else {
          table.remove(first);
          expect(table.key(first)).toBeUndefined();
          model.delete(first);
        }
      });
      for (const [row, expected] of model) {
        const record = table.read(row);
        expect(record).toMatchObject(expected);
        expect([record.size_bytes, table.older(row), record.row]).toEqual([expected.create, expected.create - 1, row]);
      }
      // No more rows than were ever taken at once.
      expect(highest).toBe(most - 1);
    }),
    { numRuns: 20 },
  );
});

it('takes from the front, from the back, and keeps the order', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constant('push') },
          { weight: 1, arbitrary: fc.constant('pop') },
          { weight: 1, arbitrary: fc.constant('drop') },
        ),
        { minLength: 2000, maxLength: 6000 },
      ),
      (steps) => {
        const queue = new RowQueue();
        let model: number[] = [];
        steps.forEach((step, n) => {
          if (step === 'push') {
            queue.push(n);
            model.push(n);
          } else if (step === 'pop' && model.length > 0) expect(queue.pop()).toBe(model.pop());
          else if (step === 'drop') {
            const count = model.length >> 3;
            queue.dropFirst(count);
            model = model.slice(count);
          }
        });
        expect(Array.from({ length: queue.length }, (_, place) => queue.at(place))).toEqual(model);
      },
    ),
    { numRuns: 20 },
  );
});

const fill = (values: HotValues, row: number, size = 100): number => {
  const bytes = values.allocate(size);
  bytes.fill(row);
  return values.add(row, bytes);
};
const isHere = (values: HotValues, row: number, size = 100) =>
  values.get(row, size)?.equals(Buffer.alloc(size, row)) === true;

it('keeps what is not on disk, and of the rest what came last', () => {
  const values = new SegmentedValues(2000);
  const rows = Array.from({ length: 100 }, (_, row) => row);
  const positions = rows.map((row) => fill(values, row));
  expect(rows.every((row) => isHere(values, row))).toBe(true);
  values.settled(positions[49] ?? 0);
  // The segment in which what is on disk ends stays, too.
  expect(rows.filter((row) => isHere(values, row))).toEqual(rows.slice(49));
  values.settled(positions[99] ?? 0);
  const here = rows.filter((row) => isHere(values, row));
  expect(here.at(-1)).toBe(99);
  expect(here.length * 100).toBeLessThanOrEqual(2000);
  expect(here.length * 100).toBeGreaterThanOrEqual(1500);
  expect(rows.every((row) => isHere(values, row) || values.get(row, 100) === undefined)).toBe(true);
});

it('is of the versions that rows have now, whatever their sizes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 300_000 }),
      fc.array(
        fc.tuple(
          fc.constantFrom('add', 'keep', 'drop', 'settle'),
          fc.integer({ min: 0, max: 5000 }),
          fc.integer({ min: 1, max: 100_000 }),
        ),
        { minLength: 100, maxLength: 1000 },
      ),
      (limit, steps) => {
        const values = new SegmentedValues(limit);
        const model = new Map<number, { readonly byte: number; readonly size: number; pending: boolean }>();
        const waiting: { readonly row: number; readonly position: number }[] = [];
        steps.forEach(([step, row, size], n) => {
          if (step === 'drop') {
            values.drop(row);
            model.delete(row);
          } else if (step === 'settle') {
            const settled = waiting.splice(0, Math.ceil(waiting.length / 2));
            const last = settled.at(-1);
            if (last === undefined) return;
            values.settled(last.position);
            for (const one of settled) {
              const version = model.get(one.row);
              if (version !== undefined && !waiting.some((other) => other.row === one.row)) version.pending = false;
            }
          } else if (!waiting.some((one) => one.row === row)) {
            const bytes = step === 'add' ? values.allocate(size) : Buffer.alloc(size);
            bytes.fill(n);
            model.set(row, { byte: n & 255, size, pending: step === 'add' });
            if (step === 'add') waiting.push({ row, position: values.add(row, bytes) });
            else values.keep(row, bytes);
          }
          for (const [at, { byte, size: length, pending }] of model) {
            const found = values.get(at, length);
            if (found === undefined) expect(pending).toBe(false);
            else expect([found.length, found[0], found.at(-1)]).toEqual([length, byte, byte]);
          }
        });
      },
    ),
    { numRuns: 30 },
  );
});

it('does not let go of what was read back as long as there is room, and of nothing that is being read', () => {
  const values = new SegmentedValues(1 << 20);
  values.keep(3, Buffer.alloc(1000, 3));
  const held = values.get(3, 1000);
  for (let row = 10; row < 900; row++) values.keep(row, Buffer.alloc(1000, row));
  expect(isHere(values, 3, 1000)).toBe(true);
  for (let row = 900; row < 3000; row++) values.keep(row, Buffer.alloc(1000, row));
  expect(values.get(3, 1000)).toBeUndefined();
  expect(held?.equals(Buffer.alloc(1000, 3))).toBe(true);
});

it('keeps all when there is no disk', () => {
  const values = new AllValues();
  for (let row = 0; row < 100; row++) fill(values, row);
  values.drop(7);
  expect([isHere(values, 6), isHere(values, 7), isHere(values, 99)]).toEqual([true, false, true]);
});
