/**
 * Strategic merge patch (kubernetes/community, "Strategic Merge Patch"; k8s.io/apimachinery/pkg/util/strategicpatch): a
 * merge patch that knows which lists merge and by which key, with the directives `$patch`, `$retainKeys`,
 * `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.
 *
 * In: an object and a patch, neither of which changes, and the kind's schema. Out: a new object. Custom resources have no
 * such patches; the registry refuses them before it comes here.
 */
import { apiErrors } from '../status.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { deletePrimitives, mergeObjects, mergePrimitives, orderLike } from './strategic-lists.js';
import type { ListFacts } from './strategic-lists.js';

const SET_ELEMENT_ORDER = '$setElementOrder/';
const DELETE_FROM_PRIMITIVES = '$deleteFromPrimitiveList/';

/** Throws ApiError BadRequest for malformed directives. */
export function applyStrategicMergePatch(object: JsonObject, patch: unknown, schema: Schema, resolver: SchemaResolver): JsonObject {
  if (!isObject(patch)) throw apiErrors.badRequest('a strategic merge patch must be an object');
  const merger = new StrategicMerger(resolver);
  return merger.mergeMap(cloneJson(object), patch, schema);
}

export class StrategicMerger {
  readonly #resolver: SchemaResolver;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  /** Changes and returns `target`, or returns what takes its place. */
  mergeMap(target: JsonObject, patch: JsonObject, declared: Schema): JsonObject {
    const schema = this.#resolver.resolve(declared);
    const directive = Object.hasOwn(patch, '$patch') ? patch['$patch'] : 'merge';
    if (directive === 'replace') return this.#fresh(patch, schema);
    if (directive === 'delete') return {};
    if (directive !== 'merge') throw apiErrors.badRequest(`Unknown patch type found: ${JSON.stringify(directive)}`);
    retainKeys(target, patch);
    const before = listsToOrder(target, patch);
    this.#deleteListed(target, patch);
    for (const key of Object.keys(patch)) {
      if (!isDirective(key)) this.#mergeKey(target, patch, key, schema);
    }
    this.#order(target, patch, before, schema);
    return target;
  }

  #mergeKey(target: JsonObject, patch: JsonObject, key: string, schema: Schema): void {
    const value = patch[key];
    if (value === null) {
      delete target[key];
      return;
    }
    const property = this.#resolver.property(schema, key) ?? {};
    const current = Object.hasOwn(target, key) ? target[key] : undefined;
    const facts = this.#resolver.resolve(property);
    if (isObject(value)) {
      const merges = isObject(current) && !strategies(facts).includes('replace');
      setOwn(target, key, merges ? this.mergeMap(current, value, property) : this.#fresh(value, facts));
    } else if (Array.isArray(value)) {
      const order = Object.hasOwn(patch, SET_ELEMENT_ORDER + key) ? patch[SET_ELEMENT_ORDER + key] : undefined;
      setOwn(target, key, this.#mergeList(current, value, order, facts));
    } else {
      setOwn(target, key, value);
    }
  }

  #mergeList(current: unknown, patch: readonly unknown[], order: unknown, facts: Schema): unknown {
    const merges = strategies(facts).includes('merge');
    const original: unknown[] = Array.isArray(current) ? current : [];
    if (!merges) return patch.filter((item) => !isDirectiveItem(item)).map((item) => this.#freshItem(item, facts));
    const list = this.#factsOf(facts);
    const merged = list.mergeKey === undefined
      ? mergePrimitives(original, patch)
      : mergeObjects(original, patch, list, {
          wanted: Array.isArray(order) ? order : undefined,
          merge: (target, change) => this.mergeMap(target, change, facts.items ?? {}),
          fresh: (item) => this.#fresh(item, this.#resolver.resolve(facts.items ?? {})),
        });
    return orderLike(merged, patch, original, list);
  }

  /** A value that had no counterpart: directives and nulls have nothing to act on and fall away. */
  #fresh(patch: JsonObject, schema: Schema): JsonObject {
    const { $patch: _directive, ...rest } = patch;
    return this.mergeMap({}, rest, schema);
  }

  #freshItem(item: unknown, facts: Schema): unknown {
    return isObject(item) ? this.#fresh(item, this.#resolver.resolve(facts.items ?? {})) : cloneJson(item);
  }

  /** Values to delete from lists of plain values, before those lists are merged. */
  #deleteListed(target: JsonObject, patch: JsonObject): void {
    for (const key of Object.keys(patch)) {
      if (!key.startsWith(DELETE_FROM_PRIMITIVES)) continue;
      const name = key.slice(DELETE_FROM_PRIMITIVES.length);
      const value = patch[key];
      if (!Array.isArray(value)) throw apiErrors.badRequest(`${key} must be a list`);
      const current = Object.hasOwn(target, name) ? target[name] : undefined;
      if (Array.isArray(current)) setOwn(target, name, deletePrimitives(current, value));
    }
  }

  /** `$setElementOrder` of lists, after they were merged; `before` has their order at the server. */
  #order(target: JsonObject, patch: JsonObject, before: ReadonlyMap<string, readonly unknown[]>, schema: Schema): void {
    for (const key of Object.keys(patch)) {
      if (!key.startsWith(SET_ELEMENT_ORDER)) continue;
      const name = key.slice(SET_ELEMENT_ORDER.length);
      const order = patch[key];
      if (!Array.isArray(order)) throw apiErrors.badRequest(`${key} must be a list`);
      const merged = Object.hasOwn(target, name) ? target[name] : undefined;
      if (!Array.isArray(merged)) continue;
      const facts = this.#resolver.resolve(this.#resolver.property(schema, name) ?? {});
      setOwn(target, name, orderLike(merged, order, before.get(name) ?? [], this.#factsOf(facts)));
    }
  }

  #factsOf(facts: Schema): ListFacts {
    const items = this.#resolver.resolve(facts.items ?? {});
    const isList = items.type === 'object' || items.properties !== undefined;
    const mapKeys = (facts.listType === 'map' ? facts.listMapKeys : undefined) ?? [];
    return {
      ...(isList && facts.patchMergeKey !== undefined ? { mergeKey: facts.patchMergeKey } : {}),
      otherKeys: mapKeys.filter((key) => key !== facts.patchMergeKey),
      defaultOf: (key) => items.properties?.[key]?.default,
    };
  }
}

function listsToOrder(target: JsonObject, patch: JsonObject): ReadonlyMap<string, readonly unknown[]> {
  const lists = new Map<string, readonly unknown[]>();
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(SET_ELEMENT_ORDER)) continue;
    const name = key.slice(SET_ELEMENT_ORDER.length);
    const list = Object.hasOwn(target, name) ? target[name] : undefined;
    if (Array.isArray(list)) lists.set(name, [...(list as unknown[])]);
  }
  return lists;
}

function strategies(schema: Schema): readonly string[] {
  return schema.patchStrategy?.split(',') ?? [];
}

function isDirective(key: string): boolean {
  return key === '$patch' || key === '$retainKeys' || key.startsWith(SET_ELEMENT_ORDER) || key.startsWith(DELETE_FROM_PRIMITIVES);
}

function isDirectiveItem(item: unknown): boolean {
  return isObject(item) && Object.hasOwn(item, '$patch');
}

function retainKeys(target: JsonObject, patch: JsonObject): void {
  if (!Object.hasOwn(patch, '$retainKeys')) return;
  const keys = patch['$retainKeys'];
  if (!Array.isArray(keys)) throw apiErrors.badRequest('$retainKeys must be a list of names');
  for (const key of Object.keys(patch)) {
    if (!isDirective(key) && patch[key] !== null && !keys.includes(key)) throw apiErrors.badRequest(`$retainKeys names all fields that stay; ${JSON.stringify(key)} is missing`);
  }
  for (const key of Object.keys(target)) {
    if (!keys.includes(key)) delete target[key];
  }
}
