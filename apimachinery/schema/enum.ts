/** Whether a value is one of those that a schema names. As many as a body may hold are looked up, not walked. */
import { isNumeric } from '../int64.js';
import { isObject } from '../value.js';

const known = new WeakMap<readonly unknown[], ReadonlySet<string>>();

export function isOneOf(allowed: readonly unknown[], value: unknown): boolean {
  let keys = known.get(allowed);
  if (keys === undefined) {
    keys = new Set(allowed.map(keyOf));
    known.set(allowed, keys);
  }
  return keys.has(keyOf(value));
}

/**
 * Two values are equal (`jsonEqual`) when they have the same key: the order of fields is nothing, nor in which type an
 * integer is held.
 */
function keyOf(value: unknown): string {
  if (isNumeric(value)) return Number.isInteger(value) ? String(BigInt(value)) : String(value);
  if (Array.isArray(value)) return `[${value.map(keyOf).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? '';
  return `{${Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${keyOf(value[name])}`)
    .join(',')}}`;
}
