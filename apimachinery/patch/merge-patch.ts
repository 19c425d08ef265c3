/** RFC 7386. */
import { apiErrors } from '../status.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { jsonType } from './go-text.js';
import { dropNulls } from './nulls.js';

/** Returns a new object; neither argument changes. Throws ApiError BadRequest when the patch is not an object. */
export function applyMergePatch(object: JsonObject, patch: unknown): JsonObject {
  if (patch === null) throw apiErrors.badRequest('Invalid JSON Patch');
  if (!isObject(patch))
    throw apiErrors.badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonType(patch)} into Go value of type map[string]interface {}`,
    );
  const result = cloneJson(object);
  mergeInto(result, cloneJson(patch));
  return result;
}

/**
 * Both are our own copies. Where there was no object nulls in the patch have nothing to delete, and fall away at any
 * depth.
 */
function mergeInto(target: JsonObject, patch: JsonObject): void {
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    const current = Object.hasOwn(target, key) ? target[key] : undefined;
    if (value === null) delete target[key];
    else if (isObject(current) && isObject(value)) mergeInto(current, value);
    else setOwn(target, key, isObject(current) ? value : dropNulls(value));
  }
}
