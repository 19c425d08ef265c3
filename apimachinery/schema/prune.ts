/** Removal of unknown fields and filling in of defaults for structural schemas (custom resources). */
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { FieldPath } from './path.js';
import type { SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';

const ROOT_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);
/** What a schema that says nothing knows. */
const NOTHING: Schema = {};

/** Drops, in place, what the schema does not know, and returns its paths. Roots keep apiVersion, kind and metadata. */
export function prune(object: JsonObject, schema: Schema, resolver: SchemaResolver): string[] {
  const dropped: string[] = [];
  const path = new FieldPath();
  const visit = (value: unknown, declared: Schema, isRoot: boolean): void => {
    const known = resolver.resolve(declared);
    if (Array.isArray(value)) {
      if (known.items === undefined && known.preserveUnknown === true && known.prunesBelow !== true) return;
      for (const [index, item] of value.entries()) {
        path.push(index);
        visit(item, known.items ?? NOTHING, false);
        path.pop();
      }
      return;
    }
    if (!isObject(value)) return;
    for (const name of Object.keys(value)) {
      if (isRoot && ROOT_FIELDS.has(name)) continue;
      const property = resolver.property(known, name);
      path.push(name);
      if (property !== undefined) visit(value[name], property, known.embeddedResource === true);
      else if (known.prunesBelow === true) visit(value[name], NOTHING, false);
      else if (known.preserveUnknown !== true && !(known.embeddedResource === true && ROOT_FIELDS.has(name))) {
        delete value[name];
        dropped.push(path.dotted());
      }
      path.pop();
    }
  };
  visit(object, schema, true);
  return dropped;
}

/**
 * Drops, in place, nulls that a schema with no default and without `nullable` speaks of: what a template left empty
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting). Nulls with a default are for the Defaulter.
 */
export function pruneNulls(value: unknown, declared: Schema | undefined, resolver: SchemaResolver): void {
  if (declared === undefined) return;
  const schema = resolver.resolve(declared);
  if (Array.isArray(value)) {
    for (const item of value) pruneNulls(item, schema.items, resolver);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const property = resolver.property(schema, name);
      if (isUnwantedNull(value[name], property, resolver) && resolver.resolve(property ?? {}).default === undefined)
        delete value[name];
      else pruneNulls(value[name], property, resolver);
    }
  }
}

function isUnwantedNull(value: unknown, declared: Schema | undefined, resolver: SchemaResolver): boolean {
  return value === null && declared !== undefined && resolver.resolve(declared).nullable !== true;
}

/**
 * Fills in `default`s where a property is absent, or null though it may not be (CRD defaulting). Changes the object in
 * place.
 */
export class Defaulter {
  readonly #resolver: SchemaResolver;
  readonly #relevant = new WeakMap<Schema, boolean>();

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  apply(value: unknown, declared: Schema): void {
    const schema = this.#resolver.resolve(declared);
    if (!this.#hasDefaults(schema)) return;
    if (Array.isArray(value)) {
      if (schema.items !== undefined) this.#items(value, schema.items);
      return;
    }
    if (!isObject(value)) return;
    for (const [name, property] of Object.entries(schema.properties ?? {})) this.#property(value, name, property);
    if (schema.additionalProperties === undefined) return;
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(schema.properties ?? {}, name)) this.#property(value, name, schema.additionalProperties);
    }
  }

  #items(list: unknown[], declared: Schema): void {
    const { default: fallback } = this.#resolver.resolve(declared);
    for (const [index, item] of list.entries()) {
      if (fallback !== undefined && isUnwantedNull(item, declared, this.#resolver)) list[index] = cloneJson(fallback);
      this.apply(list[index], declared);
    }
  }

  #property(object: JsonObject, name: string, declared: Schema): void {
    const schema = this.#resolver.resolve(declared);
    const present = Object.hasOwn(object, name) && !(object[name] === null && schema.nullable !== true);
    if (!present && schema.default !== undefined) setOwn(object, name, cloneJson(schema.default));
    if (Object.hasOwn(object, name)) this.apply(object[name], declared);
  }

  /** Most schemas have no default anywhere: their values are not walked. */
  #hasDefaults(schema: Schema): boolean {
    const known = this.#relevant.get(schema);
    if (known !== undefined) return known;
    const answer = reaches(schema, this.#resolver, new Set());
    this.#relevant.set(schema, answer);
    return answer;
  }
}

/** Whether a default stands anywhere below; `seen` breaks the cycles of recursive schemas. */
function reaches(schema: Schema, resolver: SchemaResolver, seen: Set<Schema>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return children.some(
    (child) =>
      child !== undefined &&
      (resolver.resolve(child).default !== undefined || reaches(resolver.resolve(child), resolver, seen)),
  );
}
