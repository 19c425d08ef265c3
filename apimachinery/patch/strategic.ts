/**
 * Strategic merge patch (k8s.io/apimachinery/pkg/util/strategicpatch): a merge patch that knows which lists merge and
 * by which key, with the directives `$patch`, `$retainKeys`, `$setElementOrder/<list>` and
 * `$deleteFromPrimitiveList/<list>`.
 *
 * In: an object and a patch, neither of which changes, and the kind's schema. Out: a new object. What the object does
 * not have yet is taken from the patch whole: only `$patch` items and nulls fall away there, and other directives stay
 * as unknown fields. Custom resources have no such patches; the registry refuses them before it comes here.
 */
import { apiErrors } from '../status.js';
import { simpleNameOf } from '../schema/resolve.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { cloneJson, countValues, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { strategicErrors, unclassified } from './errors.js';
import { goText, goType, jsonType } from './go-text.js';
import { dropNulls } from './nulls.js';
import { checkElementOrder } from './strategic-element-order.js';
import { elementType, mergeLists, ORDERED_UNITS } from './strategic-lists.js';
import type { ListFacts, Merged } from './strategic-lists.js';
import { normalizeOrder } from './strategic-order.js';

const SET_ELEMENT_ORDER = '$setElementOrder';
const DELETE_FROM_PRIMITIVES = '$deleteFromPrimitiveList';

/**
 * Throws ApiError: BadRequest for malformed directives, 500 without a reason for what does not fit the schema, as
 * upstream.
 */
export function applyStrategicMergePatch(
  object: JsonObject,
  patch: unknown,
  schema: Schema,
  resolver: SchemaResolver,
): JsonObject {
  return finish(applyStrategicMergePatchWork(object, patch, schema, resolver));
}

/** The same in slices. */
export function* applyStrategicMergePatchWork(
  object: JsonObject,
  patch: unknown,
  schema: Schema,
  resolver: SchemaResolver,
): Work<JsonObject> {
  if (patch === null) return cloneJson(object);
  if (!isObject(patch))
    throw apiErrors.badRequest(
      `json: cannot unmarshal ${jsonType(patch)} into Go value of type map[string]interface {}`,
    );
  const [target, change] = [cloneJson(object), cloneJson(patch)];
  yield countValues(target) + countValues(change);
  return yield* new StrategicMerger(resolver).mergeMap(target, change, schema);
}

/** Of one field that is merged, in units of Work. */
const FIELD_UNITS = 10;

/** What the schema says of one field. */
interface FieldFacts {
  readonly schema: Schema;
  readonly strategy: string;
}

/** Both arguments of each step are the merger's own copies, and change. */
class StrategicMerger {
  readonly #resolver: SchemaResolver;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  *mergeMap(target: JsonObject, patch: JsonObject, declared: Schema): Work<JsonObject> {
    if (Object.hasOwn(patch, '$patch')) return replaced(patch);
    retainKeys(target, patch);
    yield* this.#mergeOrderedLists(target, patch, declared);
    // Deletions from lists of plain values come first: upstream's order is that of Go's maps, none.
    for (const key of Object.keys(patch).sort((a, b) => Number(isDeletion(b)) - Number(isDeletion(a)))) {
      yield FIELD_UNITS;
      if (isDeletion(key))
        yield* this.#merge(target, nameIn(key, DELETE_FROM_PRIMITIVES), { value: patch[key], deletes: true, declared });
      else yield* this.#merge(target, key, { value: patch[key], deletes: false, declared });
    }
    return target;
  }

  *#merge(
    target: JsonObject,
    key: string,
    change: { readonly value: unknown; readonly deletes: boolean; readonly declared: Schema },
  ): Work<void> {
    const { value, deletes, declared } = change;
    if (value === null) {
      delete target[key];
      return;
    }
    const current = Object.hasOwn(target, key) ? target[key] : undefined;
    if (current === undefined || goType(current) !== goType(value)) {
      if (!deletes) take(target, key, dropNulls(value));
    } else if (isObject(current) && isObject(value)) {
      const { schema, strategy } = this.#factsOf(declared, key);
      setOwn(target, key, strategy === 'replace' ? value : yield* this.mergeMap(current, value, schema));
    } else if (Array.isArray(current) && Array.isArray(value)) {
      const { strategy, list } = this.#listFactsOf(declared, key);
      setOwn(
        target,
        key,
        strategy === 'merge' || deletes
          ? (yield* mergeLists(current, { patch: value, isDeletion: deletes }, list)).list
          : value,
      );
    } else {
      setOwn(target, key, value);
    }
  }

  /** Lists whose order the patch gives are merged first, and taken out of the patch. */
  *#mergeOrderedLists(target: JsonObject, patch: JsonObject, declared: Schema): Work<void> {
    for (const directive of Object.keys(patch).filter((key) => key.startsWith(SET_ELEMENT_ORDER))) {
      const order = patch[directive];
      delete patch[directive];
      if (!Array.isArray(order)) throw unclassified(`expected a []interface {}, but received a ${goType(order)}`);
      const name = nameIn(directive, SET_ELEMENT_ORDER);
      const stored = listIn(target, name);
      const change = listIn(patch, name);
      const { strategy, list } = this.#listFactsOf(declared, name);
      checkElementOrder(change ?? [], order, list.mergeKey);
      if (stored === undefined && change === undefined) continue;
      elementType(stored ?? [], change ?? []);
      const merged = yield* mergeOrdered(
        stored,
        change,
        strategy === 'merge' ? (original, items) => mergeLists(original, { patch: items, order }, list) : undefined,
      );
      yield (merged.list.length + order.length) * ORDERED_UNITS;
      setOwn(
        target,
        name,
        normalizeOrder(merged.list, { wanted: order, stored: merged.stored, mergeKey: list.mergeKey }),
      );
      delete patch[name];
    }
  }

  #factsOf(declared: Schema, key: string): FieldFacts {
    const schema = this.#resolver.resolve(declared);
    if (schema.properties === undefined && schema.additionalProperties !== undefined) {
      throw unclassified('merging an object in json but data type is not struct, instead is: map');
    }
    const { properties } = schema;
    const property = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property === undefined)
      throw unclassified(
        `unable to find api field in struct ${simpleNameOf(declared.ref ?? '')} for the json field ${JSON.stringify(key)}`,
      );
    const strategies = this.#resolver.resolve(property).patchStrategy?.split(',') ?? [];
    return { schema: property, strategy: strategies.find((strategy) => strategy !== 'retainKeys') ?? '' };
  }

  #listFactsOf(declared: Schema, key: string): { readonly strategy: string; readonly list: ListFacts } {
    const { schema: property, strategy } = this.#factsOf(declared, key);
    const schema = this.#resolver.resolve(property);
    if (schema.items === undefined) throw unclassified('expected slice or array type, but got: struct');
    const { items } = schema;
    const { properties } = this.#resolver.resolve(items);
    const mapKeys = (schema.listType === 'map' ? schema.listMapKeys : undefined) ?? [];
    return {
      strategy,
      list: {
        mergeKey: schema.patchMergeKey ?? '',
        itemKind: properties === undefined ? 'string' : 'struct',
        otherKeys: mapKeys.filter((name) => name !== schema.patchMergeKey),
        defaultOf: (name) => properties?.[name]?.default,
        mergeItems: (target, patch) => this.mergeMap(target, patch, items),
      },
    };
  }
}

/** `$patch` of a map: what takes its place. */
function replaced({ $patch: directive, ...rest }: JsonObject): JsonObject {
  if (directive === 'replace') return rest;
  if (directive === 'delete') return {};
  throw unclassified(`unknown patch type: ${goText(directive)} in map: ${goText({ $patch: directive, ...rest })}`);
}

const isDeletion = (key: string): boolean => key.startsWith(DELETE_FROM_PRIMITIVES);

/** `containers` of `$setElementOrder/containers`. */
function nameIn(key: string, prefix: string): string {
  if (key.startsWith(`${prefix}/`)) return key.slice(prefix.length + 1);
  throw prefix === SET_ELEMENT_ORDER ? strategicErrors.elementOrder() : strategicErrors.primitiveList();
}

function listIn(object: JsonObject, name: string): readonly unknown[] | undefined {
  if (!Object.hasOwn(object, name)) return undefined;
  const list = object[name];
  if (!Array.isArray(list)) throw unclassified(`expected a []interface {}, but received a ${goType(list)}`);
  return list;
}

type Merge = (stored: readonly unknown[], change: readonly unknown[]) => Work<Merged>;

/** `merge` is undefined for lists that are replaced as one. */
function* mergeOrdered(
  stored: readonly unknown[] | undefined,
  change: readonly unknown[] | undefined,
  merge: Merge | undefined,
): Work<Merged> {
  if (stored === undefined) return { list: withoutDirectives(change) as readonly unknown[], stored: [] };
  if (change === undefined) return { list: stored, stored };
  return merge === undefined ? { list: change, stored } : yield* merge(stored, change);
}

function retainKeys(target: JsonObject, patch: JsonObject): void {
  if (!Object.hasOwn(patch, '$retainKeys')) return;
  const keys = patch['$retainKeys'];
  delete patch['$retainKeys'];
  if (!Array.isArray(keys)) throw strategicErrors.retainKeys();
  const kept = new Set<unknown>(keys);
  for (const key of Object.keys(patch)) {
    const excepted = patch[key] === null || key.startsWith(DELETE_FROM_PRIMITIVES) || key.startsWith(SET_ELEMENT_ORDER);
    if (!excepted && !kept.has(key)) throw strategicErrors.retainKeys();
  }
  for (const key of Object.keys(target)) {
    if (!kept.has(key)) delete target[key];
  }
}

/** Sets what the object did not have; a map that is only a directive leaves nothing. */
function take(target: JsonObject, key: string, value: unknown): void {
  const rest = withoutDirectives(value);
  if (rest === undefined) delete target[key];
  else setOwn(target, key, rest);
}

/** Maps with `$patch` fall away, from lists too; undefined when the value is such a map. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  for (const key of Object.keys(value)) take(value, key, value[key]);
  return value;
}
