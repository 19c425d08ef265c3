/** Lists in strategic merge patches: merging by key, deleting, and the order of what results. */
import { encodeJson } from '../codec/json-value.js';
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

/** All look-ups go by these texts: a patch of a hundred thousand items must not cost their square. */
const identity = (item: unknown, facts: ListFacts): string => {
  if (facts.mergeKey === undefined) return encodeJson(item);
  return encodeJson(isObject(item) ? getOwn(item, facts.mergeKey) : undefined);
};

export function mergePrimitives(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const known = new Set(original);
  return [...original, ...[...new Set(patch)].filter((item) => !known.has(item))];
}

export function deletePrimitives(original: readonly unknown[], gone: readonly unknown[]): unknown[] {
  const texts = new Set(gone.map(encodeJson));
  return original.filter((item) => !texts.has(encodeJson(item)));
}

export function mergeObjects(original: readonly unknown[], patch: readonly unknown[], facts: ListFacts, tools: ItemTools): unknown[] {
  const key = facts.mergeKey ?? '';
  const items = patch.map((item) => {
    if (!isObject(item)) throw apiErrors.badRequest(`items of a list merged by ${JSON.stringify(key)} must be objects`);
    return item;
  });
  const directiveOf = (item: JsonObject): unknown => getOwn(item, '$patch');
  if (items.some((item) => directiveOf(item) === 'replace')) {
    return items.filter((item) => directiveOf(item) === undefined).map((item) => tools.fresh(item));
  }
  for (const item of items) {
    if (getOwn(item, key) === undefined) throw apiErrors.badRequest(`map: ${encodeJson(item).slice(0, 256)} does not contain declared merge key: ${key}`);
  }
  const deletions = groupBy(items.filter((item) => directiveOf(item) === 'delete'), facts);
  const result = original.filter((item) => !(isObject(item) && deletions.get(identity(item, facts))?.some((deletion) => deletes(deletion, item, facts)) === true));
  const there = groupBy(result.map((item, index) => ({ item, index })), facts, ({ item }) => item);
  const wanted = groupBy(tools.wanted ?? [], facts);
  for (const item of items) {
    if (directiveOf(item) === 'delete') continue;
    const id = identity(item, facts);
    const candidates = there.get(id) ?? [];
    const found = counterpart(candidates, item, facts, wanted.get(id)?.length ?? 1);
    if (found !== undefined && isObject(found.item)) {
      found.item = tools.merge(found.item, item);
      result[found.index] = found.item;
    } else {
      const added = { item: tools.fresh(item), index: result.length };
      result.push(added.item);
      there.set(id, [...candidates, added]);
    }
  }
  return result;
}

function groupBy<T>(items: readonly T[], facts: ListFacts, itemOf: (item: T) => unknown = (item) => item): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const id = identity(itemOf(item), facts);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [item]);
    else group.push(item);
  }
  return groups;
}

/** A delete without the other keys takes all that share its merge key. */
function deletes(deletion: JsonObject, item: JsonObject, facts: ListFacts): boolean {
  return facts.otherKeys.every((key) => !Object.hasOwn(deletion, key) || jsonEqual(deletion[key], keyOf(item, key, facts)));
}

const keyOf = (item: JsonObject, key: string, facts: ListFacts): unknown => getOwn(item, key) ?? facts.defaultOf(key);

interface Candidate {
  item: unknown;
  readonly index: number;
}

/** Which of the items with the same merge key a patch's item speaks of; undefined when it is a new one. */
function counterpart(candidates: readonly Candidate[], item: JsonObject, facts: ListFacts, wanted: number): Candidate | undefined {
  const [first] = candidates;
  if (first === undefined || facts.otherKeys.length === 0) return first;
  const exact = candidates.find((candidate) => isObject(candidate.item)
    && facts.otherKeys.every((key) => jsonEqual(keyOf(candidate.item as JsonObject, key, facts), keyOf(item, key, facts))));
  if (exact !== undefined) return exact;
  const saysSo = facts.otherKeys.some((key) => Object.hasOwn(item, key));
  return saysSo && (candidates.length > 1 || wanted > candidates.length) ? undefined : first;
}

/**
 * Items that `order` names come in its order; the others keep theirs, and stand where the server's order puts them against
 * the named ones; new items go first (strategicpatch, normalizeElementOrder and mergeSortedSlice).
 */
export function orderLike(list: readonly unknown[], order: readonly unknown[], server: readonly unknown[], facts: ListFacts): unknown[] {
  const [byOrder, byServer] = [ranks(order, facts), ranks(server, facts)];
  const ranked = list.map((item) => {
    const id = identity(item, facts);
    return { item, at: byOrder.get(id), server: byServer.get(id) };
  });
  const named = ranked.filter(({ at }) => at !== undefined).sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  const others = ranked.filter(({ at }) => at === undefined);
  const result: unknown[] = [];
  let next = 0;
  for (const { item, server: place } of named) {
    while (next < others.length && precedes(others[next]?.server, place)) result.push(others[next++]?.item);
    result.push(item);
  }
  return [...result, ...others.slice(next).map(({ item }) => item)];
}

function ranks(list: readonly unknown[], facts: ListFacts): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [index, item] of list.entries()) {
    const id = identity(item, facts);
    if (!found.has(id)) found.set(id, index);
  }
  return found;
}

const precedes = (a: number | undefined, b: number | undefined): boolean => a !== undefined && b !== undefined && a < b;
