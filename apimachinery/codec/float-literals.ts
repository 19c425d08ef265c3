/**
 * Whole numbers that a JSON body spells as floats, `1.0` or `1e3`: the same value to JavaScript, and refused by Go's
 * decoder where a field is an integer. One pass over the bytes; text is made of those that are found alone.
 */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, endOfString, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './scan.js';

/** The object or list that the walk is in, and where in it. */
interface Place {
  readonly isList: boolean;
  index: number;
  /** The key's quotes. */
  open: number;
  close: number;
}

const [MINUS, DOT, UPPER_E, LOWER_E, ZERO, NINE] = [0x2d, 0x2e, 0x45, 0x65, 0x30, 0x39];
/** So many are refused as well as one. */
const FOUND_MAX = 100;

/** Path of the value, as `spec.replicas`, -> the literal. The bytes must be valid JSON. */
export function floatLiterals(bytes: Uint8Array): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const places: Place[] = [];
  let expectKey = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    const place = places.at(-1);
    if (byte === QUOTE) {
      const close = endOfString(bytes, at);
      if (expectKey && place !== undefined) [place.open, place.close] = [at, close];
      expectKey = false;
      at = close;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      expectKey = byte === OPEN_BRACE;
      places.push({ isList: !expectKey, index: 0, open: 0, close: 0 });
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      places.pop();
      expectKey = false;
    } else if (byte === COMMA) {
      if (place?.isList === true) place.index += 1;
      expectKey = place?.isList === false;
    } else if (byte === MINUS || isDigit(byte)) {
      const { end, isFloat } = numberAt(bytes, at);
      if (isFloat && found.size < FOUND_MAX) found.set(pathOf(bytes, places), textOf(bytes, at, end));
      at = end - 1;
    }
  }
  return found;
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

function numberAt(bytes: Uint8Array, start: number): { readonly end: number; readonly isFloat: boolean } {
  let [end, isFloat] = [start + 1, false];
  for (; end < bytes.length; end += 1) {
    const byte = bytes[end] ?? 0;
    if (byte === DOT || byte === UPPER_E || byte === LOWER_E) isFloat = true;
    // A sign stands behind an exponent alone.
    else if (!isDigit(byte) && !(isFloat && (byte === MINUS || byte === 0x2b))) break;
  }
  return { end, isFloat };
}

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');

const pathOf = (bytes: Uint8Array, places: readonly Place[]): string =>
  places
    .map(({ isList, index, open, close }) =>
      isList ? `[${index}]` : `.${JSON.parse(textOf(bytes, open, close + 1)) as string}`,
    )
    .join('')
    .replace(/^\./, '');
