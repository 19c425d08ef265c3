/** Lists of custom resources that are sets or maps by their schema: no item twice (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype). */
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../codec/json-value.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { SchemaWalk } from './schema-walk.js';

const ITEM_UNITS = 5;

const walk = new SchemaWalk((schema) => schema.listType === 'set' || schema.listType === 'map');

export function listErrors(schema: Schema, value: unknown, resolver: SchemaResolver): Work<FieldError[]> {
  return walk.errors(schema, value, resolver, function* (known, inner, path) {
    if (!Array.isArray(inner)) return [];
    yield ITEM_UNITS * inner.length;
    return repeated(known, inner, path.toString());
  });
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
