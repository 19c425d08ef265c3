/**
 * JSON in: limits are checked on the bytes, before anything is built.
 * `JSON.parse` makes `__proto__` an own property like any other, and so is safe by itself; what copies such objects
 * must take care (apimachinery/value.ts).
 */
import { ApiError, apiErrors } from '../status.js';
import { NumberRangeError } from '../json-parser.js';
import { jsonSyntaxError } from './json-syntax.js';
import { parseForeignJson } from '../json-value.js';
import { checkSize, DEFAULT_LIMITS } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { scanJson } from './scan.js';

/** The text is no JSON; `detail` says so in the words of Go's decoder, without the name of what was expected. */
export class JsonSyntaxError extends ApiError {
  readonly detail: string;

  constructor(detail: string) {
    super(apiErrors.badRequest(`couldn't parse the body as JSON: ${detail}`).status);
    this.detail = detail;
  }
}

/** Throws ApiError: RequestEntityTooLarge, BadRequest for what is too deep, JsonSyntaxError. */
export function decodeJson(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown {
  checkSize(bytes, limits);
  scanJson(bytes, limits);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  try {
    return parseForeignJson(text);
  } catch (error) {
    if (error instanceof NumberRangeError) throw apiErrors.badRequest(error.message);
    if (!(error instanceof SyntaxError)) throw error;
    throw new JsonSyntaxError(jsonSyntaxError(text) ?? error.message);
  }
}
