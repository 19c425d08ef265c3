/**
 * What is in an object, and what differs between two, as sets of paths (structured-merge-diff, ToFieldSet and Compare).
 * Runs for each tracked write: equal parts cost no allocation.
 */
import { SliceMeter } from '../../platform/slices.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { FieldSet } from './field-set.js';
import {
  childSchema,
  declares,
  Duplicates,
  indexDistinctItems,
  indexItems,
  indexItemsWork,
  structureOf,
} from './structure.js';
import type { ListStructure, ObjectStructure, Structure } from './structure.js';

export interface Comparison {
  /** Paths that were added or have another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

/** All that a manager who applies `config` owns. Throws ApiError BadRequest for items that share their keys. */
export function appliedFields(config: JsonObject, schema: Schema, resolver: SchemaResolver): FieldSet {
  return withoutServerFields(collect(config, schema, resolver, indexDistinctItems));
}

/** All that an object has: leaves, items of lists, keys of maps; not structures, nor empty lists. */
export function presentFields(object: JsonObject, schema: Schema, resolver: SchemaResolver): FieldSet {
  return collect(object, schema, resolver, indexItems);
}

export function compareObjects(
  before: JsonObject,
  after: JsonObject,
  schema: Schema,
  resolver: SchemaResolver,
): Comparison {
  return finish(compareObjectsWork(before, after, schema, resolver));
}

/** The same in slices. */
export function* compareObjectsWork(
  before: JsonObject,
  after: JsonObject,
  schema: Schema,
  resolver: SchemaResolver,
): Work<Comparison> {
  const comparer = new Comparer(resolver);
  yield* comparer.compare(before, after, schema);
  return { changed: withoutServerFields(comparer.changed), removed: withoutServerFields(comparer.removed) };
}

function collect(object: JsonObject, schema: Schema, resolver: SchemaResolver, index: typeof indexItems): FieldSet {
  const set = new FieldSet();
  new Collector(resolver, index).collect(object, schema, set);
  return set;
}

/** Adds the paths of a whole value; `set` is what stands below the value's own path. */
class Collector {
  readonly #resolver: SchemaResolver;
  readonly #index: typeof indexItems;

  constructor(resolver: SchemaResolver, index: typeof indexItems) {
    this.#resolver = resolver;
    this.#index = index;
  }

  collect(value: unknown, schema: Schema, set: FieldSet): void {
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'object' && isObject(value)) this.#fields(value, structure, set);
    else if (structure.kind === 'list' && Array.isArray(value)) this.#items(value, structure, set);
    else set.member = true;
  }

  #fields(object: JsonObject, structure: ObjectStructure, set: FieldSet): void {
    for (const name of Object.keys(object)) {
      const value = object[name];
      const below = new FieldSet();
      this.collect(value, childSchema(structure, name, this.#resolver), below);
      if (!declares(structure, name) || isEmptyObject(value)) below.member = true;
      if (!below.isEmpty) set.set(`f:${name}`, below);
    }
  }

  #items(list: readonly unknown[], structure: ListStructure, set: FieldSet): void {
    for (const [element, item] of this.#index(list, structure.elementOf)) {
      const below = set.child(element);
      below.member = true;
      if (!(item instanceof Duplicates)) this.collect(item, structure.items, below);
    }
  }
}

/** Of one pair of values, in units of Work. */
const PAIR_UNITS = 10;
const YIELD_UNITS = 2000;

/** `undefined` stands for what is absent on one side. */
class Comparer {
  readonly changed = new FieldSet();
  readonly removed = new FieldSet();
  readonly #resolver: SchemaResolver;
  readonly #path: string[] = [];
  readonly #meter = new SliceMeter(YIELD_UNITS);

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  *compare(before: unknown, after: unknown, schema: Schema): Work<void> {
    if (before === after) return;
    const structure = structureOf(schema, this.#resolver);
    if (isLeaf(before, after, structure.kind)) this.#leaf(before, after);
    else yield* this.#container(before, after, structure);
  }

  *#container(before: unknown, after: unknown, structure: Structure): Work<void> {
    if (structure.kind === 'object') yield* this.#fields(before, after, structure);
    else if (structure.kind === 'list') yield* this.#lists(before, after, structure);
    if (before === undefined) this.changed.insert(this.#path);
    else if (after === undefined) this.removed.insert(this.#path);
  }

  #leaf(before: unknown, after: unknown): void {
    if (after === undefined) this.removed.insert(this.#path);
    else if (before === undefined || !jsonEqual(before, after)) this.changed.insert(this.#path);
  }

  *#fields(before: unknown, after: unknown, structure: ObjectStructure): Work<void> {
    const [was, is] = [isObject(before) ? before : undefined, isObject(after) ? after : undefined];
    const names = Object.keys(is ?? {});
    for (const name of Object.keys(was ?? {})) {
      if (is === undefined || !Object.hasOwn(is, name)) names.push(name);
    }
    for (const name of names) {
      const absent = was !== undefined && is !== undefined ? structure.zeroOf(name) : undefined;
      const [old, now] = [ownOf(was, name, absent), ownOf(is, name, absent)];
      const inner = this.#entered(`f:${name}`, old, now, childSchema(structure, name, this.#resolver));
      if (inner !== undefined) yield* this.#left(this.#container(old, now, inner));
      if (this.#meter.spend(PAIR_UNITS)) yield YIELD_UNITS;
    }
  }

  *#lists(before: unknown, after: unknown, structure: ListStructure): Work<void> {
    if (jsonEqual(before, after)) return;
    const was = yield* indexItemsWork(Array.isArray(before) ? before : [], structure.elementOf);
    const is = yield* indexItemsWork(Array.isArray(after) ? after : [], structure.elementOf);
    for (const [element, item] of is) yield* this.#item(element, was.get(element), item, structure.items);
    for (const [element, item] of was) {
      if (!is.has(element)) yield* this.#item(element, item, undefined, structure.items);
    }
  }

  /** Items that share their keys count as one, whose fields nobody owns one by one. */
  *#item(element: string, before: unknown, after: unknown, schema: Schema): Work<void> {
    if (this.#meter.spend(PAIR_UNITS)) yield YIELD_UNITS;
    if (before instanceof Duplicates && after instanceof Duplicates) {
      if (!jsonEqual(before.items, after.items)) this.#insert(this.changed, element);
    } else if (before instanceof Duplicates) {
      yield* this.#pair(element, undefined, after, schema);
      this.#insert(this.removed, element);
    } else if (after instanceof Duplicates) {
      yield* this.#pair(element, before, undefined, schema);
      this.#insert(this.changed, element);
    } else {
      yield* this.#pair(element, before, after, schema);
    }
  }

  #insert(set: FieldSet, element: string): void {
    set.insert([...this.#path, element]);
  }

  *#pair(element: string, before: unknown, after: unknown, schema: Schema): Work<void> {
    const inner = this.#entered(element, before, after, schema);
    if (inner !== undefined) yield* this.#left(this.#container(before, after, inner));
  }

  /** Leaves are compared at once. Of two containers the structure comes back, and the path leads to them. */
  #entered(element: string, before: unknown, after: unknown, schema: Schema): Structure | undefined {
    if (before === after) return undefined;
    const structure = structureOf(schema, this.#resolver);
    this.#path.push(element);
    if (!isLeaf(before, after, structure.kind)) return structure;
    this.#leaf(before, after);
    this.#path.pop();
    return undefined;
  }

  /** Leaves where the path leads to after the work is done. */
  *#left(work: Work<void>): Work<void> {
    yield* work;
    this.#path.pop();
  }
}

/**
 * What is owned as one; of containers, those that are empty on both sides. Values of another type than the schema's are
 * leaves.
 */
function isLeaf(before: unknown, after: unknown, kind: 'atomic' | 'object' | 'list'): boolean {
  if (kind === 'atomic') return true;
  const fits = kind === 'object' ? isObject : Array.isArray;
  const sides = [before, after].filter((side) => side !== undefined && side !== null);
  return !sides.every((side) => fits(side)) || sides.every((side) => Object.keys(side as object).length === 0);
}

const isEmptyObject = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0;

/** A null is a value: lists that Go always writes are null when they are empty. */
const ownOf = (object: JsonObject | undefined, name: string, otherwise: unknown): unknown =>
  object !== undefined && Object.hasOwn(object, name) ? object[name] : otherwise;

/** Fields that are the server's own, or name the object: nobody manages them. */
const SERVER_FIELDS = new FieldSet();
for (const name of ['apiVersion', 'kind', 'metadata']) SERVER_FIELDS.insert([`f:${name}`]);
for (const name of [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
]) {
  SERVER_FIELDS.insert(['f:metadata', `f:${name}`]);
}
const WHOLE_SERVER_FIELDS = new FieldSet();
WHOLE_SERVER_FIELDS.insert(['f:metadata', 'f:managedFields']);

function withoutServerFields(set: FieldSet): FieldSet {
  return set.isEmpty ? set : set.difference(SERVER_FIELDS).difference(WHOLE_SERVER_FIELDS, true);
}
