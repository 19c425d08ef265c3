/** RFC 7386. */
import { apiErrors } from '../status.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';

/** Returns a new object; neither argument changes. Throws ApiError BadRequest when the patch is no object. */
export function applyMergePatch(object: JsonObject, patch: unknown): JsonObject {
  if (!isObject(patch)) throw apiErrors.badRequest('a merge patch must be an object');
  const result = cloneJson(object);
  mergeInto(result, patch);
  return result;
}

function mergeInto(target: JsonObject, patch: JsonObject): void {
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) {
      delete target[key];
    } else if (isObject(value)) {
      const current = Object.hasOwn(target, key) ? target[key] : undefined;
      const merged = isObject(current) ? current : {};
      setOwn(target, key, merged);
      mergeInto(merged, value);
    } else {
      setOwn(target, key, cloneJson(value));
    }
  }
}
