/** Issue 6, row 1: what a schema and an object within the limits cost, and that others get their turn meanwhile. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOf } from '../../platform/testing-work.js';
import { jsonEqual } from '../value.js';
import { isOneOf } from './enum.js';
import { SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';
import { customValueErrors, customValueWork } from './custom-values.js';

const resolver = new SchemaResolver({ definition: () => ({}) });
const values = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(2 ** 60, 2n ** 60n, 1.5, -0, 1n),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('1', 'true', 'null', '{}', 'a"'),
);
const json = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    values,
    fc.array(tie('any'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('any'), { maxKeys: 2 }),
  ),
})).any;

it('a value is one of an enum when it equals one of its values', () => {
  fc.assert(
    fc.property(fc.array(json, { maxLength: 6 }), json, (allowed, value) => {
      expect(isOneOf(allowed, value)).toBe(allowed.some((one) => jsonEqual(one, value)));
    }),
    { numRuns: 3000 },
  );
});

const anyOf = (depth: number): Schema =>
  depth === 0 ? { minimum: 1 } : { anyOf: [anyOf(depth - 1), anyOf(depth - 1), anyOf(depth - 1)] };
const list = (items: Schema): Schema => ({ type: 'array', items });
const many = <T>(value: T): T[] => Array.from({ length: 9000 }, () => value);

describe('an object of 9,000 items', () => {
  it.each<[string, Schema, unknown]>([
    [
      'of nested alternatives, where the last fits',
      list({ type: 'integer', anyOf: [anyOf(4), { maximum: 0 }] }),
      many(0),
    ],
    ['of strings with a pattern', list({ type: 'string', pattern: '^(a|b)*$' }), many('ab'.repeat(100))],
    [
      'of an enum of 5,000',
      list({ type: 'string', enum: Array.from({ length: 5000 }, (_, i) => `v${i}`) }),
      many('v4999'),
    ],
    ['of objects', list({ type: 'object', properties: { a: { type: 'integer' } } }), many({ a: 1 })],
  ])('%s pauses', (_what, schema, value) => {
    const { total, longest } = costOf(customValueWork(schema, value, resolver));
    expect(total).toBeGreaterThan(80_000);
    expect(longest).toBeLessThan(10_000);
    expect(customValueErrors(schema, value, resolver)).toEqual([]);
  });
});

describe('patterns', () => {
  const patterns = [
    'a',
    '^a',
    'a$',
    '^(a|ab)+$',
    '(a|aa)*b',
    '^[a-c]*?b',
    '(?i)AB',
    '\\bb',
    'a{2,3}',
    '^$',
    '[^a]b',
    'a.c',
    '(?s)a.c',
    '\\w+\\d',
    '^(?:a|b|)c',
    'é+',
    '\\p{L}b',
  ];
  it("mean what they mean as JavaScript's", () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', 'B', '1', ' ', 'é', '\n', '😀'), maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...patterns), text, (pattern, value) => {
        const flags = `u${pattern.startsWith('(?i)') ? 'i' : ''}${pattern.startsWith('(?s)') ? 's' : ''}`;
        const expected = new RegExp(pattern.replace(/^\(\?[is]\)/, ''), flags).test(value);
        expect(
          customValueErrors({ type: 'string', pattern }, value, resolver).length === 0,
          `${pattern} on ${JSON.stringify(value)}`,
        ).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('that a matcher needs seconds for are decided by the automaton', () => {
    const text = `${'a'.repeat(900_000)}d`;
    const times_ms = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      expect(
        customValueErrors({ type: 'string', pattern: '(a|aa)+(ab|b)*(c{0,50}){5}$' }, text, resolver),
      ).toHaveLength(1);
      return process.cpuUsage(before).user / 1000;
    });
    // Some 40; by a matcher 2,000.
    expect(Math.min(...times_ms)).toBeLessThan(800);
  });
});
