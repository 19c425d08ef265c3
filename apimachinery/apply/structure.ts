/** How a value is made up, for all of apply: which parts are owned one by one, and how items of a list are named. */
import { SliceMeter } from '../../platform/slices.js';
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../json-value.js';
import { STORED_LIMITS, tooManyKeys } from '../codec/limits.js';
import { apiErrors } from '../status.js';
import { zeroOf } from '../schema/encoding.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';

export type Structure =
  /** Owned as one. */
  { readonly kind: 'atomic' } | ObjectStructure | ListStructure;

export interface ObjectStructure {
  readonly kind: 'object';
  readonly schema: Schema;
  /**
   * What stands for a field that is absent from an object of Kubernetes' own types, where the field always has a value.
   */
  zeroOf(name: string): unknown;
}

export interface ListStructure {
  readonly kind: 'list';
  readonly items: Schema;
  readonly elementOf: (item: unknown) => string;
}

const ATOMIC: Structure = { kind: 'atomic' };
const ANYTHING: Schema = { preserveUnknown: true };

const structures = new WeakMap<Schema, Structure>();

/** What the schema says of values below it; values that do not fit it are atomic wherever they stand. */
export function structureOf(declared: Schema, resolver: SchemaResolver): Structure {
  const schema = resolver.resolve(declared);
  let structure = structures.get(schema);
  if (structure === undefined) {
    structure = makeStructure(schema, resolver);
    structures.set(schema, structure);
  }
  return structure;
}

function makeStructure(schema: Schema, resolver: SchemaResolver): Structure {
  if (schema.mapType === 'atomic' || schema.intOrString === true) return ATOMIC;
  if (schema.type === 'array' || schema.items !== undefined) {
    const items = schema.items ?? ANYTHING;
    if (schema.listType === 'set') return { kind: 'list', items, elementOf: (item) => `v:${encodeJson(item)}` };
    if (schema.listType !== 'map' || schema.listMapKeys === undefined) return ATOMIC;
    return { kind: 'list', items, elementOf: keyedElement(schema.listMapKeys, resolver.resolve(items)) };
  }
  if (schema.properties !== undefined || schema.additionalProperties !== undefined || schema.preserveUnknown === true) {
    return { kind: 'object', schema, zeroOf: zeros(schema, resolver) };
  }
  return ATOMIC;
}

/**
 * Nobody brings into being what Go's types always have: it counts as there, empty. Custom resources have no such
 * fields.
 */
function zeros({ properties }: Schema, resolver: SchemaResolver): (name: string) => unknown {
  return (name) => {
    const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    return property?.encoding === undefined || property.encoding === 'omit' ? undefined : zeroOf(property, resolver);
  };
}

/**
 * `k:{...}` with the keys in order; a key that is absent has its default, or is left out (KEP-555, "optional keys").
 */
function keyedElement(names: readonly string[], items: Schema): (item: unknown) => string {
  const keys = [...names].sort((a, b) => (a < b ? -1 : 1));
  const [only = ''] = keys;
  const head = `k:{${JSON.stringify(only)}:`;
  return (item) => {
    // Nearly all lists: one key, and it is a text.
    if (keys.length === 1 && isObject(item) && Object.hasOwn(item, only) && typeof item[only] === 'string')
      return `${head}${JSON.stringify(item[only])}}`;
    if (!isObject(item)) throw apiErrors.badRequest(`items of a list with keys ${keys.join(', ')} must be objects`);
    const found: JsonObject = {};
    for (const key of keys) {
      const value = Object.hasOwn(item, key) ? item[key] : defaultOfKey(items, key);
      if (value !== undefined) found[key] = value;
    }
    return `k:${encodeJson(found)}`;
  };
}

/** A required key that is absent is empty, as OpenAPI v3 publishes for fields that Go always writes. */
export function defaultOfKey({ properties, required }: Schema, key: string): unknown {
  const property = properties?.[key];
  if (property?.default !== undefined || required?.includes(key) !== true) return property?.default;
  return property?.type === 'string' ? '' : property?.type === 'integer' ? 0 : undefined;
}

export function childSchema(structure: { readonly schema: Schema }, name: string, resolver: SchemaResolver): Schema {
  return resolver.property(structure.schema, name) ?? ANYTHING;
}

/** Whether the name is a field of the structure, and not a key of a map. */
export function declares(structure: ObjectStructure, name: string): boolean {
  const { properties } = structure.schema;
  return properties !== undefined && Object.hasOwn(properties, name);
}

/**
 * Items that share their keys. Stored objects may have such (a container may name an environment variable twice): they
 * are owned, compared and kept as one.
 */
export class Duplicates {
  readonly #items: unknown[];

  constructor(first: unknown, second: unknown) {
    this.#items = [first, second];
  }

  get items(): readonly unknown[] {
    return this.#items;
  }

  /** Only while the list is indexed. */
  add(item: unknown): void {
    this.#items.push(item);
  }
}

/** Of an item that gets its element and a place in an index, in units of Work. */
const ITEM_UNITS = 15;
const YIELD_UNITS = 2000;

/** Lists that are indexed at once: a generator costs as much as some of their items. */
const SHORT_LIST = 64;

/** Items by element, in order; those with the same element stand together as Duplicates. */
export function indexItems(list: readonly unknown[], elementOf: (item: unknown) => string): Map<string, unknown> {
  const index = new Map<string, unknown>();
  for (const item of list) addItem(index, elementOf(item), item);
  return index;
}

/** The same in slices; `short`: items of a list that is indexed at once. */
export function* indexItemsWork(
  list: readonly unknown[],
  elementOf: (item: unknown) => string,
  short = SHORT_LIST,
): Work<Map<string, unknown>> {
  if (list.length <= short) return indexItems(list, elementOf);
  const index = new Map<string, unknown>();
  const meter = new SliceMeter(YIELD_UNITS);
  for (const item of list) {
    addItem(index, elementOf(item), item);
    if (meter.spend(ITEM_UNITS)) yield YIELD_UNITS;
  }
  return index;
}

function addItem(index: Map<string, unknown>, element: string, item: unknown): void {
  const before = index.get(element);
  if (before instanceof Duplicates) before.add(item);
  else if (before !== undefined || index.has(element)) index.set(element, new Duplicates(before, item));
  else index.set(element, item);
}

/**
 * The same for what a client applies, where two items with the same keys have no meaning. Throws ApiError BadRequest,
 * or RequestEntityTooLarge where the applier would own more items than are stored of one owner.
 */
export function indexDistinctItems(
  list: readonly unknown[],
  elementOf: (item: unknown) => string,
): Map<string, unknown> {
  checkLength(list);
  return checkDistinct(indexItems(list, elementOf));
}

/** The same in slices. */
export function* indexDistinctItemsWork(
  list: readonly unknown[],
  elementOf: (item: unknown) => string,
): Work<Map<string, unknown>> {
  checkLength(list);
  return checkDistinct(yield* indexItemsWork(list, elementOf));
}

function checkLength(list: readonly unknown[]): void {
  if (list.length > STORED_LIMITS.keysMax) throw tooManyKeys(STORED_LIMITS.keysMax);
}

function checkDistinct(index: Map<string, unknown>): Map<string, unknown> {
  for (const [element, item] of index) {
    if (item instanceof Duplicates) throw apiErrors.badRequest(`duplicate entries for key ${element.slice(2)}`);
  }
  return index;
}
