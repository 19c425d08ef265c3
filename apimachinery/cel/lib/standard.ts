/** The functions of cel-spec, "List of Standard Definitions", but operators. */
import type { Library } from '../check/declare.js';
import { global, member } from '../check/declare.js';
import {
  checkedDuration,
  checkedTime,
  doubleText,
  durationOf,
  durationText,
  timestampOf,
  timestampText,
  zoned,
} from '../values/text.js';
import { typeNameOf } from '../values/type-of.js';
import { CelError, TypeValue, Uint, charCount } from '../values/values.js';
import type { CelList, CelMap, Duration, Timestamp, Value } from '../values/values.js';

const INT_MAX = (1n << 63n) - 1n;
const UINT_MAX = (1n << 64n) - 1n;
const SECOND = 1_000_000_000n;

const toInt = (value: bigint): Value =>
  value > INT_MAX || value < -INT_MAX - 1n ? new CelError('integer overflow') : value;
const toUint = (value: bigint): Value =>
  value > UINT_MAX || value < 0n ? new CelError('unsigned integer overflow') : new Uint(value);
/** Towards zero; what no integer of 64 bits can hold is an error. */
const truncated = (value: number, wrap: (value: bigint) => Value): Value =>
  Number.isFinite(value) ? wrap(BigInt(Math.trunc(value))) : new CelError('integer overflow');

const parsedInt = (text: string): Value =>
  /^[-+]?\d+$/.test(text)
    ? toInt(BigInt(text.replace(/^\+/, '')))
    : new CelError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
const parsedUint = (text: string): Value =>
  /^\d+$/.test(text)
    ? toUint(BigInt(text))
    : new CelError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
const parsedDouble = (text: string): Value => {
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  if (/^[-+]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
};
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const parsedBool = (text: string): Value =>
  TRUE.has(text)
    ? true
    : FALSE.has(text)
      ? false
      : new CelError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);

function decoded(bytes: Uint8Array): Value {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

const CONVERSIONS: Library = {
  int: [
    global('int64_to_int64', '(int) int', (a: bigint) => a),
    global('double_to_int64', '(double) int', (a: number) => truncated(a, toInt)),
    global('uint64_to_int64', '(uint) int', (a: Uint) => toInt(a.value)),
    global('string_to_int64', '(string) int', parsedInt),
    global('timestamp_to_int64', '(timestamp) int', ({ ns }: Timestamp) => ns / SECOND - (ns % SECOND < 0n ? 1n : 0n)),
    global('duration_to_int64', '(duration) int', ({ ns }: Duration) => ns),
  ],
  uint: [
    global('uint64_to_uint64', '(uint) uint', (a: Uint) => a),
    global('int64_to_uint64', '(int) uint', toUint),
    global('double_to_uint64', '(double) uint', (a: number) => truncated(a, toUint)),
    global('string_to_uint64', '(string) uint', parsedUint),
  ],
  double: [
    global('double_to_double', '(double) double', (a: number) => a),
    global('int64_to_double', '(int) double', Number),
    global('uint64_to_double', '(uint) double', (a: Uint) => Number(a.value)),
    global('string_to_double', '(string) double', parsedDouble),
  ],
  bool: [
    global('bool_to_bool', '(bool) bool', (a: boolean) => a),
    global('string_to_bool', '(string) bool', parsedBool),
  ],
  bytes: [
    global('bytes_to_bytes', '(bytes) bytes', (a: Uint8Array) => a),
    global('string_to_bytes', '(string) bytes', (a: string) => Buffer.from(a)),
  ],
  string: [
    global('string_to_string', '(string) string', (a: string) => a),
    global('bool_to_string', '(bool) string', String),
    global('bytes_to_string', '(bytes) string', decoded),
    global('int64_to_string', '(int) string', String),
    global('uint64_to_string', '(uint) string', (a: Uint) => String(a.value)),
    global('double_to_string', '(double) string', doubleText),
    global('duration_to_string', '(duration) string', durationText),
    global('timestamp_to_string', '(timestamp) string', timestampText),
  ],
  timestamp: [
    global('timestamp_to_timestamp', '(timestamp) timestamp', (a: Timestamp) => a),
    global('string_to_timestamp', '(string) timestamp', timestampOf),
    global('int64_to_timestamp', '(int) timestamp', (a: bigint) => checkedTime(a * SECOND)),
  ],
  duration: [
    global('duration_to_duration', '(duration) duration', (a: Duration) => a),
    global('string_to_duration', '(string) duration', durationOf),
    global('int64_to_duration', '(int) duration', checkedDuration),
  ],
  dyn: [global('to_dyn', '(A) dyn', (a: Value) => a)],
  type: [global('type', '(A) type(A)', (a: Value) => new TypeValue(typeNameOf(a)))],
};

const SIZES = {
  size: (['string', 'bytes', 'list(A)', 'map(A, B)'] as const).flatMap((type) => {
    const name = type.replace(/\(.*/, '');
    const impl = (a: string | Uint8Array | CelList | CelMap): Value =>
      BigInt(typeof a === 'string' ? charCount(a) : a instanceof Uint8Array ? a.length : a.size);
    return [global(`size_${name}`, `(${type}) int`, impl), member(`${name}_size`, `(${type}) int`, impl)];
  }),
};

const STRINGS: Library = {
  contains: [member('contains_string', '(string, string) bool', (text: string, part: string) => text.includes(part))],
  startsWith: [
    member('starts_with_string', '(string, string) bool', (text: string, part: string) => text.startsWith(part)),
  ],
  endsWith: [member('ends_with_string', '(string, string) bool', (text: string, part: string) => text.endsWith(part))],
};

const DAY_MS = 86_400_000;
const dayOfYear = (date: Date): number => {
  const start = new Date(date);
  start.setUTCMonth(0, 1);
  return Math.round((date.getTime() - start.getTime()) / DAY_MS);
};
const FIELDS: Readonly<Record<string, readonly [id: string, of: (date: Date) => number]>> = {
  getFullYear: ['year', (date) => date.getUTCFullYear()],
  getMonth: ['month', (date) => date.getUTCMonth()],
  getDayOfYear: ['day_of_year', dayOfYear],
  getDayOfMonth: ['day_of_month', (date) => date.getUTCDate() - 1],
  getDate: ['day_of_month_1_based', (date) => date.getUTCDate()],
  getDayOfWeek: ['day_of_week', (date) => date.getUTCDay()],
  getHours: ['hours', (date) => date.getUTCHours()],
  getMinutes: ['minutes', (date) => date.getUTCMinutes()],
  getSeconds: ['seconds', (date) => date.getUTCSeconds()],
  getMilliseconds: ['milliseconds', (date) => date.getUTCMilliseconds()],
};
const DURATION_UNITS: Readonly<Record<string, bigint>> = {
  getHours: 3600n * SECOND,
  getMinutes: 60n * SECOND,
  getSeconds: SECOND,
  getMilliseconds: 1_000_000n,
};

const TIMES: Library = Object.fromEntries(
  Object.entries(FIELDS).map(([name, [id, of]]) => {
    const read = (time: Timestamp, zone?: string): Value => {
      const date = zoned(time, zone);
      return date instanceof CelError ? date : BigInt(of(date));
    };
    const unit = DURATION_UNITS[name];
    return [
      name,
      [
        member(`timestamp_to_${id}`, '(timestamp) int', (time: Timestamp) => read(time)),
        member(`timestamp_to_${id}_with_tz`, '(timestamp, string) int', read),
        ...(unit === undefined ? [] : [member(`duration_to_${id}`, '(duration) int', ({ ns }: Duration) => ns / unit)]),
      ],
    ];
  }),
);

export const STANDARD: Library = { ...CONVERSIONS, ...SIZES, ...STRINGS, ...TIMES };
