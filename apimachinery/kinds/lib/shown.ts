/**
 * Objects as Go prints Kubernetes' internal types, which complaints about a whole struct show: every field is there,
 * under Go's name and in Go's order, and what has no value is null, empty or zero.
 */
import { absent, entries, field, isRec, keysOf, list, num, str } from './value.js';

export type Shown = (value: unknown) => unknown;

export const text: Shown = (value) => str(value);
export const count: Shown = (value) => num(value);
export const flag: Shown = (value) => value === true;
/** A pointer to what prints as it stands, or a value of such a type. */
export const pointer: Shown = (value) => value ?? null;
export const texts: Shown = (value) => (absent(value) ? null : list(value).map(text));
export const listOf =
  (item: Shown): Shown =>
  (value) =>
    absent(value) ? null : list(value).map(item);
/** Keys in order; an empty map is nil once it was stored. */
export const mapOf =
  (item: Shown): Shown =>
  (value) =>
    keysOf(value).length === 0
      ? null
      : Object.fromEntries(
          [...entries(value)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, item(inner)]),
        );
export const optional =
  (shown: Shown): Shown =>
  (value) =>
    isRec(value) ? shown(value) : null;

/** Fields by Go's name. Its name in JSON begins with a small letter, unless it is given. */
export function struct(fields: Readonly<Record<string, Shown | readonly [json: string, shown: Shown]>>): Shown {
  const rows = Object.entries(fields).map(([name, how]) => {
    const [json, shown] =
      typeof how === 'function' ? ([name.charAt(0).toLowerCase() + name.slice(1), how] as const) : how;
    return { name, json, shown };
  });
  return (value) => Object.fromEntries(rows.map(({ name, json, shown }) => [name, shown(field(value, json))]));
}

const requirement = struct({ Key: text, Operator: text, Values: texts });

export const nodeSelector = struct({
  NodeSelectorTerms: listOf(struct({ MatchExpressions: listOf(requirement), MatchFields: listOf(requirement) })),
});
