/** The formats of custom resources: none costs more than its text is long (row 1). */
import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { hasFormat } from './formats.js';

const FORMATS = [
  'email',
  'uri',
  'hostname',
  'ipv4',
  'ipv6',
  'cidr',
  'byte',
  'date',
  'date-time',
  'duration',
  'uuid',
  'uuid3',
  'uuid4',
  'uuid5',
  'isbn',
  'isbn10',
  'isbn13',
  'creditcard',
  'ssn',
  'hexcolor',
  'rgbcolor',
  'mac',
  'bsonobjectid',
  'password',
  'k8s-short-name',
  'k8s-long-name',
];
const PIECES = [
  ' ',
  '1',
  '1 ',
  '1.',
  '1-',
  '1h',
  '1t',
  'a',
  'a.',
  'a-',
  'a@',
  'a ',
  '@',
  '.',
  ':',
  '-',
  '/',
  '%',
  '"',
  '\\',
  '"\\',
  '<',
  '< ',
  '>',
  '(',
  '[',
  'é',
  '\n',
  '\t\n',
  'rgb(1,',
  'A+/',
  '0',
  'f:',
];
const ENDS = ['', '!', '@b', '<a', '>', '"', '=', ' '];
const LENGTH = 50_000;
/**
 * All texts together: what goes by the square of the length needs minutes, what is in proportion to it a fraction of a
 * second.
 */
const SLOW_MS = 20_000;

describe('a text of 50,000 characters', () => {
  it.each(FORMATS)(
    'is judged as %s without trying every way to divide it',
    (format) => {
      const started_ms = performance.now();
      for (const piece of PIECES) {
        for (const end of ENDS) {
          hasFormat(piece.repeat(LENGTH / piece.length) + end, format);
          expect(performance.now() - started_ms, JSON.stringify([piece, end])).toBeLessThan(SLOW_MS);
        }
      }
    },
    120_000,
  );
});

describe('an address of mail', () => {
  it.each([
    'a@b',
    ' a.b@c.d ',
    '"a b"@c',
    'A B <a@b>',
    '"A, B" <a@b>',
    '<a@b>',
    '< a@b >',
    'A <"x y"@[1.2.3.4]>',
    'A\tB  <a@b>\n',
  ])('%j', (text) => expect(hasFormat(text, 'email')).toBe(true));
  it.each([
    '',
    'a',
    '@b',
    'a@',
    'a..b@c',
    'a@b c',
    'a@b>',
    'A, B <a@b>',
    'A <a@b> c',
    'A <a@b',
    '"A <a@b>',
    'A <<a@b>>',
    'A <a@b> <c@d>',
    'a@b <c@d>',
  ])('not %j', (text) => expect(hasFormat(text, 'email')).toBe(false));
});

describe('a duration', () => {
  it.each(['1h', '1.5s', 'x 3 hours y', '12  days', '5secondly'])('%s', (text) =>
    expect(hasFormat(text, 'duration')).toBe(true),
  );
  it.each(['', '1', 'h', '1 x', '1hx'])('not %s', (text) => expect(hasFormat(text, 'duration')).toBe(false));
});
