/** Laying a configuration over a live object (structured-merge-diff, Merge). */
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { childSchema, Duplicates, indexDistinctItems, indexItems, structureOf } from './structure.js';
import type { ListStructure, ObjectStructure } from './structure.js';

/** A new object: the configuration's parts win, the live object's others stay. */
export function mergeApplied(live: JsonObject, config: JsonObject, schema: Schema, resolver: SchemaResolver): JsonObject {
  const merged = new Merger(resolver).merge(live, config, schema);
  return isObject(merged) ? merged : {};
}

const isEmpty = (value: unknown): boolean => value === null || (typeof value === 'object' && Object.keys(value).length === 0);

class Merger {
  readonly #resolver: SchemaResolver;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  merge(live: unknown, config: unknown, schema: Schema): unknown {
    if (live === undefined || live === null) return cloneJson(config);
    const structure = structureOf(schema, this.#resolver);
    if (isEmpty(live) && isEmpty(config)) return cloneJson(config);
    if (structure.kind === 'object' && isObject(live)) {
      if (config === null) return cloneJson(live);
      if (isObject(config)) return this.#fields(live, config, structure);
    }
    if (structure.kind === 'list' && Array.isArray(live)) {
      if (config === null) return cloneJson(live);
      if (Array.isArray(config)) return this.#lists(live, config, structure);
    }
    return cloneJson(config);
  }

  #fields(live: JsonObject, config: JsonObject, structure: ObjectStructure): JsonObject {
    const merged = cloneJson(live);
    for (const name of Object.keys(config)) {
      const current = Object.hasOwn(live, name) ? live[name] : undefined;
      setOwn(merged, name, this.merge(current, config[name], childSchema(structure, name, this.#resolver)));
    }
    return merged;
  }

  /**
   * The configuration's order holds among its items, the live list's among the others. Both lists are walked side by side: an
   * item that only the live list has goes where the walk meets it, one that both have waits for its turn in the configuration.
   */
  #lists(live: readonly unknown[], config: readonly unknown[], structure: ListStructure): unknown[] {
    const wanted = indexDistinctItems(config, structure.elementOf);
    const there = indexItems(live, structure.elementOf);
    const order = [...wanted.keys()];
    const shared = order.filter((element) => there.has(element));
    const elements = live.map(structure.elementOf);
    const merged: unknown[] = [];
    const taken = new Set<string>();
    const take = (element: string): void => {
      taken.add(element);
      const current = there.get(element);
      merged.push(this.merge(current instanceof Duplicates ? undefined : current, wanted.get(element), structure.items));
    };
    let [left, right, next] = [0, 0, 0];
    while (left < elements.length || right < order.length) {
      const [mine, theirs] = [elements[left], order[right]];
      if (mine !== undefined && !wanted.has(mine)) {
        merged.push(cloneJson(live[left]));
        left += 1;
      } else if (mine !== undefined && theirs !== undefined && mine !== theirs && next < shared.length && shared[next] !== mine) {
        left += 1;
      } else {
        if (mine !== undefined && (mine === theirs || taken.has(mine))) left += 1;
        if (theirs === undefined) continue;
        take(theirs);
        right += 1;
        if (shared[next] === theirs) next += 1;
      }
    }
    return merged;
  }
}
