import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  addressForm,
  cidrForm,
  endpointAddress,
  isStrictSubset,
  parseAddress,
  parseCidr,
  strictSubsetOf,
} from './addresses.js';
import { plainAddress, plainRange } from './plain-addresses.js';
import { canonicalTime } from '../../go-time.js';
import { canonicalQuantity } from '../../quantity.js';

it('a range that is recognised at a glance is one without doubt when it is parsed', () => {
  const octet = fc.oneof(
    fc.integer({ min: 0, max: 260 }).map(String),
    fc.constantFrom('0', '00', '01', '255', '256', '128', ''),
  );
  const text = fc
    .tuple(
      octet,
      octet,
      octet,
      octet,
      fc.oneof(fc.integer({ min: 0, max: 34 }).map(String), fc.constantFrom('08', '', '24 ')),
    )
    .map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`);
  fc.assert(
    fc.property(text, (range) => {
      const parsed = parseCidr(range);
      expect(cidrForm()(range), range).toHaveLength(parsed === undefined || parsed.doubt !== undefined ? 1 : 0);
    }),
    { numRuns: 5000 },
  );
  for (const range of ['0.0.0.0/0', '10.0.0.0/8', '255.255.255.255/32', '128.0.0.0/1'])
    expect(cidrForm()(range)).toEqual([]);
});

const octets = fc
  .oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 127, 128, 169, 223, 224, 254, 255))
  .map(String);
const plain = fc.tuple(octets, octets, octets, octets).map((parts) => parts.join('.'));
const spelling = fc.oneof(
  plain,
  plain.map((text) => `0${text}`),
  plain.map((text) => `${text}.1`),
  plain.map((text) => `::ffff:${text}`),
  fc.constantFrom(
    '',
    '.',
    '1.2.3',
    '1..2.3',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.4 ',
    '+1.2.3.4',
    '::1',
    'fe80::1',
    '2001:DB8::1',
    '1.2.3.1e1',
  ),
);
const prefix = fc.oneof(fc.integer({ min: 0, max: 34 }).map(String), fc.constantFrom('00', '08', '', '128'));

it('addresses and ranges that are recognised at a glance are those in canonical spelling, and mean the same', () => {
  const whole = (bytes: readonly number[]): number => bytes.reduce((all, byte) => all * 256 + byte, 0);
  fc.assert(
    fc.property(spelling, prefix, (text, bits) => {
      const address = parseAddress(text);
      const isPlain = address?.family === 'IPv4' && address.doubt === undefined;
      expect(plainAddress(text)).toBe(isPlain ? whole(address.bytes) : undefined);
      expect(addressForm()(text)).toHaveLength(address === undefined || address.doubt !== undefined ? 1 : 0);
      const cidr = parseCidr(`${text}/${bits}`);
      const isPlainRange = cidr?.address.family === 'IPv4' && cidr.doubt === undefined;
      expect(plainRange(`${text}/${bits}`)).toEqual(
        isPlainRange ? { address: whole(cidr.address.bytes), bits: cidr.bits } : undefined,
      );
    }),
    { numRuns: 5000 },
  );
});

it('an address of an endpoint is judged alike, recognised at a glance or not', () => {
  const judged = (text: string): string[] =>
    endpointAddress(text).map((complaint) => complaint.replace(/ \([:f.0-9]*\)$/, ''));
  fc.assert(
    fc.property(plain, (text) => {
      expect(judged(text)).toEqual(judged(`::ffff:${text}`));
    }),
    { numRuns: 5000 },
  );
  expect(judged('10.0.0.1')).toEqual([]);
  expect(judged('127.0.0.1')).toHaveLength(1);
});

it('ranges are parts of another by what they mean', () => {
  const range = fc
    .tuple(fc.oneof(plain, fc.constant('10.0.0.0')), fc.integer({ min: 0, max: 32 }))
    .map(([text, bits]) => parseCidr(`${text}/${bits}`)?.text ?? '');
  fc.assert(
    fc.property(
      range,
      fc.oneof(
        range,
        plain.map((text) => `${text}/8`),
        fc.constantFrom('::/0', 'x'),
      ),
      (outer, inner) => {
        const [around, within] = [parseCidr(outer), parseCidr(inner)];
        if (around === undefined) throw new Error(`${outer} is not a range`);
        expect(strictSubsetOf(around)(inner)).toBe(within === undefined ? undefined : isStrictSubset(within, around));
      },
    ),
    { numRuns: 5000 },
  );
});

it('times and quantities that are canonical stay as they are', () => {
  for (const time of ['2026-01-28T23:59:59Z', '0002-01-01T00:00:00Z', '2024-02-29T00:00:00Z', '2026-12-31T23:59:59Z'])
    expect(canonicalTime(time)).toBe(time);
  for (const time of [
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-00-01T00:00:00Z',
  ])
    expect(() => canonicalTime(time)).toThrow();
  for (const quantity of ['0', '1', '12', '7', '999']) expect(canonicalQuantity(quantity)).toBe(quantity);
  // Leading zeros stay, as kube-apiserver keeps them.
  expect(['1000', '007', '123456000'].map(canonicalQuantity)).toEqual(['1k', '007', '123456k']);
});
