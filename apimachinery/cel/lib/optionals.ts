/** Optional values (cel-go, OptionalTypes version 2), and what two-variable comprehensions insert into maps with. */
import type { Library } from '../check/declare.js';
import { global, member } from '../check/declare.js';
import {
  ArrayList,
  CelError,
  CelMap,
  CelList,
  Duration,
  HashMap,
  Optional,
  Timestamp,
  Uint,
  noSuchOverload,
} from '../values/values.js';
import type { Value } from '../values/values.js';
import { keyText } from '../values/key-text.js';

const controlled = (): Value => noSuchOverload();

function isZero(value: Value): boolean {
  if (value === null || value === false || value === '' || value === 0n || value === 0) return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Optional) return value.value === undefined;
  return (value instanceof Duration || value instanceof Timestamp) && value.ns === 0n;
}

function unwrapped(list: CelList): Value {
  const kept: Value[] = [];
  for (const item of list) {
    if (!(item instanceof Optional)) return new CelError('value in list is not optional');
    if (item.value !== undefined) kept.push(item.value);
  }
  return new ArrayList(kept);
}

const itemAt = (list: CelList, index: number): Optional =>
  list.size === 0 ? Optional.none : Optional.of(list.at(index));

/** The accumulator of a comprehension is changed in place: nobody else sees it. */
function insert(map: CelMap, entries: Iterable<readonly [Value, Value]>): Value {
  const target = map instanceof HashMap ? map : new HashMap();
  if (target !== map) for (const key of map.keys()) target.set(key, map.find(key) ?? null);
  for (const [key, value] of entries) {
    if (target.find(key) !== undefined) return new CelError(`insert failed: key ${keyText(key)} already exists`);
    target.set(key, value);
  }
  return target;
}

function entriesOf(map: CelMap): [Value, Value][] {
  return [...map.keys()].map((key) => [key, map.find(key) ?? null]);
}

export const OPTIONALS: Library = {
  'optional.of': [global('optional_of', '(V) optional(V)', (value: Value) => Optional.of(value))],
  'optional.ofNonZeroValue': [
    global('optional_ofNonZeroValue', '(V) optional(V)', (value: Value) =>
      isZero(value) ? Optional.none : Optional.of(value),
    ),
  ],
  'optional.none': [global('optional_none', '() optional(V)', () => Optional.none)],
  value: [
    member('optional_value', '(optional(V)) V', (optional: Optional) =>
      optional.value === undefined ? new CelError('optional.none() dereference') : optional.value,
    ),
  ],
  hasValue: [member('optional_hasValue', '(optional(V)) bool', (optional: Optional) => optional.value !== undefined)],
  or: [member('optional_or_optional', '(optional(V), optional(V)) optional(V)', controlled)],
  orValue: [member('optional_orValue_value', '(optional(V), V) V', controlled)],
  '_?._': [global('select_optional_field', '(dyn, string) optional(V)', controlled)],
  '_[?_]': [
    global('list_optindex_optional_int', '(list(V), int) optional(V)', controlled),
    global('optional_list_optindex_optional_int', '(optional(list(V)), int) optional(V)', controlled),
    global('map_optindex_optional_value', '(map(K, V), K) optional(V)', controlled),
    global('optional_map_optindex_optional_value', '(optional(map(K, V)), K) optional(V)', controlled),
  ],
  first: [member('list_first', '(list(V)) optional(V)', (list: CelList) => itemAt(list, 0))],
  last: [member('list_last', '(list(V)) optional(V)', (list: CelList) => itemAt(list, list.size - 1))],
  'optional.unwrap': [global('optional_unwrap', '(list(optional(V))) list(V)', unwrapped)],
  unwrapOpt: [member('optional_unwrapOpt', '(list(optional(V))) list(V)', unwrapped)],
  'cel.@mapInsert': [
    global('@mapInsert_map_key_value', '(map(K, V), K, V) map(K, V)', (map: CelMap, key: Value, value: Value) =>
      insert(map, [[key, value]]),
    ),
    global('@mapInsert_map_map', '(map(K, V), map(K, V)) map(K, V)', (map: CelMap, more: CelMap) =>
      insert(map, entriesOf(more)),
    ),
  ],
};
