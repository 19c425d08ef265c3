/** Lists: Kubernetes' library, cel-go's ext.Lists (version 3) and ext.Sets. */
import type { Library, Overload } from '../check/declare.js';
import { global, member } from '../check/declare.js';
import { Bag } from '../values/bag.js';
import { compare, equals } from '../values/compare.js';
import { itemGuardOf } from '../values/type-of.js';
import { ArrayList, CelError, CelList, Duration, Uint, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { OPERATORS } from './operators.js';

const COMPARABLE = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
/** Type and what an empty list sums to. */
const SUMMABLE: readonly (readonly [string, Value])[] = [
  ['int', 0n],
  ['uint', new Uint(0n)],
  ['double', 0],
  ['duration', new Duration(0n)],
];

/** One overload for each type of item; the first item decides when types are known only at run time. */
function templated(types: readonly string[], make: (type: string) => Overload): Overload[] {
  return types.map((type) => {
    const overload = make(type);
    const list = overload.args.findLast((arg) => arg.kind === 'list');
    const at = overload.args.findLastIndex((arg) => arg.kind === 'list');
    return list?.kind !== 'list'
      ? overload
      : { ...overload, guards: overload.guards.map((guard, index) => (index === at ? itemGuardOf(list.item) : guard)) };
  });
}

function isSorted(list: CelList): Value {
  for (let index = 1; index < list.size; index++) {
    const order = compare(list.at(index - 1), list.at(index));
    if (order instanceof CelError) return order;
    if (order > 0) return false;
  }
  return true;
}

const extreme =
  (name: string, sign: number) =>
  (list: CelList): Value => {
    let best: Value | undefined;
    for (const item of list) {
      const order: number | CelError = best === undefined ? sign : compare(item, best);
      if (order instanceof CelError) return order;
      if (order * sign > 0) best = item;
    }
    return best ?? new CelError(`${name} called on empty list`);
  };

const ADDERS = OPERATORS['_+_'] ?? [];

const sum =
  (empty: Value) =>
  (list: CelList): Value => {
    let total = empty;
    for (const item of list) {
      const adder = ADDERS.find(({ guards }) => guards[0]?.(total) === true && guards[1]?.(item) === true);
      total = adder?.impl(total, item) ?? noSuchOverload();
      if (total instanceof CelError) return total;
    }
    return total;
  };

function indexOf(list: CelList, wanted: Value): Value {
  for (let index = 0; index < list.size; index++) if (equals(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

function lastIndexOf(list: CelList, wanted: Value): Value {
  for (let index = list.size - 1; index >= 0; index--) if (equals(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

function slice(list: CelList, start: bigint, end: bigint): Value {
  if (start < 0n || end < 0n) return new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end)
    return new CelError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (end > BigInt(list.size)) return new CelError(`cannot slice(${start}, ${end}), list is length ${list.size}`);
  return new ArrayList([...list].slice(Number(start), Number(end)));
}

function flatten(list: CelList, depth = 1n): Value {
  if (depth < 0n) return new CelError('level must be non-negative');
  const flat: Value[] = [];
  for (const item of list) {
    const inner = item instanceof CelList && depth > 0n ? flatten(item, depth - 1n) : undefined;
    if (inner instanceof CelList) for (const one of inner) flat.push(one);
    else flat.push(item);
  }
  return new ArrayList(flat);
}

function sortBy(list: CelList, keys: CelList): Value {
  if (list.size !== keys.size)
    return new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    );
  let failed: CelError | undefined;
  const sorted = [...list]
    .map((item, index) => ({ item, key: keys.at(index) }))
    .sort((a, b) => {
      const order = compare(a.key, b.key);
      if (order instanceof CelError) failed ??= order;
      return order instanceof CelError ? 0 : order;
    });
  return failed ?? new ArrayList(sorted.map(({ item }) => item));
}

const RANGE_MAX = 1_000_000n;
function range(size: bigint): Value {
  // The cost limit stops larger ones only after they are made.
  if (size > RANGE_MAX) return new CelError(`lists.range(${size}): more than ${RANGE_MAX} items`);
  return new ArrayList(Array.from({ length: Math.max(0, Number(size)) }, (_, index) => BigInt(index)));
}

function distinct(list: CelList): Value {
  const kept: Value[] = [];
  const seen = new Bag();
  for (const item of list) {
    if (seen.has(item)) continue;
    kept.push(item);
    seen.add(item);
  }
  return new ArrayList(kept);
}

/** Items are made once, not once for each comparison. */
function contains(list: CelList, sub: CelList): boolean {
  const items = new Bag(list);
  return [...sub].every((wanted) => items.has(wanted));
}

function intersects(list: CelList, other: CelList): boolean {
  const items = new Bag(other);
  return [...list].some((wanted) => items.has(wanted));
}

export const LISTS: Library = {
  isSorted: templated(COMPARABLE, (type) => member(`list_${type}_is_sorted_bool`, `(list(${type})) bool`, isSorted)),
  sum: SUMMABLE.flatMap(([type, empty]) =>
    templated([type], () => member(`list_${type}_sum_${type}`, `(list(${type})) ${type}`, sum(empty))),
  ),
  min: templated(COMPARABLE, (type) =>
    member(`list_${type}_min_${type}`, `(list(${type})) ${type}`, extreme('min', -1)),
  ),
  max: templated(COMPARABLE, (type) =>
    member(`list_${type}_max_${type}`, `(list(${type})) ${type}`, extreme('max', 1)),
  ),
  indexOf: [member('list_a_index_of_int', '(list(A), A) int', indexOf)],
  lastIndexOf: [member('list_a_last_index_of_int', '(list(A), A) int', lastIndexOf)],
  slice: [member('list_slice', '(list(T), int, int) list(T)', slice)],
  flatten: [
    member('list_flatten', '(list(list(T))) list(T)', (list: CelList) => flatten(list)),
    member('list_flatten_int', '(list(dyn), int) list(dyn)', flatten),
  ],
  sort: templated(COMPARABLE, (type) =>
    member(`list_${type}_sort`, `(list(${type})) list(${type})`, (list: CelList) => sortBy(list, list)),
  ),
  '@sortByAssociatedKeys': templated(COMPARABLE, (type) =>
    member(`list_${type}_sortByAssociatedKeys`, `(list(T), list(${type})) list(T)`, sortBy),
  ),
  'lists.range': [global('lists_range', '(int) list(int)', range)],
  reverse: [member('list_reverse', '(list(T)) list(T)', (list: CelList) => new ArrayList([...list].reverse()))],
  distinct: [member('list_distinct', '(list(T)) list(T)', distinct)],
  'sets.contains': [global('list_sets_contains_list', '(list(T), list(T)) bool', contains)],
  'sets.equivalent': [
    global(
      'list_sets_equivalent_list',
      '(list(T), list(T)) bool',
      (a: CelList, b: CelList) => contains(a, b) && contains(b, a),
    ),
  ],
  'sets.intersects': [global('list_sets_intersects_list', '(list(T), list(T)) bool', intersects)],
};
