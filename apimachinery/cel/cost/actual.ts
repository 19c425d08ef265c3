/**
 * What a call costs at run time, by its arguments: Kubernetes' CallCost, and cel-go's costs of its own functions.
 * Charged before the call, so that work over the limit is never begun.
 */
import { FormatValue } from '../lib/formats.js';
import { CelList, CelMap, Opaque, sizeOf } from '../values/values.js';
import type { Value } from '../values/values.js';
import { LIST_BASE, REGEX_FACTOR, TRAVERSAL } from './factors.js';

export type CallCost = (args: readonly Value[], overload: string) => number;

const arg = (args: readonly Value[], index: number): number => sizeOf(args[index]);
const traversal =
  (factor = 1): CallCost =>
  (args) =>
    Math.ceil(arg(args, 0) * factor * TRAVERSAL);
const regex: CallCost = (args) => Math.ceil((1 + arg(args, 0)) * TRAVERSAL) * Math.ceil(arg(args, 1) * REGEX_FACTOR);
const smaller: CallCost = (args) =>
  args[0] instanceof Opaque ? 1 : Math.ceil(Math.min(arg(args, 0), arg(args, 1)) * TRAVERSAL);
const sets =
  (factor: number): CallCost =>
  (args) =>
    1 + Math.floor(arg(args, 0) * arg(args, 1) * factor);
const allocating = (factor: number, size: number): number => Math.floor(size * factor) + 1 + LIST_BASE;

/** Characters of all strings at a tenth, everything else at one. */
function wholeTraversal(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return Math.floor(value.length * TRAVERSAL);
  let cost = 0;
  if (value instanceof CelList) for (const item of value) cost += wholeTraversal(item);
  else if (value instanceof CelMap)
    for (const key of value.keys()) cost += wholeTraversal(key) + wholeTraversal(value.find(key) ?? null);
  else return 1;
  return cost;
}
const traverse: CallCost = ([first = null]) => wholeTraversal(first);

function selfCompare(value: Value | undefined): number {
  const size = sizeOf(value);
  const first = value instanceof CelList && size > 0 ? value.at(0) : undefined;
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2 + TRAVERSAL : 2;
  return allocating(factor, size * size);
}

function joined([list, separator]: readonly Value[]): number {
  let size = 0;
  if (list instanceof CelList) for (const item of list) size += sizeOf(item);
  const separators = separator === undefined ? 0 : Math.max(0, sizeOf(list) - 1) * sizeOf(separator);
  return Math.ceil((size + separators) * 2 * TRAVERSAL);
}

function validate(args: readonly Value[]): number {
  const [format] = args;
  return format instanceof FormatValue
    ? Math.ceil((1 + arg(args, 1)) * TRAVERSAL) * Math.ceil(format.patternLength * REGEX_FACTOR)
    : 1;
}

const intOf = (value: Value | undefined): number => (typeof value === 'bigint' ? Math.max(0, Number(value)) : 0);

/** Addresses of both sides are compared; a text is parsed first. An address' size is counted as one. */
const containsIp: CallCost = (args, overload) =>
  1 + (overload === 'cidr_contains_ip_string' ? Math.ceil(arg(args, 1) * TRAVERSAL) : 0);
const containsCidr: CallCost = (args, overload) =>
  3 + (overload === 'cidr_contains_cidr_string' ? Math.ceil(arg(args, 1) * TRAVERSAL) : 0);

/** By the name of the function; what is not here costs 1. */
const BY_FUNCTION: Readonly<Record<string, CallCost>> = {
  isSorted: traverse,
  sum: traverse,
  min: traverse,
  max: traverse,
  indexOf: traverse,
  lastIndexOf: traverse,
  url: traversal(),
  lowerAscii: traversal(),
  upperAscii: traversal(),
  substring: traversal(),
  trim: traversal(),
  replace: traversal(2),
  split: traversal(2),
  join: joined,
  find: regex,
  findAll: regex,
  matches: regex,
  cidr: traversal(),
  isIP: traversal(),
  isCIDR: traversal(),
  'ip.isCanonical': traversal(2),
  ip: (args, overload) => (overload === 'cidr_ip' ? 1 : Math.ceil(arg(args, 0) * TRAVERSAL)),
  containsIP: containsIp,
  containsCIDR: containsCidr,
  quantity: traversal(),
  isQuantity: traversal(),
  semver: traversal(),
  isSemver: traversal(),
  validate,
  startsWith: traversal(),
  endsWith: traversal(),
  'strings.quote': traversal(),
  format: traversal(),
  contains: (args) => Math.ceil(arg(args, 0) * TRAVERSAL) * Math.ceil(arg(args, 1) * TRAVERSAL),
  '_==_': smaller,
  '_!=_': smaller,
  'sets.contains': sets(1),
  'sets.intersects': sets(1),
  'sets.equivalent': sets(2),
};

const comparesText = (overload: string): boolean => /_(string|bytes)$/.test(overload);

/** By the overload, where functions of one name cost differently. */
const BY_OVERLOAD: Readonly<Record<string, CallCost>> = {
  in_list: (args) => arg(args, 1),
  add_string: (args) => Math.ceil((arg(args, 0) + arg(args, 1)) * TRAVERSAL),
  add_bytes: (args) => Math.ceil((arg(args, 0) + arg(args, 1)) * TRAVERSAL),
  string_to_bytes: traversal(),
  bytes_to_string: traversal(),
  list_slice: ([, start, end]) => allocating(1, Math.max(0, intOf(end) - intOf(start))),
  lists_range: ([size]) => allocating(1, intOf(size)),
  list_flatten: (args) => allocating(1, arg(args, 0)),
  list_flatten_int: (args) => allocating(intOf(args[1]), arg(args, 0)),
  list_reverse: (args) => allocating(1, arg(args, 0)),
  list_distinct: ([list]) => selfCompare(list),
};
export const ONE: CallCost = () => 1;

export function callCostOf(fn: string, overload: string): CallCost {
  const special = BY_OVERLOAD[overload];
  if (special !== undefined) return special;
  if (fn === 'sort') return ([list]) => selfCompare(list);
  if (fn === '@sortByAssociatedKeys') return ([, keys]) => selfCompare(keys);
  if (/^_[<>]=?_$/.test(fn)) return comparesText(overload) ? smaller : ONE;
  return Object.hasOwn(BY_FUNCTION, fn) ? (BY_FUNCTION[fn] ?? ONE) : ONE;
}
