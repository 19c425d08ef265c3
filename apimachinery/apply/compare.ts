/** What is in an object, and what differs between two, as sets of paths. Runs for each tracked write: equal parts cost no allocation. */
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { FieldSet } from './field-set.js';
import { childSchema, Duplicates, indexDistinctItems, indexItems, structureOf } from './structure.js';

export interface Comparison {
  /** Paths that were added or have another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

/** All that a manager who applies `config` owns: leaves, and items of lists themselves. Throws ApiError BadRequest for duplicates. */
export function appliedFields(config: JsonObject, schema: Schema, resolver: SchemaResolver): FieldSet {
  const set = new FieldSet();
  new Collector(resolver, { withMaps: false, index: indexDistinctItems }).collect(config, schema, set);
  return withoutServerFields(set);
}

/** All that a stored object has. */
export function presentFields(object: JsonObject, schema: Schema, resolver: SchemaResolver): FieldSet {
  const set = new FieldSet();
  new Collector(resolver, { withMaps: false, index: indexItems }).collect(object, schema, set);
  return withoutServerFields(set);
}

export function compareObjects(before: JsonObject, after: JsonObject, schema: Schema, resolver: SchemaResolver): Comparison {
  const comparer = new Comparer(resolver);
  comparer.compare(before, after, schema);
  return { changed: withoutServerFields(comparer.changed), removed: withoutServerFields(comparer.removed) };
}

interface CollectorOptions {
  /** Maps themselves are named too, as for updates that brought them into being. */
  readonly withMaps: boolean;
  readonly index: typeof indexItems;
}

/** Adds the paths of a whole value. */
class Collector {
  readonly #resolver: SchemaResolver;
  readonly #options: CollectorOptions;

  constructor(resolver: SchemaResolver, options: CollectorOptions) {
    this.#resolver = resolver;
    this.#options = options;
  }

  /** `set`: what stands below the value's own path. */
  collect(value: unknown, schema: Schema, set: FieldSet): void {
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'object' && isObject(value) && Object.keys(value).length > 0) {
      if (this.#options.withMaps && structure.isMap) set.member = true;
      for (const name of Object.keys(value)) this.collect(value[name], childSchema(structure, name, this.#resolver), set.child(`f:${name}`));
    } else if (structure.kind === 'list' && Array.isArray(value) && value.length > 0) {
      for (const [element, item] of this.#options.index(value, structure.elementOf)) {
        const below = set.child(element);
        below.member = true;
        if (isObject(item) && !(item instanceof Duplicates)) this.collect(item, structure.items, below);
      }
    } else {
      set.member = true;
    }
  }
}

class Comparer {
  readonly changed = new FieldSet();
  readonly removed = new FieldSet();
  readonly #resolver: SchemaResolver;
  readonly #path: string[] = [];

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  compare(before: unknown, after: unknown, schema: Schema): void {
    if (before === after) return;
    if (before instanceof Duplicates || after instanceof Duplicates) {
      if (!jsonEqual(itemsOf(before), itemsOf(after))) this.changed.insert(this.#path);
      return;
    }
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'object' && isObject(before) && isObject(after)) {
      for (const name of Object.keys(after)) {
        this.#pair(`f:${name}`, ownOf(before, name), after[name], childSchema(structure, name, this.#resolver));
      }
      for (const name of Object.keys(before)) {
        if (!Object.hasOwn(after, name)) this.#pair(`f:${name}`, before[name], undefined, childSchema(structure, name, this.#resolver));
      }
    } else if (structure.kind === 'list' && Array.isArray(before) && Array.isArray(after)) {
      if (!jsonEqual(before, after)) this.#lists(before, after, structure);
    } else if (!jsonEqual(before, after)) {
      this.changed.insert(this.#path);
    }
  }

  #lists(before: readonly unknown[], after: readonly unknown[], structure: { items: Schema; elementOf: (item: unknown) => string }): void {
    const was = indexItems(before, structure.elementOf);
    const is = indexItems(after, structure.elementOf);
    for (const [element, item] of is) this.#pair(element, was.get(element), item, structure.items);
    for (const [element, item] of was) {
      if (!is.has(element)) this.#pair(element, item, undefined, structure.items);
    }
  }

  #pair(element: string, before: unknown, after: unknown, schema: Schema): void {
    if (before === after) return;
    this.#path.push(element);
    if (before === undefined) this.#whole(this.changed, after, schema, element);
    else if (after === undefined) this.#whole(this.removed, before, schema, element);
    else this.compare(before, after, schema);
    this.#path.pop();
  }

  #whole(set: FieldSet, value: unknown, schema: Schema, element: string): void {
    if (!element.startsWith('f:')) set.insert(this.#path);
    if (element.startsWith('v:') || value instanceof Duplicates) return;
    if (set === this.removed) set.insert(this.#path);
    else new Collector(this.#resolver, { withMaps: true, index: indexItems }).collect(value, schema, set.below(this.#path));
  }
}

const itemsOf = (value: unknown): readonly unknown[] => (value instanceof Duplicates ? value.items : [value]);

const ownOf = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

/** Fields that are the server's own, or name the object: nobody manages them. */
const SERVER_FIELDS = new FieldSet();
for (const name of ['apiVersion', 'kind', 'metadata']) SERVER_FIELDS.insert([`f:${name}`]);
for (const name of ['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion']) {
  SERVER_FIELDS.insert(['f:metadata', `f:${name}`]);
}

function withoutServerFields(set: FieldSet): FieldSet {
  return set.isEmpty ? set : set.difference(SERVER_FIELDS);
}
