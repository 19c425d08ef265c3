/** Times, durations and numbers as text, and back. */
import { CelError, Duration, Timestamp } from './values.js';

const SECOND = 1_000_000_000n;
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};
const TERM = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
const INT64_MAX = (1n << 63n) - 1n;

/** Go's text of a duration, exactly: `1h30m`, `1.5s`, `-2ms`, `0`. */
export function durationOf(text: string): Duration | CelError {
  const invalid = (): CelError => new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  const body = text.replace(/^[-+]/, '');
  if (body === '0') return new Duration(0n);
  let total = 0n;
  let at = 0;
  while (at < body.length) {
    TERM.lastIndex = at;
    const match = TERM.exec(body);
    const [term = '', whole = '', fraction = '', unit = ''] = match ?? [];
    if (match === null || (whole === '' && fraction === '')) return invalid();
    const scale = UNITS[unit] ?? 0n;
    total +=
      BigInt(whole === '' ? 0 : whole) * scale +
      (fraction === '' ? 0n : (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length));
    at += term.length;
  }
  if (body === '' || total > INT64_MAX) return invalid();
  return new Duration(text.startsWith('-') ? -total : total);
}

/** Seconds with as many digits as there are: `1.5s`. */
export function durationText({ ns }: Duration): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / SECOND}${fraction === '' ? '' : `.${fraction}`}s`;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?([Zz]|[-+]\d\d:\d\d)$/;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
const TIME_MIN = -62_135_596_800n * SECOND;
const TIME_MAX = 253_402_300_799n * SECOND + SECOND - 1n;

export function timestampOf(text: string): Timestamp | CelError {
  const invalid = (): CelError =>
    new CelError(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
  const match = RFC3339.exec(text);
  if (match === null) return invalid();
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone = ''] = match;
  const ms = Date.UTC(2000, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(ms);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const fits =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60;
  const offset = offsetMinutes(zone);
  if (!fits || offset === undefined) return invalid();
  const ns = BigInt(date.getTime() / 1000 - offset * 60) * SECOND + BigInt(fraction.padEnd(9, '0').slice(0, 9));
  return checkedTime(ns);
}

export function checkedTime(ns: bigint): Timestamp | CelError {
  return ns < TIME_MIN || ns > TIME_MAX ? new CelError('timestamp overflow') : new Timestamp(ns);
}

export function checkedDuration(ns: bigint): Duration | CelError {
  return ns > INT64_MAX || ns < -INT64_MAX - 1n ? new CelError('integer overflow') : new Duration(ns);
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** RFC 3339 in UTC with as many digits as there are. */
export function timestampText({ ns }: Timestamp): string {
  const seconds = ns / SECOND - (ns % SECOND < 0n ? 1n : 0n);
  const fraction = String(ns - seconds * SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const text = new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, '');
  return `${text}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/**
 * A Date whose UTC fields are the time's fields in a zone: UTC when absent, `+02:00`, or a name of the IANA database.
 */
export function zoned({ ns }: Timestamp, zone?: string): Date | CelError {
  const ms = Number(ns / 1_000_000n - (ns % 1_000_000n < 0n ? 1n : 0n));
  if (zone === undefined || zone === 'UTC' || zone === '') return new Date(ms);
  const fixed = /^[-+]?\d\d:\d\d$/.test(zone) ? offsetMinutes(/^[-+]/.test(zone) ? zone : `+${zone}`) : undefined;
  if (fixed !== undefined) return new Date(ms + fixed * 60_000);
  try {
    const parts = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    }).formatToParts(ms);
    const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
    const date = new Date(
      Date.UTC(
        2000,
        part('month') - 1,
        part('day'),
        part('hour'),
        part('minute'),
        part('second'),
        ((ms % 1000) + 1000) % 1000,
      ),
    );
    date.setUTCFullYear(part('year'), part('month') - 1, part('day'));
    return date;
  } catch {
    return new CelError(`unknown time zone ${zone}`);
  }
}

/** Larger numbers are printed with an exponent. */
const EXPONENT_MIN = 6;

/** As Go prints a double with %g of the shortest digits that read back. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const exponent = value === 0 ? 0 : Number(value.toExponential().split('e')[1]);
  if (exponent >= -4 && exponent < EXPONENT_MIN) return plain(value);
  const [digits = '', power = ''] = value.toExponential().split('e');
  return `${digits}e${power.startsWith('-') ? '-' : '+'}${power.replace(/^[-+]/, '').padStart(2, '0')}`;
}

const plain = (value: number): string => {
  const text = String(value);
  if (!text.includes('e')) return text;
  const [digits = '', power = '0'] = text.split('e');
  const places = digits.replace('.', '').replace('-', '');
  return `${value < 0 ? '-' : ''}0.${'0'.repeat(-Number(power) - 1)}${places}`;
};
