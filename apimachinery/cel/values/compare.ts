/** Equality and order of values. Numbers of different types compare by value (CrossTypeNumericComparisons). */
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  noSuchOverload,
} from './values.js';
import type { Value } from './values.js';

const numberOf = (value: Value): bigint | number | undefined =>
  typeof value === 'bigint' || typeof value === 'number' ? value : value instanceof Uint ? value.value : undefined;

export function equals(a: Value, b: Value): boolean {
  if (a === b) return !(a instanceof CelError);
  if (typeof a === 'string' || typeof b === 'string') return false;
  const [left, right] = [numberOf(a), numberOf(b)];
  // Loose equality of a bigint and a double is exact.
  if (left !== undefined && right !== undefined) return left == right; // oxlint-disable-line eqeqeq
  if (a instanceof CelList) return b instanceof CelList && listsEqual(a, b);
  if (a instanceof CelMap) return b instanceof CelMap && mapsEqual(a, b);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.ns === b.ns;
  if (a instanceof Duration) return b instanceof Duration && a.ns === b.ns;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Opaque) return b instanceof Opaque && a.equals(b);
  if (!(a instanceof Optional) || !(b instanceof Optional)) return false;
  return a.value === undefined || b.value === undefined ? a.value === b.value : equals(a.value, b.value);
}

function listsEqual(a: CelList, b: CelList): boolean {
  const special = a.equalTo(b) ?? b.equalTo(a);
  if (special !== undefined) return special;
  return a.size === b.size && inOrder(a, b);
}

export function inOrder(a: CelList, b: CelList): boolean {
  for (let index = 0; index < a.size; index++) if (!equals(a.at(index), b.at(index))) return false;
  return true;
}

function mapsEqual(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const [left, right] = [a.find(key), b.find(key)];
    if (left === undefined || right === undefined || !equals(left, right)) return false;
  }
  return true;
}

/** Negative, zero or positive; an error for values without an order. */
export function compare(a: Value, b: Value): number | CelError {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) {
    if (Number.isNaN(left) || Number.isNaN(right)) return new CelError('NaN values cannot be ordered');
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp) return order(a.ns, b.ns);
  if (a instanceof Duration && b instanceof Duration) return order(a.ns, b.ns);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return noSuchOverload();
}

export const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** By bytes of UTF-8, which is by code points; JavaScript's own order is by UTF-16 units. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) {
      const surrogates = (left & 0xf800) === 0xd800 || (right & 0xf800) === 0xd800;
      return surrogates ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : left - right;
    }
  }
  return a.length - b.length;
}
