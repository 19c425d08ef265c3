/**
 * What Go's encoder makes of fields that are empty: the one rule of emptiness for every field of every built-in kind.
 * Some are left out (`omitempty`: false, zero, empty text, lists and maps), others always stand in the object: structs,
 * and what has no `omitempty`, as its zero or as null. The facts are in apimachinery/data/encoding.json.
 *
 * Pointers, which have no fact, keep an explicit zero, and an empty object; so does a list whose emptiness is told from
 * its absence, and refused (`policies` of an autoscaler's rules).
 */
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import type { SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';

/** Whether the decoder drops the value, so that defaults apply as if the field were absent. */
export function isOmitted(value: unknown, property: Schema, resolver: SchemaResolver): boolean {
  switch (property.encoding) {
    case 'omit':
      return value === '' || value === 0 || value === false || isEmpty(value);
    // Empty lists and maps are nil to the storage format; an empty struct behind a pointer is not.
    case 'null':
      return Array.isArray(value)
        ? value.length === 0
        : isEmpty(value) && resolver.resolve(property).additionalProperties !== undefined;
    default:
      return false;
  }
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value) ? value.length : Object.keys(value).length) === 0;

/**
 * Makes an object what its encoded form would be, in place: what is omitted goes, what always stands there is filled
 * in.
 */
export function normalise(object: JsonObject, declared: Schema, resolver: SchemaResolver): void {
  const schema = resolver.resolve(declared);
  const { properties } = schema;
  if (properties === undefined) return;
  for (const name of Object.keys(object)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) continue;
    const value = object[name];
    if (value === null || value === undefined || isOmitted(value, property, resolver)) delete object[name];
    else normaliseValue(value, property, resolver);
  }
  for (const [name, property] of alwaysThere(schema)) {
    if (Object.hasOwn(object, name)) continue;
    const value = zeroOf(property, resolver);
    object[name] = value;
    if (isObject(value)) normalise(value, property, resolver);
  }
}

/**
 * Puts in, in place, the structs that Go's types always hold: defaults and validation find them although the client
 * left them out.
 */
export function fillStructs(object: JsonObject, declared: Schema, resolver: SchemaResolver): void {
  const schema = resolver.resolve(declared);
  for (const [name, { encoding }] of alwaysThere(schema)) {
    if (encoding === 'struct' && (object[name] === undefined || object[name] === null)) object[name] = {};
  }
  for (const [name, value] of Object.entries(object)) {
    const property =
      schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (property !== undefined && typeof value === 'object' && value !== null)
      fillStructsOf(value, resolver.resolve(property), resolver);
  }
}

function fillStructsOf(value: object, schema: Schema, resolver: SchemaResolver): void {
  const inner = Array.isArray(value) ? schema.items : schema.additionalProperties;
  if (inner !== undefined)
    for (const item of Object.values(value) as unknown[]) if (isObject(item)) fillStructs(item, inner, resolver);
  if (schema.properties !== undefined && isObject(value)) fillStructs(value, schema, resolver);
}

function normaliseValue(value: unknown, declared: Schema, resolver: SchemaResolver): void {
  if (typeof value !== 'object' || value === null) return;
  const schema = resolver.resolve(declared);
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) normaliseValue(item, schema.items, resolver);
  } else if (schema.additionalProperties !== undefined) {
    for (const item of Object.values(value)) normaliseValue(item, schema.additionalProperties, resolver);
  } else {
    normalise(value as JsonObject, schema, resolver);
  }
}

const always = new WeakMap<Schema, readonly (readonly [string, Schema])[]>();

function alwaysThere(schema: Schema): readonly (readonly [string, Schema])[] {
  let found = always.get(schema);
  if (found === undefined) {
    found = Object.entries(schema.properties ?? {}).filter(
      ([, { encoding }]) => encoding !== undefined && encoding !== 'omit',
    );
    always.set(schema, found);
  }
  return found;
}

/** What stands in an object for a field that is never absent. */
export function zeroOf(property: Schema, resolver: SchemaResolver): unknown {
  if (property.encoding === 'null') return null;
  if (property.encoding === 'struct') return {};
  const { type, format, intOrString } = resolver.resolve(property);
  if (format === 'quantity') return '0';
  if (intOrString === true) return 0;
  switch (type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    default:
      return 0;
  }
}
