/**
 * JSON text to the values that objects are made of, and back, without losing a digit of an int64. The only place where
 * bodies of objects are parsed and printed.
 *
 * In memory an integer is a `number` up to 2^53-1 and a `bigint` beyond (apimachinery/int64.ts). Few objects hold one,
 * so JSON.parse and JSON.stringify do the work of nearly all: text is first searched for a run of 16 digits, which is
 * much cheaper than parsing it, and printing falls back when JSON.stringify meets a bigint.
 */
import { isObject } from './value.js';
import { parseExactly } from './json-parser.js';

/** Every integer beyond 2^53-1 has 16 digits or more. */
const WIDE_DIGITS = 16;
/** A number that may be beyond the doubles has an exponent of three digits, or a wide run of digits. */
const LARGE_EXPONENT = /(?:^|[:,[])\s*-?\d[\d.]*[eE]\+?\d{3}/;
/** Ten times cheaper, and seldom found: then the other is not tried. */
const LARGE_EXPONENT_HINT = /\d[eE]\+?\d{3}/;

/** Throws SyntaxError for what is not JSON. Numbers beyond the doubles are infinite here: for text of known origin. */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return hasWideNumber(text) ? parseExactly(text) : value;
}

/** The same for text of clients: throws NumberRangeError for a number that neither an int64 nor a double holds. */
export function parseForeignJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const large = LARGE_EXPONENT_HINT.test(text) && LARGE_EXPONENT.test(text);
  return large || hasWideNumber(text) ? parseExactly(text) : value;
}

export function parseJsonBytes(bytes: Uint8Array): unknown {
  return parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
}

/** As JSON.stringify: what is undefined is left out of objects. A value that is undefined itself becomes `null`. */
export function encodeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return printExactly(value) ?? 'null';
  }
}

export function encodeJsonBytes(value: unknown): Buffer {
  return Buffer.from(encodeJson(value));
}

/** Whether a run of 16 digits stands where JSON has a number. A run that long covers every sixteenth position. */
function hasWideNumber(text: string): boolean {
  for (let at = WIDE_DIGITS - 1; at < text.length; at += WIDE_DIGITS) {
    if (!isDigit(text.charCodeAt(at))) continue;
    let start = at;
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start -= 1;
    let end = at + 1;
    while (end < text.length && isDigit(text.charCodeAt(end))) end += 1;
    if (end - start >= WIDE_DIGITS && beginsNumber(text, start)) return true;
    // On to the first position of the grid behind the run: text of digits alone costs one look at each.
    at += Math.floor((end - at) / WIDE_DIGITS) * WIDE_DIGITS;
  }
  return false;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

const BEFORE_NUMBER = new Set([0x3a, 0x2c, 0x5b]); // : , [

/** Digits inside a string may look so too; then the exact parser works in vain, and finds the same value. */
function beginsNumber(text: string, start: number): boolean {
  let at = start - 1;
  if (text[at] === '-') at -= 1;
  while (at >= 0 && text.charCodeAt(at) <= 0x20) at -= 1;
  return at < 0 || BEFORE_NUMBER.has(text.charCodeAt(at));
}

/** Undefined where JSON.stringify leaves the value out. */
function printExactly(value: unknown): string | undefined {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => printExactly(item) ?? 'null').join(',')}]`;
  if (!isObject(value) || typeof value['toJSON'] === 'function') return JSON.stringify(value);
  const members: string[] = [];
  for (const key of Object.keys(value)) {
    const text = printExactly(value[key]);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(',')}}`;
}
