/**
 * Taking out of an object what its manager applied before and applies no more (structured-merge-diff, Updater.prune):
 * what others own stays, and so does what an owned part stands in.
 */
import type { Work } from '../../platform/work.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import type { KindFacts } from './versions.js';
import { presentFields } from './compare.js';
import { FieldSet } from './field-set.js';
import { childSchema, declares, structureOf } from './structure.js';

export interface Owned {
  /** What the manager applied the last time. */
  readonly last: FieldSet;
  /** What all managers own, this one with what it applies now. */
  readonly owned: FieldSet;
}

/** A new object. Each walk over it is a slice of `walk` units. */
export function* pruneWork(
  merged: JsonObject,
  { last, owned }: Owned,
  walk: number,
  { schema, resolver }: Pick<KindFacts, 'schema' | 'resolver'>,
): Work<JsonObject> {
  const pruner = new Pruner(resolver);
  const named = (set: FieldSet): FieldSet => pruner.withNamedFields(set, schema);
  const without = (set: FieldSet): JsonObject => {
    const rest = pruner.remove(merged, set, schema);
    return isObject(rest) ? rest : {};
  };
  function* fieldsOf(object: JsonObject): Work<FieldSet> {
    const present = presentFields(object, schema, resolver);
    yield walk;
    const fields = named(present);
    yield walk;
    return fields;
  }
  const all = yield* fieldsOf(merged);
  const lastNamed = named(last);
  yield walk;
  const owners = named(owned);
  yield walk;
  const rest = without(lastNamed);
  yield walk;
  const needed = (yield* fieldsOf(rest)).union(owners);
  yield walk;
  const unneeded = all.difference(needed);
  yield walk;
  const kept = without(unneeded);
  yield walk;
  const gone = all.difference(yield* fieldsOf(kept)).intersection(lastNamed);
  yield walk;
  return without(gone);
}

class Pruner {
  readonly #resolver: SchemaResolver;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  /**
   * The set with every structure that something in it stands in; maps and items of lists only where they were members.
   */
  withNamedFields(set: FieldSet, schema: Schema): FieldSet {
    if (set.children.size === 0) return set;
    const structure = structureOf(schema, this.#resolver);
    const result = new FieldSet();
    result.member = set.member;
    for (const [element, child] of set.children) {
      const name = element.startsWith('f:') && structure.kind === 'object' ? element.slice(2) : undefined;
      const below =
        structure.kind === 'object'
          ? childSchema(structure, name ?? '', this.#resolver)
          : structure.kind === 'list'
            ? structure.items
            : {};
      const twin = this.withNamedFields(child, below);
      const isNamed = name !== undefined && structure.kind === 'object' && declares(structure, name);
      result.set(element, isNamed && !twin.member ? asMember(twin) : twin);
    }
    return result;
  }

  /** A copy without what the set names; containers that become empty stay. */
  remove(value: unknown, gone: FieldSet, schema: Schema): unknown {
    if (gone.children.size === 0) return cloneJson(value);
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'list' && Array.isArray(value)) {
      const rest: unknown[] = [];
      for (const item of value) {
        const child = gone.children.get(structure.elementOf(item));
        if (child?.member !== true)
          rest.push(child === undefined ? cloneJson(item) : this.remove(item, child, structure.items));
      }
      return rest;
    }
    if (!isObject(value)) return cloneJson(value);
    const rest: JsonObject = {};
    for (const name of Object.keys(value)) {
      const child = gone.children.get(`f:${name}`);
      if (child?.member === true) continue;
      const below = structure.kind === 'object' ? childSchema(structure, name, this.#resolver) : {};
      setOwn(rest, name, child === undefined ? cloneJson(value[name]) : this.remove(value[name], child, below));
    }
    return rest;
  }
}

function asMember(set: FieldSet): FieldSet {
  const result = new FieldSet();
  result.member = true;
  for (const [element, child] of set.children) result.set(element, child);
  return result;
}
