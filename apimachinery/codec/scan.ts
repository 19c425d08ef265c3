/**
 * One pass over the bytes of JSON, before any value is built: how deep it nests and how many values it has. Bytes that
 * are no JSON are counted in some way; the parser refuses them afterwards.
 */
import { tooDeep, tooManyItems, tooManyKeys, tooManyValues } from './limits.js';
import type { DecodeLimits } from './limits.js';

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
const SPACE_MAX = 0x20;

export interface JsonCounts {
  readonly values: number;
  /** Objects that are items of lists. */
  readonly items: number;
}

/** Throws ApiError at the first byte that goes beyond a limit: BadRequest for depth, else RequestEntityTooLarge. */
export function scanJson(bytes: Uint8Array, limits: Omit<DecodeLimits, 'bytesMax'>): JsonCounts {
  const { depthMax, valuesMax, itemsMax, keysMax } = limits;
  const inList = new Uint8Array(depthMax + 1);
  const members = new Uint32Array(depthMax + 1);
  let depth = 0;
  // A container that is not empty has one value more than commas.
  let [values, items] = [1, 0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
    } else if (byte === COMMA) {
      values += 1;
      members[depth] = (members[depth] ?? 0) + 1;
      if (values > valuesMax) throw tooManyValues(valuesMax);
      if (inList[depth] === 0 && (members[depth] ?? 0) >= keysMax) throw tooManyKeys(keysMax);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (byte === OPEN_BRACE && inList[depth] === 1) items += 1;
      if (!closesAt(bytes, at + 1)) values += 1;
      depth += 1;
      if (depth > depthMax) throw tooDeep(depthMax);
      if (values > valuesMax) throw tooManyValues(valuesMax);
      if (items > itemsMax) throw tooManyItems(itemsMax);
      inList[depth] = byte === OPEN_BRACKET ? 1 : 0;
      members[depth] = 0;
    } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && depth > 0) {
      depth -= 1;
    }
  }
  return { values, items };
}

/** Index of the closing quote, or the end of the bytes. */
export function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** White space, and then the end of a container. */
function closesAt(bytes: Uint8Array, start: number): boolean {
  let at = start;
  while (at < bytes.length && (bytes[at] ?? 0) <= SPACE_MAX) at += 1;
  return bytes[at] === CLOSE_BRACE || bytes[at] === CLOSE_BRACKET;
}
