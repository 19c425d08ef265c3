/**
 * Resource quantities, exact: `100m`, `1.5Gi`, `12e6` (k8s.io/apimachinery/pkg/api/resource). A value is an integer
 * number of nano units, which is the finest Kubernetes keeps; finer ones are rounded up, as there. Of several texts for
 * one value some are kept as they were written, as there, and all others have one form.
 */

import { isNumeric } from './int64.js';

type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface ParsedQuantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

const NANO = 1_000_000_000n;
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_SHIFT: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const MILLI_NANO = NANO / 1000n;
const DECIMAL_SUFFIXES = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/**
 * Binary quantities are capped at int64's range of whole units, as Kubernetes caps them; decimal ones are kept, however
 * large.
 */
const UNITS_MAX = (1n << 63n) - 1n;
const LENGTH_MAX = 64;
const EXPONENT_MAX = 64;

/** Most are a few digits. */
const SMALL = /^\d{1,15}$/;
const FORM = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)$/;

/** Undefined for text that is no quantity. A number (JSON allows one) is read as its digits. */
export function parseQuantity(value: unknown): ParsedQuantity | undefined {
  const text = textOf(value);
  if (text !== undefined && SMALL.test(text)) return { nano: BigInt(text) * NANO, format: 'DecimalSI' };
  const match = text === undefined || text.length > LENGTH_MAX ? null : FORM.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', e, exponentText, suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  const shift = BINARY_SHIFT[suffix];
  const exponent = e === undefined ? (DECIMAL_EXPONENT[suffix] ?? 0) : Number(exponentText);
  if (Math.abs(exponent) > EXPONENT_MAX) return undefined;
  const scaled = shift === undefined ? digits : digits << shift;
  const exact = scaleTen(scaled, 9 + (shift === undefined ? exponent : 0) - fraction.length);
  const nano = shift === undefined ? exact : capped(exact);
  return {
    nano: sign === '-' ? -nano : nano,
    format: shift !== undefined ? 'BinarySI' : e !== undefined ? 'DecimalExponent' : 'DecimalSI',
  };
}

/** Spaces around it do not count. */
function textOf(value: unknown): string | undefined {
  if (isNumeric(value)) return String(value);
  if (typeof value !== 'string') return undefined;
  return value.length <= LENGTH_MAX ? value.trim() : value;
}

/** Rounds away from zero, which for these magnitudes is up. */
function scaleTen(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (value + divisor - 1n) / divisor;
}

const capped = (nano: bigint): bigint => (nano > UNITS_MAX * NANO ? UNITS_MAX * NANO : nano);

/** The canonical form: the largest suffix without a fraction (`1500m`, `2Gi`, `12e6`). */
export function formatQuantity({ nano, format }: ParsedQuantity): string {
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  if (format === 'BinarySI' && size >= 1024n * NANO && size % NANO === 0n) return sign + formatBinary(size / NANO);
  const digits = String(size);
  const zeros = digits.length - digits.replace(/0+$/, '').length;
  const steps_max = format === 'DecimalExponent' ? Infinity : DECIMAL_SUFFIXES.length - 1;
  const step = Math.min(Math.floor(zeros / 3), steps_max);
  const number = sign + digits.slice(0, digits.length - 3 * step);
  if (format !== 'DecimalExponent') return `${number}${DECIMAL_SUFFIXES[step]}`;
  const exponent = step * 3 - 9;
  return exponent === 0 ? number : `${number}e${exponent}`;
}

function formatBinary(units: bigint): string {
  let digits = units;
  let step = 0;
  while (step < BINARY_SUFFIXES.length - 1 && digits % 1024n === 0n) {
    digits /= 1024n;
    step += 1;
  }
  return `${digits}${BINARY_SUFFIXES[step]}`;
}

/**
 * The text that is stored: what Kubernetes keeps as it was written, and the canonical form of all else; what is no
 * quantity comes back as it was.
 */
export function canonicalQuantity(value: unknown): unknown {
  const parsed = parseQuantity(value);
  if (parsed === undefined) return value;
  const text = textOf(value);
  return text !== undefined && isKept(text) ? text : formatQuantity(parsed);
}

/**
 * As `canonicalQuantity`, of one in a list of resources: those have no finer unit than a thousandth, and are rounded
 * up.
 */
export function canonicalResourceAmount(value: unknown): unknown {
  const parsed = parseQuantity(value);
  if (parsed === undefined || parsed.nano % MILLI_NANO === 0n) return canonicalQuantity(value);
  const { nano, format } = parsed;
  const size = (nano < 0n ? -nano : nano) + MILLI_NANO - 1n;
  const rounded = size - (size % MILLI_NANO);
  return formatQuantity({ nano: nano < 0n ? -rounded : rounded, format });
}

/** Digits that Kubernetes' short way of reading takes; what goes the long way is always written anew. */
const KEPT_DIGITS_MAX = 18;
const KEPT_BINARY_DIGITS_MAX = 14;

/**
 * Kubernetes keeps the text where it takes its exponent, sign and point for usual ones: `+5`, `5.`, `1E3`, but not
 * `1000`, `0.5` or `8Ki`.
 */
function isKept(text: string): boolean {
  const [, , padded = '', fraction = '', e, exponentText, suffix = ''] = FORM.exec(text) ?? [];
  const whole = padded.replace(/^0+/, '');
  const digits = whole === '' ? `0${fraction}` : whole + fraction;
  const shift = BINARY_SHIFT[suffix];
  if (shift !== undefined) {
    const room = KEPT_BINARY_DIGITS_MAX - digits.length - Math.floor((Number(shift) * 3) / 10);
    return fraction === '' && room >= 0 && BigInt(digits) % 8n !== 0n;
  }
  const scale = (e === undefined ? (DECIMAL_EXPONENT[suffix] ?? 0) : Number(exponentText)) - fraction.length;
  return (
    digits.length <= KEPT_DIGITS_MAX &&
    scale >= -9 &&
    scale % 3 === 0 &&
    !digits.startsWith('0') &&
    !digits.endsWith('000')
  );
}

/** Nano units; 0 for what is absent or no quantity. */
export function quantityNano(value: unknown): bigint {
  return parseQuantity(value)?.nano ?? 0n;
}

/** Whole units, rounded up: bytes of memory, counts of pods. Exact up to 2^53. */
export function quantityUnits(value: unknown): number {
  return ceil(quantityNano(value), NANO);
}

/** Thousandths, rounded up: milli-CPUs. */
export function quantityMilli(value: unknown): number {
  return ceil(quantityNano(value), NANO / 1000n);
}

function ceil(nano: bigint, unit: bigint): number {
  const whole = nano / unit;
  return Number(nano > 0n && nano % unit !== 0n ? whole + 1n : whole);
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: unknown, b: unknown): number {
  const [x, y] = [quantityNano(a), quantityNano(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The sum in the format of the first that is not zero. */
export function addQuantities(a: unknown, b: unknown): string {
  return combine(a, b, (x, y) => x + y);
}

export function subtractQuantities(a: unknown, b: unknown): string {
  return combine(a, b, (x, y) => x - y);
}

function combine(a: unknown, b: unknown, operation: (x: bigint, y: bigint) => bigint): string {
  const zero: ParsedQuantity = { nano: 0n, format: 'DecimalSI' };
  const [x, y] = [parseQuantity(a) ?? zero, parseQuantity(b) ?? zero];
  return formatQuantity({ nano: operation(x.nano, y.nano), format: x.nano === 0n ? y.format : x.format });
}
