import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HotValues } from './hot-values.js';
import { NO_ROW, RecordTable } from './record-table.js';
import { RowQueue } from './row-queue.js';

const facts = (n: number) => ({
  key: `k${n}`, main: n * 2 ** 33 + 1, sub: n % 5, create: n, version: 2 ** 36 + n, lease: n % 3 === 0 ? -BigInt(n) : 0n, checksum: -n,
});

it('gives back every fact of every row, and rows that were given back to others', () => {
  fc.assert(fc.property(fc.array(fc.boolean(), { minLength: 100, maxLength: 9000 }), (steps) => {
    const table = new RecordTable();
    const model = new Map<number, ReturnType<typeof facts>>();
    let highest = NO_ROW;
    let most = 0;
    steps.forEach((adds, n) => {
      const [first] = model.keys();
      if (adds || first === undefined) {
        const row = table.add(facts(n), { key: `k${n}`, size_bytes: n, older: n - 1 });
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
  }), { numRuns: 20 });
});

it('takes from the front, from the back, and keeps the order', () => {
  fc.assert(fc.property(fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant('push') }, { weight: 1, arbitrary: fc.constant('pop') }, { weight: 1, arbitrary: fc.constant('drop') }), { minLength: 2000, maxLength: 6000 }), (steps) => {
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
  }), { numRuns: 20 });
});

it('keeps what is not on disk, and of the rest what came last', () => {
  const values = new HotValues(10 * (128 + 100));
  const bytes = Array.from({ length: 100 }, () => Buffer.alloc(100));
  bytes.forEach((one, row) => values.add(row, one));
  expect(bytes.every((one, row) => values.get(row) === one)).toBe(true);
  bytes.forEach((one, row) => {
    if (row !== 7) values.settled(row, one);
  });
  const here = bytes.flatMap((one, row) => (values.get(row) === one ? [row] : []));
  expect(here[0]).toBe(7);
  expect(here.at(-1)).toBe(99);
  expect(here.length).toBeLessThanOrEqual(11);
  expect(here.length).toBeGreaterThanOrEqual(8);
});

it('does not take the write of a row for that of the version which has the row now', () => {
  const values = new HotValues(0);
  const [old, young] = [Buffer.alloc(1), Buffer.alloc(1)];
  values.add(1, old);
  values.drop(1);
  values.add(1, young);
  values.settled(1, old);
  expect(values.get(1)).toBe(young);
  values.settled(1, young);
  expect(values.get(1)).toBeUndefined();
});
