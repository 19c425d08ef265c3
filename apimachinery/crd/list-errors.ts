/**
 * Lists of custom resources that are sets or maps by their schema: no item twice
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype).
 */
import { SliceMeter } from '../../platform/slices.js';
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../json-value.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { SchemaWalk } from './schema-walk.js';

const ITEM_UNITS = 10;
const YIELD_UNITS = 2000;

const walk = new SchemaWalk((schema) => schema.listType === 'set' || schema.listType === 'map');

export function listErrors(schema: Schema, value: unknown, resolver: SchemaResolver): Work<FieldError[]> {
  return walk.errors(schema, value, resolver, function* (known, inner, path) {
    return Array.isArray(inner) ? yield* repeated(known, inner, path.toString()) : [];
  });
}

function* repeated(schema: Schema, list: readonly unknown[], path: string): Work<FieldError[]> {
  if (schema.listType === 'set') return yield* twice(list, (item) => item, path);
  if (schema.listType !== 'map') return [];
  const wrong = list.findIndex((item) => item !== null && !isObject(item));
  if (wrong !== -1)
    return [fieldErrors.invalid(`${path}[${wrong}]`, list[wrong], 'must be an object for an array of list-type map')];
  return yield* twice(list, (item) => keysOf(item, schema.listMapKeys ?? []), path);
}

function keysOf(item: unknown, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => (isObject(item) && Object.hasOwn(item, name) ? [[name, item[name]]] : [])),
  );
}

/** Items with the same identity; only the second of several is told. */
function* twice(list: readonly unknown[], identityOf: (item: unknown) => unknown, path: string): Work<FieldError[]> {
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  const meter = new SliceMeter(YIELD_UNITS);
  for (let index = 0; index < list.length; index++) {
    const identity = identityOf(list[index]);
    const id = encodeJson(identity);
    const times = (seen.get(id) ?? 0) + 1;
    seen.set(id, times);
    if (times === 2 && errors.length < FIELD_ERRORS_MAX)
      errors.push(fieldErrors.duplicate(`${path}[${index}]`, identity));
    if (meter.spend(ITEM_UNITS)) yield YIELD_UNITS;
  }
  return errors;
}
