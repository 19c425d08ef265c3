/** Laying a configuration over a live object (structured-merge-diff, Merge). */
import { SliceMeter } from '../../platform/slices.js';
import type { Work } from '../../platform/work.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { childSchema, Duplicates, indexDistinctItemsWork, indexItemsWork, structureOf } from './structure.js';
import type { ListStructure, ObjectStructure } from './structure.js';

/** A new object: the configuration's parts win, the live object's others stay. In slices. */
export function* mergeAppliedWork(
  live: JsonObject,
  config: JsonObject,
  schema: Schema,
  resolver: SchemaResolver,
): Work<JsonObject> {
  const merged = yield* new Merger(resolver).merge(live, config, schema);
  return isObject(merged) ? merged : {};
}

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && Object.keys(value).length === 0);

/** Whether nothing of the live value can stay in the merged one. */
const takesAll = (live: unknown, config: unknown): boolean =>
  live === undefined || live === null || typeof config !== 'object' || (isEmpty(live) && isEmpty(config));

/** Of a field or an item, in units of Work. */
const PART_UNITS = 20;
const YIELD_UNITS = 2000;

class Merger {
  readonly #resolver: SchemaResolver;
  readonly #meter = new SliceMeter(YIELD_UNITS);

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  *merge(live: unknown, config: unknown, schema: Schema): Work<unknown> {
    if (takesAll(live, config)) return cloneJson(config);
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'object' && isObject(live)) {
      if (config === null) return cloneJson(live);
      if (isObject(config)) return yield* this.#fields(live, config, structure);
    }
    if (structure.kind === 'list' && Array.isArray(live)) {
      if (config === null) return cloneJson(live);
      if (Array.isArray(config)) return yield* this.#lists(live, config, structure);
    }
    return cloneJson(config);
  }

  *#fields(live: JsonObject, config: JsonObject, structure: ObjectStructure): Work<JsonObject> {
    const merged: JsonObject = {};
    for (const name of Object.keys(live)) {
      const isOwn = !Object.hasOwn(config, name);
      setOwn(
        merged,
        name,
        isOwn || takesAll(live[name], config[name])
          ? cloneJson(isOwn ? live[name] : config[name])
          : yield* this.merge(live[name], config[name], childSchema(structure, name, this.#resolver)),
      );
      if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    }
    for (const name of Object.keys(config)) {
      if (Object.hasOwn(live, name)) continue;
      setOwn(merged, name, cloneJson(config[name]));
      if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    }
    return merged;
  }

  /**
   * The configuration's order holds among its items, the live list's among the others. Both lists are walked side by
   * side: an item that only the live list has goes where the walk meets it, one that both have waits for its turn in
   * the configuration.
   */
  *#lists(live: readonly unknown[], config: readonly unknown[], structure: ListStructure): Work<unknown[]> {
    const wanted = yield* indexDistinctItemsWork(config, structure.elementOf);
    const there = yield* indexItemsWork(live, structure.elementOf);
    const order = [...wanted.keys()];
    const shared = order.filter((element) => there.has(element));
    const merged: unknown[] = [];
    const taken = new Set<string>();
    let mine: string | undefined;
    let [left, right, next] = [0, 0, 0];
    while (left < live.length || right < order.length) {
      mine ??= left < live.length ? structure.elementOf(live[left]) : undefined;
      const theirs = order[right];
      let isPassed = false;
      if (mine !== undefined && !wanted.has(mine)) {
        merged.push(cloneJson(live[left]));
        isPassed = true;
      } else if (
        mine !== undefined &&
        theirs !== undefined &&
        mine !== theirs &&
        next < shared.length &&
        shared[next] !== mine
      ) {
        isPassed = true;
      } else {
        isPassed = mine !== undefined && (mine === theirs || taken.has(mine));
        if (theirs !== undefined) {
          taken.add(theirs);
          const current = there.get(theirs);
          merged.push(
            yield* this.merge(current instanceof Duplicates ? undefined : current, wanted.get(theirs), structure.items),
          );
          right += 1;
          if (shared[next] === theirs) next += 1;
        }
      }
      if (isPassed) {
        left += 1;
        mine = undefined;
      }
      if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    }
    return merged;
  }
}
