/** How items of a list tell each other apart: by their keys, or by their whole value. */
import { encodeJson } from '../json-value.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import type { Schema } from '../schema.js';

/** Undefined where items need not be told apart. */
export function listIdentity(schema: Schema): ((item: unknown) => { id: string; shown: unknown }) | undefined {
  if (schema.listType === 'map' && schema.listMapKeys !== undefined) {
    const names = schema.listMapKeys;
    const defaults = schema.items?.properties ?? {};
    return (item) => {
      const shown: JsonObject = {};
      for (const name of names) {
        const value = isObject(item) && Object.hasOwn(item, name) ? item[name] : defaults[name]?.default;
        if (value !== undefined) shown[name] = value;
      }
      return { id: encodeJson(shown), shown };
    };
  }
  return schema.listType === 'set' || schema.uniqueItems === true
    ? (item) => ({ id: encodeJson(item), shown: item })
    : undefined;
}

/** The item that was there under the same keys; of lists that are no maps nobody can tell. */
export function itemsBefore(schema: Schema, old: readonly unknown[]): ((item: unknown) => unknown) | undefined {
  const keysOf = schema.listType === 'map' && old.length > 0 ? listIdentity(schema) : undefined;
  if (keysOf === undefined) return undefined;
  const items = new Map(old.map((item) => [keysOf(item).id, item]));
  // Without all its keys an item is nobody's successor.
  return (item) =>
    isObject(item) && schema.listMapKeys?.every((name) => Object.hasOwn(item, name)) === true
      ? items.get(keysOf(item).id)
      : undefined;
}
