import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cidrForm, parseCidr } from './addresses.js';
import { canonicalTime } from '../../go-time.js';
import { canonicalQuantity } from '../../quantity.js';

it('a range that is recognised at a glance is one without doubt when it is parsed', () => {
  const octet = fc.oneof(fc.integer({ min: 0, max: 260 }).map(String), fc.constantFrom('0', '00', '01', '255', '256', '128', ''));
  const text = fc.tuple(octet, octet, octet, octet, fc.oneof(fc.integer({ min: 0, max: 34 }).map(String), fc.constantFrom('08', '', '24 '))).map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`);
  fc.assert(fc.property(text, (range) => {
    const parsed = parseCidr(range);
    expect(cidrForm()(range), range).toHaveLength(parsed === undefined || parsed.doubt !== undefined ? 1 : 0);
  }), { numRuns: 5000 });
  for (const range of ['0.0.0.0/0', '10.0.0.0/8', '255.255.255.255/32', '128.0.0.0/1']) expect(cidrForm()(range)).toEqual([]);
});

it('times and quantities that are canonical stay as they are', () => {
  for (const time of ['2026-01-28T23:59:59Z', '0002-01-01T00:00:00Z', '2024-02-29T00:00:00Z', '2026-12-31T23:59:59Z']) expect(canonicalTime(time)).toBe(time);
  for (const time of ['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-00T00:00:00Z', '2026-00-01T00:00:00Z']) expect(() => canonicalTime(time)).toThrow();
  for (const quantity of ['0', '1', '12', '7', '999']) expect(canonicalQuantity(quantity)).toBe(quantity);
  expect(['1000', '007', '123456000'].map(canonicalQuantity)).toEqual(['1k', '7', '123456k']);
});
