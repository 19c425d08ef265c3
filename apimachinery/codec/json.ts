/**
 * JSON in: limits are checked on the bytes, before anything is built.
 * `JSON.parse` makes `__proto__` an own property like any other, and so is safe by itself; what copies such objects must
 * take care (apimachinery/value.ts).
 */
import { apiErrors } from '../status.js';
import { NumberRangeError } from './json-parser.js';
import { parseForeignJson } from './json-value.js';
import { checkSize, DEFAULT_LIMITS } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { scanJson } from './scan.js';

/** Throws ApiError: RequestEntityTooLarge, or BadRequest for what is too deep or no JSON. */
export function decodeJson(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown {
  checkSize(bytes, limits);
  scanJson(bytes, limits);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  try {
    return parseForeignJson(text);
  } catch (error) {
    if (error instanceof NumberRangeError) throw apiErrors.badRequest(error.message);
    throw apiErrors.badRequest(`couldn't parse the body as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
