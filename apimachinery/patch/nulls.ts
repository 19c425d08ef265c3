import { isObject } from '../value.js';

/** Takes out keys with null at any depth, in place, and returns the value; nulls as items of lists stay. */
export function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) {
    value.forEach(dropNulls);
  } else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] === null) delete value[key];
      else dropNulls(value[key]);
    }
  }
  return value;
}
