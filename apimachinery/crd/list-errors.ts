/** Lists of custom resources that are sets or maps by their schema: no item twice (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype). */
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../codec/json-value.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';

const ITEM_UNITS = 5;

export function* listErrors(schema: Schema, value: unknown, resolver: SchemaResolver): Work<FieldError[]> {
  const errors: FieldError[] = [];
  const path = new FieldPath();
  function* visit(declared: Schema, inner: unknown): Work<void> {
    const known = resolver.resolve(declared);
    if (errors.length >= FIELD_ERRORS_MAX || !hasIdentities(known)) return;
    if (Array.isArray(inner)) {
      yield ITEM_UNITS * inner.length;
      errors.push(...repeated(known, inner, path.toString()));
      for (const [index, item] of known.items === undefined ? [] : inner.entries()) yield* below(index, known.items ?? {}, item);
    } else if (isObject(inner)) {
      for (const name of Object.keys(inner)) {
        const property = resolver.property(known, name);
        const isField = known.properties !== undefined && Object.hasOwn(known.properties, name);
        if (property !== undefined) yield* below(isField ? name : { key: name }, property, inner[name]);
      }
    }
  }
  function* below(part: Parameters<FieldPath['push']>[0], declared: Schema, inner: unknown): Work<void> {
    path.push(part);
    yield* visit(declared, inner);
    path.pop();
  }
  yield* visit(schema, value);
  return errors.slice(0, FIELD_ERRORS_MAX);
}

function repeated(schema: Schema, list: readonly unknown[], path: string): FieldError[] {
  if (schema.listType === 'set') return twice(list.map((item) => ({ id: encodeJson(item), shown: item })), path);
  if (schema.listType !== 'map') return [];
  const wrong = list.findIndex((item) => item !== null && !isObject(item));
  if (wrong !== -1) return [fieldErrors.invalid(`${path}[${wrong}]`, list[wrong], 'must be an object for an array of list-type map')];
  return twice(list.map((item) => keysOf(item, schema.listMapKeys ?? [])), path);
}

interface Identity {
  readonly id: string;
  readonly shown: unknown;
}

function keysOf(item: unknown, names: readonly string[]): Identity {
  const shown = Object.fromEntries(names.flatMap((name) => (isObject(item) && Object.hasOwn(item, name) ? [[name, item[name]]] : [])));
  return { id: encodeJson(shown), shown };
}

/** Only the second of several is told. */
function twice(items: readonly Identity[], path: string): FieldError[] {
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  for (const [index, { id, shown }] of items.entries()) {
    const times = (seen.get(id) ?? 0) + 1;
    seen.set(id, times);
    if (times === 2 && errors.length < FIELD_ERRORS_MAX) errors.push(fieldErrors.duplicate(`${path}[${index}]`, shown));
  }
  return errors;
}

const known = new WeakMap<Schema, boolean>();

/** Most schemas have no such list below them: their values are not walked. */
function hasIdentities(schema: Schema, seen = new Set<Schema>()): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  if (seen.has(schema)) return false;
  seen.add(schema);
  const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const found = schema.listType === 'set' || schema.listType === 'map' || children.some((child) => child !== undefined && child.ref === undefined && hasIdentities(child, seen));
  known.set(schema, found);
  return found;
}
