/** The object side of apply: laying a configuration over a live object, and taking out what it no longer has. */
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { cloneJson, isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import type { FieldSet } from './field-set.js';
import { childSchema, Duplicates, indexDistinctItems, indexItems, structureOf } from './structure.js';

/** A new value: the configuration's parts win, the live object's others stay. */
export function mergeApplied(live: unknown, config: unknown, schema: Schema, resolver: SchemaResolver): unknown {
  const structure = structureOf(schema, resolver);
  if (structure.kind === 'object' && isObject(live) && isObject(config)) {
    const merged = cloneJson(live);
    for (const name of Object.keys(config)) {
      const current = Object.hasOwn(live, name) ? live[name] : undefined;
      setOwn(merged, name, mergeApplied(current, config[name], childSchema(structure, name, resolver), resolver));
    }
    return merged;
  }
  if (structure.kind === 'list' && Array.isArray(live) && Array.isArray(config)) {
    return mergeLists(live, config, structure, resolver);
  }
  return cloneJson(config);
}

/** The configuration's order holds; items only the live list has stay before the one they stood before. */
function mergeLists(live: readonly unknown[], config: readonly unknown[],
  structure: { readonly items: Schema; readonly elementOf: (item: unknown) => string }, resolver: SchemaResolver): unknown[] {
  const wanted = indexDistinctItems(config, structure.elementOf);
  const there = indexItems(live, structure.elementOf);
  const elements = [...there.keys()];
  const position = new Map(elements.map((element, index) => [element, index]));
  const merged: unknown[] = [];
  let next = 0;
  const keepUpTo = (end: number): void => {
    for (; next < end; next += 1) {
      const element = elements[next] ?? '';
      const item = there.get(element);
      if (!wanted.has(element)) merged.push(...(item instanceof Duplicates ? item.items : [item]).map(cloneJson));
    }
  };
  for (const [element, item] of wanted) {
    keepUpTo(position.get(element) ?? 0);
    const current = there.get(element);
    merged.push(isObject(current) && !(current instanceof Duplicates) ? mergeApplied(current, item, structure.items, resolver) : cloneJson(item));
  }
  keepUpTo(elements.length);
  return merged;
}

/**
 * Takes the paths of `gone` out of the draft, in place, except where `others` own something at or below them. What thereby
 * becomes empty goes too, unless `kept` names it.
 */
export function removePaths(draft: JsonObject, gone: FieldSet, owners: { readonly others: FieldSet; readonly kept: FieldSet },
  schema: Schema, resolver: SchemaResolver): void {
  new Remover(resolver).fromObject(draft, gone, owners, schema);
}

interface Owners {
  readonly others: FieldSet | undefined;
  readonly kept: FieldSet | undefined;
}

const below = (owners: Owners, element: string): Owners => ({
  others: owners.others?.children.get(element), kept: owners.kept?.children.get(element),
});

class Remover {
  readonly #resolver: SchemaResolver;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  fromObject(object: JsonObject, gone: FieldSet, owners: Owners, schema: Schema): void {
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind !== 'object') return;
    for (const [element, child] of gone.children) {
      const name = element.slice(2);
      if (!Object.hasOwn(object, name)) continue;
      const rest = this.#remove(object[name], child, below(owners, element), childSchema(structure, name, this.#resolver));
      if (rest === undefined) delete object[name];
      else setOwn(object, name, rest);
    }
  }

  /** What stays of the value; undefined for nothing. */
  #remove(value: unknown, gone: FieldSet, owners: Owners, schema: Schema): unknown {
    const unowned = owners.others === undefined && owners.kept === undefined;
    if (gone.member && unowned) return undefined;
    if (gone.children.size === 0) return value;
    const structure = structureOf(schema, this.#resolver);
    if (structure.kind === 'list' && Array.isArray(value)) {
      const rest = value.map((item: unknown) => {
        const element = structure.elementOf(item);
        const child = gone.children.get(element);
        return child === undefined ? item : this.#remove(item, child, below(owners, element), structure.items);
      }).filter((item) => item !== undefined);
      return rest.length === 0 && unowned ? undefined : rest;
    }
    if (!isObject(value)) return value;
    this.fromObject(value, gone, owners, schema);
    return Object.keys(value).length === 0 && unowned ? undefined : value;
  }
}
