/** `'%s is %.2f'.format([...])` (cel-go ext, "Format"). */
import { doubleText, durationText, timestampText } from '../values/text.js';
import { typeNameOf } from '../values/type-of.js';
import { CelError, CelList, CelMap, Duration, Timestamp, TypeValue, Uint } from '../values/values.js';
import type { Value } from '../values/values.js';

const PRECISION = 6;
const CLAUSE = /%(?:%|(?:\.(\d+))?(.)?)/gsu;
const SUPERSCRIPT = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** The verbs of a format's clauses in their order, `undefined` for a clause that does not end. */
export function verbsOf(format: string): (string | undefined)[] {
  return [...format.matchAll(CLAUSE)].filter(([clause]) => clause !== '%%').map((match) => match[2]);
}

/**
 * What a verb takes: words for the complaint, and types as `typeName` prints them; undefined for a verb that there is
 * not.
 */
export const VERBS: Readonly<Record<string, { readonly what: string; readonly types: readonly string[] } | undefined>> =
  {
    s: { what: '', types: [] },
    d: { what: 'decimal clause can only be used on integers', types: ['int', 'uint'] },
    f: { what: 'fixed-point clause can only be used on doubles', types: ['double', 'string'] },
    e: { what: 'scientific clause can only be used on doubles', types: ['double', 'string'] },
    b: { what: 'binary clause can only be used on integers and bools', types: ['int', 'uint', 'bool'] },
    o: { what: 'octal clause can only be used on integers', types: ['int', 'uint'] },
    x: {
      what: 'hex clause can only be used on integers, byte buffers, and strings',
      types: ['int', 'uint', 'string', 'bytes'],
    },
    X: {
      what: 'hex clause can only be used on integers, byte buffers, and strings',
      types: ['int', 'uint', 'string', 'bytes'],
    },
  };

class FormatFailure extends Error {}

export function formatString(format: string, args: CelList): Value {
  let next = 0;
  try {
    return format.replace(CLAUSE, (clause: string, precision?: string, verb?: string) => {
      if (clause === '%%') return '%';
      if (verb === undefined) throw new FormatFailure('unexpected end of string');
      const at = next++;
      if (at >= args.size) throw new FormatFailure(`index ${at} out of range`);
      const value = args.at(at);
      if (value instanceof CelError) throw new FormatFailure(value.message);
      return clauseOf(verb, value, precision === undefined ? PRECISION : Number(precision));
    });
  } catch (error) {
    if (error instanceof FormatFailure) return new CelError(error.message);
    throw error;
  }
}

function clauseOf(verb: string, value: Value, precision: number): string {
  switch (verb) {
    case 's':
      return textOf(value);
    case 'd':
      return decimal(value);
    case 'f':
      return fixed(doubleOf(value, 'fixed-point'), precision);
    case 'e':
      return scientific(doubleOf(value, 'scientific'));
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : integerOf(value, 'binary').toString(2);
    case 'o':
      return integerOf(value, 'octal').toString(8);
    case 'x':
      return hex(value);
    case 'X':
      return hex(value).toUpperCase();
    default:
      throw new FormatFailure(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function integerOf(value: Value, what: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  throw new FormatFailure(
    `error during formatting: ${what} clause can only be used on integers${what === 'binary' ? ' and bools' : ''}, was given ${typeNameOf(value)}`,
  );
}

const decimal = (value: Value): string => integerOf(value, 'decimal').toString();

function hex(value: Value): string {
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value as string).toString('hex');
  return integerOf(value, 'hex').toString(16);
}

function doubleOf(value: Value, what: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  throw new FormatFailure(
    `error during formatting: ${what} clause can only be used on doubles, was given ${typeNameOf(value)}`,
  );
}

const special = (value: number): string | undefined =>
  Number.isNaN(value) ? 'NaN' : Number.isFinite(value) ? undefined : value > 0 ? '∞' : '-∞';
const PRECISION_MAX = 100;

function fixed(value: number, precision: number): string {
  const digits = Math.min(precision, PRECISION_MAX);
  return (
    special(value) ?? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  );
}

/** `1.052033×10⁰³`; as in kube-apiserver, a precision changes nothing. */
function scientific(value: number): string {
  const [digits = '', exponent = '+0'] = value.toExponential(PRECISION).split('e');
  const power = exponent
    .slice(1)
    .padStart(2, '0')
    .replace(/\d/g, (digit) => SUPERSCRIPT[Number(digit)] ?? digit);
  return special(value) ?? `${digits}×10${exponent.startsWith('-') ? '⁻' : ''}${power}`;
}

function textOf(value: Value): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      return doubleText(value);
    default:
      return value === null ? 'null' : objectText(value);
  }
}

function objectText(value: object): string {
  if (value instanceof CelList) return `[${[...value].map(literalOf).join(', ')}]`;
  if (value instanceof CelMap) return mapText(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof TypeValue) return value.name;
  throw new FormatFailure(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value as Value)}`,
  );
}

function mapText(map: CelMap): string {
  const pairs = [...map.keys()].map((key) => ({ key: literalOf(key), value: literalOf(map.find(key) ?? null) }));
  return `{${pairs
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value }) => `${key}:${value}`)
    .join(', ')}}`;
}

/** As it would be written in an expression. */
function literalOf(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString())}`;
  if (value instanceof Timestamp) return `timestamp(${JSON.stringify(timestampText(value))})`;
  if (value instanceof Duration) return `duration(${JSON.stringify(durationText(value))})`;
  return typeof value === 'number' && Number.isFinite(value) ? value.toFixed(PRECISION) : textOf(value);
}
