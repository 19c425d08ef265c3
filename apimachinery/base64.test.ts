/** Bytes in JSON, as Go's base64.StdEncoding answers to the same texts. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalBase64 } from './base64.js';

const illegal = (at: number): string => `illegal base64 data at input byte ${at}`;

it.each<[string, string]>([
  ['', ''],
  ['YQ==', 'YQ=='],
  ['YR==', 'YQ=='],
  ['AAAA\nAAAA\n', 'AAAAAAAA'],
  ['aGVs\r\nbG8=', 'aGVsbG8='],
  ['aGk=\n', 'aGk='],
  ['Y\nQ\r=\n=\n', 'YQ=='],
  ['\n', ''],
  ['aGVs bG8=', illegal(4)],
  ['a*==', illegal(1)],
  ['abc', illegal(0)],
  ['YWJj\nYWJ', illegal(5)],
  ['YQ=', illegal(3)],
  ['YQ=\n', illegal(4)],
  ['YQ=a', illegal(2)],
  ['YQ==YQ==', illegal(4)],
  ['=', illegal(0)],
  ['Y===', illegal(1)],
  ['YWI==', illegal(4)],
  ['YWJj=', illegal(4)],
  ['aGVsbG8-', illegal(7)],
])('%j', (text, wanted) => {
  let answer: string;
  try {
    answer = canonicalBase64(text);
  } catch (error) {
    answer = (error as Error).message;
  }
  expect(answer).toBe(wanted);
});

it('of any bytes, broken over lines of any length, is the same without the breaks', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 80 }),
      fc.constantFrom('\n', '\r\n'),
      (bytes, width, lineBreak) => {
        const text = Buffer.from(bytes).toString('base64');
        expect(canonicalBase64(text.replaceAll(new RegExp(`.{${width}}`, 'g'), (line) => line + lineBreak))).toBe(text);
      },
    ),
  );
});

it('a megabyte with padding is judged without looking at each digit (issue 6, row 1)', () => {
  const text = Buffer.alloc(1_000_000, 'a').toString('base64');
  const times_us = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    expect(canonicalBase64(text)).toBe(text);
    return process.cpuUsage(before).user;
  });
  // Some two milliseconds; digit by digit sixty and more.
  expect(Math.min(...times_us)).toBeLessThan(30_000);
});
