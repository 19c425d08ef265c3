/** Issue 6, row 6: sets of values are compared by what may be equal, not each with each. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Bag } from './bag.js';
import { equals } from './compare.js';
import { ArrayList, HashMap, Timestamp, Uint } from './values.js';
import type { Value } from './values.js';

const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(
    0,
    -0,
    1,
    1n,
    0n,
    1.5,
    NaN,
    2 ** 60,
    2n ** 60n,
    2n ** 60n + 1n,
    true,
    false,
    null,
    'a',
    '1',
    'true',
    '',
  ),
  fc.constantFrom(0n, 1n, 2n ** 60n).map((value) => new Uint(value)),
  fc.constantFrom(0n, 1n).map((ns) => new Timestamp(ns)),
  fc.constantFrom('', 'a').map((text) => Buffer.from(text)),
);
const value: fc.Arbitrary<Value> = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 2 }).map((items) => new ArrayList(items)),
  fc
    .array(fc.tuple(fc.constantFrom<Value>('a', 'b', 1n, new Uint(1n), true), scalar), { maxLength: 2 })
    .map((entries) => mapOf(entries)),
);

function mapOf(entries: readonly (readonly [Value, Value])[]): Value {
  const map = new HashMap();
  for (const [key, item] of entries) map.set(key, item);
  return map;
}

it('has what equals one of its values', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 8 }), value, (values, wanted) => {
      expect(new Bag(values).has(wanted)).toBe(values.some((one) => equals(one, wanted)));
    }),
    { numRuns: 5000 },
  );
});
