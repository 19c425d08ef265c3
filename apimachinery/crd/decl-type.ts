/**
 * A schema as rules see it: types of CEL, and how large values may get (k8s.io/apiserver/pkg/cel/common, schemas.go).
 * Sizes come from maxItems, maxProperties and maxLength, or from what fits into a request.
 */
import type { CelType } from '../cel/values/types.js';
import { BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, listOf, mapOf } from '../cel/values/types.js';
import type { SizeOf } from '../cel/cost/sized.js';
import type { Schema } from '../schema.js';
import { escapeName } from './escape.js';

export interface DeclType {
  readonly type: CelType;
  /** Most characters, items or entries. */
  readonly maxElements: number;
  /** Fewest bytes in JSON. */
  readonly minSize: number;
  readonly item?: DeclType;
  readonly fields?: ReadonlyMap<string, DeclType>;
}

/** Requests are not larger. */
export const REQUEST_MAX_BYTES = 3 * 1024 * 1024;
/** RFC 3339 in quotes: the longest time and duration, a date, the shortest of each. */
const TIME_MAX = 32;
const DATE_SIZE = 12;
const TIME_MIN = 21;
const DURATION_MIN = 3;
const UTF8_MAX = 4;

/** A limit of a schema; beyond 2^53 it is a bigint. */
const countOf = (limit: number): number => Math.max(0, Number(limit));
const scalar = (type: CelType, minSize: number, maxElements = 0): DeclType => ({ type, minSize, maxElements });
const META: Schema = { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } };
const ROOT_FIELDS: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: META,
};

/**
 * Roots and embedded resources have apiVersion, kind, metadata.name and metadata.generateName, whatever their schema
 * says.
 */
export const withRootFields = (schema: Schema): Schema => ({
  ...schema,
  type: 'object',
  properties: { ...schema.properties, ...ROOT_FIELDS },
});

/** Undefined for what rules cannot see: no type, or items without one. */
export function declTypeOf(schema: Schema, isRoot = false): DeclType | undefined {
  if (schema.intOrString === true) {
    return scalar(
      DYN,
      1,
      schema.maxLength === undefined ? REQUEST_MAX_BYTES - 2 : countOf(schema.maxLength) * UTF8_MAX,
    );
  }
  switch (schema.type) {
    case 'array':
      return listType(schema);
    case 'object':
      return objectType(isRoot || schema.embeddedResource === true ? withRootFields(schema) : schema);
    case 'string':
      return stringType(schema);
    case 'boolean':
      return scalar(BOOL, 4);
    case 'number':
      return scalar(DOUBLE, 1);
    case 'integer':
      return scalar(INT, 1);
    default:
      return undefined;
  }
}

function listType(schema: Schema): DeclType | undefined {
  const item = schema.items === undefined ? undefined : declTypeOf(schema.items);
  if (item === undefined) return undefined;
  // Two bytes are brackets, one is a comma.
  const maxElements =
    schema.maxItems === undefined ? Math.floor((REQUEST_MAX_BYTES - 2) / (item.minSize + 1)) : countOf(schema.maxItems);
  return { type: listOf(item.type), minSize: 2, maxElements, item };
}

function objectType(schema: Schema): DeclType | undefined {
  if (schema.additionalProperties !== undefined && schema.properties === undefined)
    return mapType(schema, schema.additionalProperties);
  const fields = new Map<string, DeclType>();
  let minSize = 2;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const field = declTypeOf(property);
    if (field === undefined) continue;
    const escaped = escapeName(name);
    if (escaped !== undefined) fields.set(escaped, field);
    // Quotes, colon and comma; a property with a default may be left out.
    if (schema.required?.includes(name) === true && property.default === undefined)
      minSize += name.length + field.minSize + 4;
  }
  const types = new Map([...fields].map(([name, field]) => [name, field.type]));
  return { type: { kind: 'object', name: `object${nextName++}`, fields: types }, minSize, maxElements: 0, fields };
}

/** Two schemas are two types, also when they have the same fields. */
let nextName = 0;

function mapType(schema: Schema, values: Schema): DeclType | undefined {
  const item = declTypeOf(values);
  if (item === undefined) return undefined;
  const maxElements =
    schema.maxProperties === undefined
      ? Math.floor((REQUEST_MAX_BYTES - 2) / (item.minSize + 6))
      : countOf(schema.maxProperties);
  return { type: mapOf(STRING, item.type), minSize: 2, maxElements, item };
}

function stringType(schema: Schema): DeclType {
  switch (schema.format) {
    case 'byte':
      return scalar(BYTES, 2, countOf(schema.maxLength ?? REQUEST_MAX_BYTES - 2));
    case 'duration':
      return scalar(DURATION, DURATION_MIN, TIME_MAX);
    case 'date':
      return scalar(TIMESTAMP, DATE_SIZE, DATE_SIZE);
    case 'date-time':
      return scalar(TIMESTAMP, TIME_MIN, TIME_MAX);
    default:
      return scalar(STRING, 2, maxLengthOf(schema));
  }
}

function maxLengthOf(schema: Schema): number {
  if (schema.maxLength !== undefined) return countOf(schema.maxLength) * UTF8_MAX;
  if (schema.enum === undefined || schema.enum.length === 0) return REQUEST_MAX_BYTES - 2;
  return Math.max(0, ...schema.enum.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0)));
}

/** Keys of maps have no limit of their own. */
const KEYS = scalar(STRING, 2, 0);

/** Sizes below the variable `self`, of which the first name of a path speaks. */
export function sizesBelow(root: DeclType): SizeOf {
  return (path) => {
    let node: DeclType | undefined = root;
    for (const name of path.slice(1)) {
      if (node === undefined) return undefined;
      if (name === '@items' || name === '@values') node = node.item;
      else if (name === '@keys') node = node.type.kind === 'map' ? KEYS : undefined;
      else node = node.fields?.get(name);
    }
    return node === undefined ? undefined : { min: 0, max: node.maxElements };
  };
}
