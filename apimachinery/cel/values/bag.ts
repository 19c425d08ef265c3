/**
 * Values that are looked for by equality: in groups that may be equal, so that a thousand among a thousand are not a
 * million comparisons.
 */
import { equals } from './compare.js';
import { CelList, CelMap, Uint } from './values.js';
import type { Value } from './values.js';

export class Bag {
  readonly #groups = new Map<string, Value[]>();

  constructor(values: Iterable<Value> = []) {
    for (const value of values) this.add(value);
  }

  add(value: Value): void {
    const mark = markOf(value);
    const group = this.#groups.get(mark);
    if (group === undefined) this.#groups.set(mark, [value]);
    else group.push(value);
  }

  has(wanted: Value): boolean {
    return this.#groups.get(markOf(wanted))?.some((value) => equals(value, wanted)) === true;
  }
}

/** Equal values have the same mark. */
function markOf(value: Value): string {
  if (value instanceof CelMap)
    return `{${[...value.keys()]
      .map((key) => `${plainMark(key)}=${plainMark(value.find(key) ?? null)}`)
      .toSorted()
      .join()}}`;
  return plainMark(value);
}

/** Numbers are equal across their types; what is made of others counts by its type alone. */
function plainMark(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
    case 'number':
      return String(Number(value) + 0);
    case 'boolean':
      return String(value);
    default:
      return value instanceof Uint
        ? String(Number(value.value))
        : value instanceof CelList
          ? 'list'
          : value instanceof CelMap
            ? 'map'
            : 'other';
  }
}
