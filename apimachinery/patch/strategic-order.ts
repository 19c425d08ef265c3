/**
 * The order of merged lists (k8s.io/apimachinery/pkg/util/strategicpatch, normalizeElementOrder): what a patch names
 * stands in the patch's order, the rest in the order of the stored list, and the two are interleaved as far as the
 * stored list tells how.
 */
import { isObject } from '../value.js';
import { goText, goType } from './go-text.js';
import { unclassified } from './errors.js';

/** What tells items apart, as a text to look up by; undefined for what equals nothing. */
export type IdentityOf = (item: unknown) => string | undefined;

/** Go's `==` of two decoded scalars. */
export function scalarIdentity(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? undefined : `${goType(value)} ${String(value)}`;
}

/** By merge key, or by value when the list has none. */
export function identityBy(mergeKey: string): IdentityOf {
  return mergeKey === ''
    ? scalarIdentity
    : (item) => scalarIdentity(isObject(item) && Object.hasOwn(item, mergeKey) ? item[mergeKey] : null);
}

export interface Orders {
  /** Order of what it names. */
  readonly wanted: readonly unknown[];
  /** Order of the stored list. */
  readonly stored: readonly unknown[];
  readonly mergeKey: string;
}

/** Throws when an item of a list of objects lacks the merge key. */
export function normalizeOrder(merged: readonly unknown[], { wanted, stored, mergeKey }: Orders): unknown[] {
  const identityOf = identityBy(mergeKey);
  if (mergeKey !== '') {
    for (const item of merged) requireKey(item, mergeKey);
    if (merged.length > 0) wanted.forEach((item, index) => requireMap(item, index));
    for (const item of [...wanted, ...stored]) requireKey(item, mergeKey);
  }
  const [byWanted, byStored] = [ranks(wanted, identityOf), ranks(stored, identityOf)];
  const rankIn =
    (order: ReadonlyMap<string, number>) =>
    (item: unknown): number | undefined =>
      order.get(identityOf(item) ?? '');
  const named = merged.filter((item) => rankIn(byWanted)(item) !== undefined);
  const others = merged.filter((item) => rankIn(byWanted)(item) === undefined);
  return interleave(sortBy(others, rankIn(byStored)), sortBy(named, rankIn(byWanted)), rankIn(byStored));
}

function requireMap(item: unknown, index: number): void {
  if (!isObject(item)) throw unclassified(`value for key ${index} is not a map`);
}

export function requireKey(item: unknown, mergeKey: string): void {
  if (!isObject(item)) throw unclassified(`expected a map[string]interface {}, but received a ${goType(item)}`);
  if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
}

export const noMergeKey = (item: unknown, mergeKey: string): Error =>
  unclassified(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);

function ranks(list: readonly unknown[], identityOf: IdentityOf): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [index, item] of list.entries()) {
    const identity = identityOf(item);
    if (identity !== undefined && !found.has(identity)) found.set(identity, index);
  }
  return found;
}

/**
 * Up to this length upstream's stable sort is an insertion sort, which decides where items without a rank come to
 * stand.
 */
const INSERTION_MAX = 20;

/**
 * Stable, by rank. Upstream's comparison puts an item before another when either has no rank, so that the order of such
 * items is what its sort happens to do; longer lists keep them in place behind the others.
 */
function sortBy(items: readonly unknown[], rankOf: (item: unknown) => number | undefined): unknown[] {
  const ranked = items.map((item) => ({ item, rank: rankOf(item) }));
  if (ranked.length > INSERTION_MAX || ranked.every(({ rank }) => rank !== undefined)) {
    return ranked.sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || 0).map(({ item }) => item);
  }
  const sorted: typeof ranked = [];
  for (const entry of ranked) {
    let at = sorted.length;
    while (at > 0 && goesBefore(entry.rank, sorted[at - 1]?.rank)) at -= 1;
    sorted.splice(at, 0, entry);
  }
  return sorted.map(({ item }) => item);
}

const goesBefore = (a: number | undefined, b: number | undefined): boolean =>
  a === undefined || b === undefined || a < b;

/** Each of `left` goes before the first of `right` that the stored list has behind it; both keep their own order. */
function interleave(
  left: readonly unknown[],
  right: readonly unknown[],
  rankOf: (item: unknown) => number | undefined,
): unknown[] {
  const result: unknown[] = [];
  let next = 0;
  for (const item of right) {
    const place = rankOf(item);
    while (next < left.length && precedes(rankOf(left[next]), place)) result.push(left[next++]);
    result.push(item);
  }
  return [...result, ...left.slice(next)];
}

const precedes = (a: number | undefined, b: number | undefined): boolean => a !== undefined && b !== undefined && a < b;
