/**
 * JSON in: limits are checked on the bytes, before anything is built; duplicate keys are found for strict validation.
 * `JSON.parse` makes `__proto__` an own property like any other, and so is safe by itself; what copies such objects must
 * take care (apimachinery/value.ts).
 */
import { apiErrors } from '../status.js';
import { NumberRangeError } from './json-parser.js';
import { parseForeignJson } from './json-value.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { DecodeLimits } from './limits.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Throws ApiError: RequestEntityTooLarge, or BadRequest for what is too deep or no JSON. */
export function decodeJson(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown {
  checkSize(bytes, limits);
  checkDepth(bytes, limits.depthMax);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  try {
    return parseForeignJson(text);
  } catch (error) {
    if (error instanceof NumberRangeError) throw apiErrors.badRequest(error.message);
    throw apiErrors.badRequest(`couldn't parse the body as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function checkSize(bytes: Uint8Array, limits: DecodeLimits): void {
  if (bytes.length > limits.bytesMax) {
    throw apiErrors.requestEntityTooLarge(`the body has ${bytes.length} bytes; the limit is ${limits.bytesMax}`);
  }
}

export function tooDeep(depthMax: number): Error {
  return apiErrors.badRequest(`the body nests deeper than the limit of ${depthMax} levels`);
}

/** One pass over the bytes; strings are stepped over, so brackets in them do not count. */
function checkDepth(bytes: Uint8Array, depthMax: number): void {
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
      if (depth > depthMax) throw tooDeep(depthMax);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
    }
  }
}

/** Index of the closing quote, or the end of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

interface Frame {
  /** Path of the object or list itself. */
  readonly path: string;
  /** Absent for lists. */
  readonly keys?: Set<string>;
  index: number;
  key: string;
}

const DUPLICATES_MAX = 32;

/**
 * Paths of keys that stand more than once in their object, as `spec.containers[0].name`, each once. The bytes must be
 * JSON that `decodeJson` accepted.
 */
export function duplicateKeys(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = new Set<string>();
  const frames: Frame[] = [];
  let expectKey = false;
  for (let at = 0; at < buffer.length && found.size < DUPLICATES_MAX; at += 1) {
    const frame = frames.at(-1);
    switch (buffer[at]) {
      case OPEN_BRACE:
      case OPEN_BRACKET: {
        const isObject = buffer[at] === OPEN_BRACE;
        frames.push({ path: frame === undefined ? '' : childPath(frame), index: 0, key: '', ...(isObject ? { keys: new Set<string>() } : {}) });
        expectKey = isObject;
        break;
      }
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        frames.pop();
        expectKey = false;
        break;
      case 0x2c: // a comma
        if (frame?.keys === undefined && frame !== undefined) frame.index += 1;
        expectKey = frame?.keys !== undefined;
        break;
      case QUOTE: {
        const end = endOfString(buffer, at);
        if (expectKey && frame?.keys !== undefined) {
          frame.key = JSON.parse(buffer.toString('utf8', at, end + 1)) as string;
          if (frame.keys.has(frame.key)) found.add(childPath(frame));
          frame.keys.add(frame.key);
          expectKey = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return [...found];
}

function childPath(frame: Frame): string {
  if (frame.keys === undefined) return `${frame.path}[${frame.index}]`;
  return frame.path === '' ? frame.key : `${frame.path}.${frame.key}`;
}
