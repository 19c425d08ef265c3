/**
 * Times, as Go 1.26's time.Parse and kube-openapi's strfmt answer to the same texts: their output, not ours, is the
 * table.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalMicroTime, canonicalTime } from './go-time.js';
import { hasFormat } from './schema/formats.js';

/**
 * Text; metav1.Time and metav1.MicroTime (their encoded form or the error); whether it is a `date-time` and a `date` of
 * a CRD.
 */
const TABLE: readonly (readonly [string, string, string, boolean, boolean])[] = [
  [
    '2026-11-28T08:00:00Z',
    '2026-11-28T08:00:00Z',
    'parsing time "2026-11-28T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00.999999999+01:00',
    '2026-11-28T07:00:00Z',
    'parsing time "2026-11-28T08:00:00.999999999+01:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "999+01:00" as "Z07:00"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00,5Z',
    '2026-11-28T08:00:00Z',
    'parsing time "2026-11-28T08:00:00,5Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ",5Z" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T8:00:00Z',
    '2026-11-28T08:00:00Z',
    'parsing time "2026-11-28T8:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28t08:00:00z',
    'parsing time "2026-11-28t08:00:00z" as "2006-01-02T15:04:05Z07:00": cannot parse "t08:00:00z" as "T"',
    'parsing time "2026-11-28t08:00:00z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "t08:00:00z" as "T"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00z',
    'parsing time "2026-11-28T08:00:00z" as "2006-01-02T15:04:05Z07:00": cannot parse "z" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "z" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28 08:00:00Z',
    'parsing time "2026-11-28 08:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 08:00:00Z" as "T"',
    'parsing time "2026-11-28 08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse " 08:00:00Z" as "T"',
    false,
    false,
  ],
  [
    '2026-11-28',
    'parsing time "2026-11-28" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"',
    'parsing time "2026-11-28" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as "T"',
    false,
    true,
  ],
  [
    'yesterday',
    'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    'parsing time "yesterday" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "yesterday" as "2006"',
    false,
    false,
  ],
  [
    '',
    'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"',
    'parsing time "" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as "2006"',
    false,
    false,
  ],
  [
    '2026-02-30T00:00:00Z',
    'parsing time "2026-02-30T00:00:00Z": day out of range',
    'parsing time "2026-02-30T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    false,
    false,
  ],
  [
    '2026-00-10T00:00:00Z',
    'parsing time "2026-00-10T00:00:00Z": month out of range',
    'parsing time "2026-00-10T00:00:00Z": month out of range',
    false,
    false,
  ],
  [
    '2026-13-10T00:00:00Z',
    'parsing time "2026-13-10T00:00:00Z": month out of range',
    'parsing time "2026-13-10T00:00:00Z": month out of range',
    false,
    false,
  ],
  [
    '2026-11-28T24:00:00Z',
    'parsing time "2026-11-28T24:00:00Z": hour out of range',
    'parsing time "2026-11-28T24:00:00Z": hour out of range',
    false,
    false,
  ],
  [
    '2026-11-28T23:60:00Z',
    'parsing time "2026-11-28T23:60:00Z": minute out of range',
    'parsing time "2026-11-28T23:60:00Z": minute out of range',
    false,
    false,
  ],
  [
    '2026-11-28T23:59:60Z',
    'parsing time "2026-11-28T23:59:60Z": second out of range',
    'parsing time "2026-11-28T23:59:60Z": second out of range',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00',
    'parsing time "2026-11-28T08:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00+0100',
    'parsing time "2026-11-28T08:00:00+0100" as "2006-01-02T15:04:05Z07:00": cannot parse "+0100" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00+0100" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+0100" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00+25:00',
    'parsing time "2026-11-28T08:00:00+25:00": time zone offset hour out of range',
    'parsing time "2026-11-28T08:00:00+25:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+25:00" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00+24:00',
    '2026-11-27T08:00:00Z',
    'parsing time "2026-11-28T08:00:00+24:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+24:00" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00+00:61',
    'parsing time "2026-11-28T08:00:00+00:61": time zone offset minute out of range',
    'parsing time "2026-11-28T08:00:00+00:61" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+00:61" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00-07:30',
    '2026-11-28T15:30:00Z',
    'parsing time "2026-11-28T08:00:00-07:30" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "-07:30" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00Zx',
    'parsing time "2026-11-28T08:00:00Zx": extra text: "x"',
    'parsing time "2026-11-28T08:00:00Zx" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Zx" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00.Z',
    'parsing time "2026-11-28T08:00:00.Z" as "2006-01-02T15:04:05Z07:00": cannot parse ".Z" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00.Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".Z" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00Z',
    'parsing time "2026-11-28T08:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "Z" as ":"',
    'parsing time "2026-11-28T08:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ":"',
    false,
    false,
  ],
  [
    '20261128T080000Z',
    'parsing time "20261128T080000Z" as "2006-01-02T15:04:05Z07:00": cannot parse "1128T080000Z" as "-"',
    'parsing time "20261128T080000Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "1128T080000Z" as "-"',
    false,
    false,
  ],
  [
    '0001-01-01T00:00:00Z',
    'null',
    'parsing time "0001-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    true,
    false,
  ],
  [
    '0001-01-01T00:00:00.5Z',
    '0001-01-01T00:00:00Z',
    'parsing time "0001-01-01T00:00:00.5Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".5Z" as ".000000"',
    true,
    false,
  ],
  [
    '1969-12-31T23:59:59.5Z',
    '1969-12-31T23:59:59Z',
    'parsing time "1969-12-31T23:59:59.5Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".5Z" as ".000000"',
    true,
    false,
  ],
  [
    '2024-02-29T00:00:00Z',
    '2024-02-29T00:00:00Z',
    'parsing time "2024-02-29T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    true,
    false,
  ],
  [
    '2023-02-29T00:00:00Z',
    'parsing time "2023-02-29T00:00:00Z": day out of range',
    'parsing time "2023-02-29T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-00T00:00:00Z',
    'parsing time "2026-11-00T00:00:00Z": day out of range',
    'parsing time "2026-11-00T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    false,
    false,
  ],
  [
    '2026-1-28T08:00:00Z',
    'parsing time "2026-1-28T08:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "1-28T08:00:00Z" as "01"',
    'parsing time "2026-1-28T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "1-28T08:00:00Z" as "01"',
    false,
    false,
  ],
  [
    '2026-11-8T08:00:00Z',
    'parsing time "2026-11-8T08:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "8T08:00:00Z" as "02"',
    'parsing time "2026-11-8T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "8T08:00:00Z" as "02"',
    false,
    false,
  ],
  [
    '99999-01-01T00:00:00Z',
    'parsing time "99999-01-01T00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "9-01-01T00:00:00Z" as "-"',
    'parsing time "99999-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "9-01-01T00:00:00Z" as "-"',
    false,
    false,
  ],
  ['2026-11-28T08:00:00.123456Z', '2026-11-28T08:00:00Z', '2026-11-28T08:00:00.123456Z', true, false],
  [
    '2026-11-28T08:00:00.1234567Z',
    '2026-11-28T08:00:00Z',
    'parsing time "2026-11-28T08:00:00.1234567Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "7Z" as "Z07:00"',
    true,
    false,
  ],
  [
    '2026-11-28T08:00:00.12345Z',
    '2026-11-28T08:00:00Z',
    'parsing time "2026-11-28T08:00:00.12345Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".12345Z" as ".000000"',
    true,
    false,
  ],
  ['2026-11-28T08:00:00.123456+02:00', '2026-11-28T06:00:00Z', '2026-11-28T06:00:00.123456Z', true, false],
  [
    '1700000000',
    'parsing time "1700000000" as "2006-01-02T15:04:05Z07:00": cannot parse "000000" as "-"',
    'parsing time "1700000000" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "000000" as "-"',
    false,
    false,
  ],
  [
    ' 2026-11-28T08:00:00Z',
    'parsing time " 2026-11-28T08:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 2026-11-28T08:00:00Z" as "2006"',
    'parsing time " 2026-11-28T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse " 2026-11-28T08:00:00Z" as "2006"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00Z ',
    'parsing time "2026-11-28T08:00:00Z ": extra text: " "',
    'parsing time "2026-11-28T08:00:00Z " as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z " as ".000000"',
    false,
    false,
  ],
  [
    '20é6-11-28T08:00:00Z',
    'parsing time "20\\xc3\\xa96-11-28T08:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "20\\xc3\\xa96-11-28T08:00:00Z" as "2006"',
    'parsing time "20\\xc3\\xa96-11-28T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "20\\xc3\\xa96-11-28T08:00:00Z" as "2006"',
    false,
    false,
  ],
  [
    '2026-11-28T08:0:00Z',
    'parsing time "2026-11-28T08:0:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "0:00Z" as "04"',
    'parsing time "2026-11-28T08:0:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "0:00Z" as "04"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00*01:00',
    'parsing time "2026-11-28T08:00:00*01:00" as "2006-01-02T15:04:05Z07:00": cannot parse "*01:00" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00*01:00" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "*01:00" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00+1:000',
    'parsing time "2026-11-28T08:00:00+1:000" as "2006-01-02T15:04:05Z07:00": cannot parse "+1:000" as "Z07:00"',
    'parsing time "2026-11-28T08:00:00+1:000" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+1:000" as ".000000"',
    false,
    false,
  ],
  [
    '2026-11-28T08:00:00+99:99',
    'parsing time "2026-11-28T08:00:00+99:99": time zone offset minute out of range',
    'parsing time "2026-11-28T08:00:00+99:99" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "+99:99" as ".000000"',
    true,
    false,
  ],
  [
    '2026-11-28"T08',
    'parsing time "2026-11-28\\"T08" as "2006-01-02T15:04:05Z07:00": cannot parse "\\"T08" as "T"',
    'parsing time "2026-11-28\\"T08" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "\\"T08" as "T"',
    false,
    false,
  ],
];

const resultOf = (read: (text: string) => string | null, text: string): string => {
  try {
    return read(text) ?? 'null';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a time', () => {
  it.each(TABLE)('%j', (text, time, micro, dateTime, date) => {
    expect([resultOf(canonicalTime, text), resultOf(canonicalMicroTime, text)]).toEqual([time, micro]);
    expect([hasFormat(text, 'date-time'), hasFormat(text, 'date')]).toEqual([dateTime, date]);
  });

  it('that is canonical stays what it is, whatever the year', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
        (date) => {
          const whole = date.toISOString().slice(0, 19);
          expect(canonicalTime(`${whole}Z`)).toBe(`${whole}Z`);
          expect(canonicalMicroTime(`${whole}.000001Z`)).toBe(`${whole}.000001Z`);
        },
      ),
    );
  });

  it('of another zone is the same moment in UTC', () => {
    const offset = fc.tuple(
      fc.constantFrom('+', '-'),
      fc.integer({ min: 0, max: 14 }),
      fc.integer({ min: 0, max: 59 }),
    );
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }),
        offset,
        (date, [sign, hours, minutes]) => {
          const text = `${date.toISOString().slice(0, 19)}.9${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
          expect(canonicalTime(text)).toBe(`${new Date(text).toISOString().slice(0, 19)}Z`);
        },
      ),
    );
  });
});
