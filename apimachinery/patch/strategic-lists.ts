/** Lists in strategic merge patches: merging by key, deleting, and the order of what results. */
import { apiErrors } from '../status.js';
import { getOwn, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';

export interface ListFacts {
  /** Absent for lists of plain values. */
  readonly mergeKey?: string;
  /**
   * Keys that tell items apart beside the merge key: a Service may have port 53 twice, for TCP and for UDP, though the
   * merge key is the port alone (kubernetes/kubernetes#39188).
   */
  readonly otherKeys: readonly string[];
  defaultOf(key: string): unknown;
}

export interface ItemTools {
  /** The order the patch asks for, where it does: tells a second item of the same merge key from a change of the first. */
  readonly wanted: readonly unknown[] | undefined;
  merge(target: JsonObject, patch: JsonObject): JsonObject;
  fresh(item: JsonObject): JsonObject;
}

export function mergePrimitives(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  return [...original, ...patch.filter((item, index) => !original.includes(item) && patch.indexOf(item) === index)];
}

export function deletePrimitives(original: readonly unknown[], gone: readonly unknown[]): unknown[] {
  return original.filter((item) => !gone.some((other) => jsonEqual(item, other)));
}

export function mergeObjects(original: readonly unknown[], patch: readonly unknown[], facts: ListFacts, tools: ItemTools): unknown[] {
  const key = facts.mergeKey ?? '';
  const items = patch.map((item) => {
    if (!isObject(item)) throw apiErrors.badRequest(`items of a list merged by ${JSON.stringify(key)} must be objects`);
    return item;
  });
  const replaces = items.some((item) => getOwn(item, '$patch') === 'replace');
  if (replaces) return items.filter((item) => getOwn(item, '$patch') === undefined).map((item) => tools.fresh(item));
  let result = [...original];
  for (const item of items) {
    if (getOwn(item, key) === undefined) throw apiErrors.badRequest(`map: ${JSON.stringify(item).slice(0, 256)} does not contain declared merge key: ${key}`);
    if (getOwn(item, '$patch') !== 'delete') continue;
    result = result.filter((candidate) => !(isObject(candidate) && deletes(item, candidate, facts)));
  }
  for (const item of items) {
    if (getOwn(item, '$patch') === 'delete') continue;
    const at = counterpart(result, item, facts, tools.wanted);
    const current = result[at];
    if (isObject(current)) result[at] = tools.merge(current, item);
    else result.push(tools.fresh(item));
  }
  return result;
}

/** A delete without the other keys takes all that share its merge key. */
function deletes(item: JsonObject, candidate: JsonObject, facts: ListFacts): boolean {
  return sameMergeKey(item, candidate, facts)
    && facts.otherKeys.every((key) => !Object.hasOwn(item, key) || jsonEqual(item[key], keyOf(candidate, key, facts)));
}

function sameMergeKey(a: unknown, b: unknown, facts: ListFacts): boolean {
  const key = facts.mergeKey ?? '';
  return isObject(a) && isObject(b) && jsonEqual(getOwn(a, key), getOwn(b, key));
}

const keyOf = (item: JsonObject, key: string, facts: ListFacts): unknown => getOwn(item, key) ?? facts.defaultOf(key);

/** Index of the item a patch's item speaks of; -1 when it is a new one. */
function counterpart(list: readonly unknown[], item: JsonObject, facts: ListFacts, wanted: readonly unknown[] | undefined): number {
  const first = list.findIndex((candidate) => sameMergeKey(candidate, item, facts));
  if (first === -1 || facts.otherKeys.length === 0) return first;
  const exact = list.findIndex((candidate) => isObject(candidate) && sameMergeKey(candidate, item, facts)
    && facts.otherKeys.every((key) => jsonEqual(keyOf(candidate, key, facts), keyOf(item, key, facts))));
  if (exact !== -1) return exact;
  const here = list.filter((candidate) => sameMergeKey(candidate, item, facts)).length;
  const asked = wanted?.filter((candidate) => sameMergeKey(candidate, item, facts)).length ?? 1;
  const saysSo = facts.otherKeys.some((key) => Object.hasOwn(item, key));
  return saysSo && (here > 1 || asked > here) ? -1 : first;
}

/**
 * Items that `order` names come in its order; the others keep theirs, and stand where the server's order puts them against
 * the named ones; new items go first (strategicpatch, normalizeElementOrder and mergeSortedSlice).
 */
export function orderLike(list: readonly unknown[], order: readonly unknown[], server: readonly unknown[], facts: ListFacts): unknown[] {
  const same = facts.mergeKey === undefined ? jsonEqual : (a: unknown, b: unknown) => sameMergeKey(a, b, facts);
  const rank = (item: unknown, within: readonly unknown[]): number => within.findIndex((other) => same(other, item));
  const named = list.filter((item) => rank(item, order) !== -1).map((item) => ({ item, at: rank(item, order) }))
    .sort((a, b) => a.at - b.at).map(({ item }) => item);
  const others = list.filter((item) => rank(item, order) === -1);
  const result: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < others.length || j < named.length) {
    const takesOther = i < others.length && (j >= named.length || precedes(rank(others[i], server), rank(named[j], server)));
    result.push(takesOther ? others[i++] : named[j++]);
  }
  return result;
}

const precedes = (a: number, b: number): boolean => a !== -1 && b !== -1 && a < b;
