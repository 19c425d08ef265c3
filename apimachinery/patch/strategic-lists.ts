/**
 * Merging of lists in strategic merge patches (strategicpatch, mergeSlice): by merge key, or by value for lists of
 * plain values.
 */
import type { Work } from '../../platform/work.js';
import { getOwn, isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { strategicErrors, unclassified } from './errors.js';
import { goText, goType } from './go-text.js';
import { identityBy, noMergeKey, normalizeOrder, scalarIdentity } from './strategic-order.js';
import { Deletions, Twins } from './strategic-twins.js';
import type { TwinFacts } from './strategic-twins.js';

export interface ListFacts extends TwinFacts {
  /** Empty for lists of plain values. */
  readonly mergeKey: string;
  /** What the list is to Go, for messages: `struct`. */
  readonly itemKind: string;
  mergeItems(target: JsonObject, patch: JsonObject): Work<JsonObject>;
}

export interface Merged {
  readonly list: readonly unknown[];
  /** The stored list as the order of elements sees it afterwards. */
  readonly stored: readonly unknown[];
}

export interface ListChange {
  readonly patch: readonly unknown[];
  /** The patch is a `$deleteFromPrimitiveList`. */
  readonly isDeletion?: boolean;
  /** `$setElementOrder`, where the patch has it. */
  readonly order?: readonly unknown[];
}

/** Of an item that is looked up, and of one that is put in order, in units of Work. */
const ITEM_UNITS = 15;
export const ORDERED_UNITS = 15;

/** May change items of `original`. */
export function* mergeLists(original: readonly unknown[], change: ListChange, facts: ListFacts): Work<Merged> {
  const { patch } = change;
  if (original.length === 0 && patch.length === 0) return { list: original, stored: original };
  if (elementType(original, patch) === 'map[string]interface {}') {
    if (facts.mergeKey === '') throw unclassified(`cannot merge lists without merge key for ${facts.itemKind}`);
    return yield* mergeObjects(
      original.filter(isObject),
      { patch: patch.filter(isObject), order: change.order ?? [] },
      facts,
    );
  }
  if (change.isDeletion === true) return { list: without(original, patch), stored: original };
  const merged = distinct([...original, ...patch]);
  yield merged.length * ORDERED_UNITS;
  return {
    list: normalizeOrder(merged, { wanted: patch, stored: original, mergeKey: facts.mergeKey }),
    stored: original,
  };
}

/** The one type that all elements have. */
export function elementType(...lists: readonly (readonly unknown[])[]): string {
  let type: string | undefined;
  for (const item of lists.flat(1)) {
    const next = goType(item);
    if (type === undefined && next === '[]interface {}') throw strategicErrors.listOfLists();
    if (type !== undefined && next !== type)
      throw unclassified(`list element types are not identical: ${goText(lists)}`);
    type = next;
  }
  if (type === undefined) throw unclassified('no elements in any of the given slices');
  return type;
}

function distinct(items: readonly unknown[]): unknown[] {
  return [...new Map(items.map((item) => [scalarIdentity(item), item])).values()];
}

function without(items: readonly unknown[], gone: readonly unknown[]): unknown[] {
  const identities = new Set(gone.map(scalarIdentity));
  return items.filter((item) => !identities.has(scalarIdentity(item)));
}

interface ObjectChange {
  readonly patch: readonly JsonObject[];
  readonly order: readonly unknown[];
}

/** All look-ups go by identity: a patch of a hundred thousand items must not cost their square. */
function* mergeObjects(
  original: readonly JsonObject[],
  { patch, order }: ObjectChange,
  facts: ListFacts,
): Work<Merged> {
  const { mergeKey } = facts;
  const identityOf = identityBy(mergeKey);
  const { left, changes } = applyDirectives(original, patch, facts);
  yield (original.length + patch.length) * ITEM_UNITS;
  const merged = left.map((item) => ({ item }));
  const places = new Map<string, Twins>();
  for (const place of merged)
    if (Object.hasOwn(place.item, mergeKey)) twinsAt(places, identityOf(place.item) ?? '', facts).add(place);
  const wanted = groupBy(order, identityOf);
  yield (merged.length + order.length) * ITEM_UNITS;
  for (const item of changes) {
    if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    const identity = identityOf(item) ?? '';
    const twins = twinsAt(places, identity, facts);
    const found = twins.counterpart(item, wanted.get(identity)?.length ?? 1);
    if (found === undefined) {
      const added = { item };
      merged.push(added);
      twins.add(added);
    } else {
      found.item = yield* facts.mergeItems(found.item, item);
      twins.changed(found);
    }
    yield ITEM_UNITS;
  }
  const items = merged.map(({ item }) => item);
  // Upstream appends to the stored list where deletions made room: what was added there counts as stored for the order.
  const stored = items.slice(0, Math.max(original.length, left.length));
  yield items.length * ORDERED_UNITS;
  return { list: normalizeOrder(items, { wanted: changes, stored: left, mergeKey }), stored };
}

function twinsAt(places: Map<string, Twins>, identity: string, facts: ListFacts): Twins {
  let twins = places.get(identity);
  if (twins === undefined) {
    twins = new Twins(facts);
    places.set(identity, twins);
  }
  return twins;
}

function groupBy<T>(items: readonly T[], identityOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const identity = identityOf(item);
    if (identity === undefined) continue;
    const group = groups.get(identity);
    if (group === undefined) groups.set(identity, [item]);
    else group.push(item);
  }
  return groups;
}

/** Carries out `$patch` of items: what is left of the stored list, and what remains to be merged. */
function applyDirectives(
  original: readonly JsonObject[],
  patch: readonly JsonObject[],
  facts: ListFacts,
): { readonly left: readonly JsonObject[]; readonly changes: readonly JsonObject[] } {
  const { mergeKey } = facts;
  const identityOf = identityBy(mergeKey);
  const changes: JsonObject[] = [];
  const deletions: JsonObject[] = [];
  let replaces = false;
  for (const item of patch) {
    const directive = getOwn(item, '$patch');
    if (!Object.hasOwn(item, '$patch')) {
      changes.push(item);
    } else if (directive === 'delete') {
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
      deletions.push(item);
    } else if (directive === 'replace') {
      replaces = true;
    } else if (directive === 'merge') {
      throw unclassified('merging lists cannot yet be specified in the patch');
    } else {
      throw unclassified(`unknown patch type: ${goText(directive)} in map: ${goText(item)}`);
    }
  }
  if (replaces) return { left: changes, changes: [] };
  const deleted = new Map<string, Deletions>();
  for (const [identity, same] of groupBy(deletions, identityOf)) deleted.set(identity, new Deletions(same, facts));
  const isDeleted = (item: JsonObject): boolean =>
    Object.hasOwn(item, mergeKey) && deleted.get(identityOf(item) ?? '')?.speakOf(item) === true;
  return { left: original.filter((item) => !isDeleted(item)), changes };
}
