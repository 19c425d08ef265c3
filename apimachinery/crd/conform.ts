/**
 * What decoding does to a custom resource: it is no Go struct, only its metadata is, and that of the objects it holds.
 */
import type { Kind } from '../kind.js';
import { conform, decodingError } from '../schema/typed.js';
import { prune, pruneNulls } from '../schema/prune.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { fieldErrors } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { ENVELOPE } from './schema.js';

/**
 * Changes the object in place. Returns the paths of fields that were dropped, in kube-apiserver's order. Throws
 * BadRequest for metadata of a wrong type.
 */
export function conformCustom(kind: Kind, object: JsonObject, resolver: SchemaResolver): string[] {
  const ofMetadata = conform({ ...kind, schema: ENVELOPE }, object, { resolver });
  const pruned = prune(object, kind.schema, resolver);
  pruneNulls(object, kind.schema, resolver);
  const ofEmbedded = conformEmbedded(kind, object, resolver);
  return [ofMetadata, pruned, ofEmbedded].flatMap((paths) => [...paths].sort());
}

/** Of objects within the object: their type is text, their metadata like any other. */
function conformEmbedded(kind: Kind, object: JsonObject, resolver: SchemaResolver): string[] {
  const unknown: string[] = [];
  const path = new FieldPath();
  const visit = (value: unknown, declared: Schema): void => {
    const schema = resolver.resolve(declared);
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) within(index, item, schema.items);
      return;
    }
    if (!isObject(value)) return;
    if (schema.embeddedResource === true) unknown.push(...conformTyped(kind, value, { resolver, path }));
    for (const name of Object.keys(value)) {
      const isField = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      within(isField ? name : { key: name }, value[name], resolver.property(schema, name));
    }
  };
  const within = (part: Parameters<FieldPath['push']>[0], value: unknown, declared: Schema | undefined): void => {
    if (declared === undefined) return;
    path.push(part);
    visit(value, declared);
    path.pop();
  };
  if (holdsEmbedded(kind.schema)) visit(object, kind.schema);
  return unknown;
}

interface Place {
  readonly resolver: SchemaResolver;
  readonly path: FieldPath;
}

function conformTyped(kind: Kind, object: JsonObject, { resolver, path }: Place): string[] {
  for (const name of ['apiVersion', 'kind']) {
    if (Object.hasOwn(object, name) && typeof object[name] !== 'string')
      throw refused(kind, `${path.toString()}.${name}`, { value: object[name], why: 'must be a string' });
  }
  if (!Object.hasOwn(object, 'metadata')) return [];
  object['metadata'] ??= {};
  const { metadata } = object;
  const refuse = (why: string): Error => refused(kind, `${path.toString()}.metadata`, { value: metadata, why });
  if (!isObject(metadata))
    throw refuse(`json: cannot unmarshal ${goTypeName(metadata)} into Go value of type v1.ObjectMeta`);
  const before = path.dotted();
  return conform({ ...kind, kind: 'ObjectMeta', schema: OBJECT_META }, metadata, { resolver, refuse }).map(
    (name) => `${before}.metadata.${name}`,
  );
}

const OBJECT_META: Schema = ENVELOPE.properties?.['metadata'] ?? {};

function refused(kind: Kind, field: string, { value, why }: { readonly value: unknown; readonly why: string }): Error {
  return decodingError(kind, `${field}: ${fieldErrors.invalid(field, value, why).detail}`);
}

function goTypeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'number';
}

const holders = new WeakMap<Schema, boolean>();

/** Most schemas have no objects within: their values are not walked. */
function holdsEmbedded(schema: Schema): boolean {
  const known = holders.get(schema);
  if (known !== undefined) return known;
  const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const holds =
    schema.embeddedResource === true ||
    children.some((child) => child !== undefined && child.ref === undefined && holdsEmbedded(child));
  holders.set(schema, holds);
  return holds;
}

const typed = new WeakMap<Schema, Schema>();

/**
 * A custom resource's schema with the types that the objects within it have. The same object each time for the same
 * schema.
 */
export function withTypes(schema: Schema): Schema {
  const known = typed.get(schema);
  if (known !== undefined) return known;
  const { properties, items, additionalProperties } = schema;
  const below = {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, property]) => [name, withTypes(property)]),
          ),
        }),
    ...(items === undefined ? {} : { items: withTypes(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: withTypes(additionalProperties) }),
  };
  const result =
    schema.embeddedResource === true
      ? { ...below, properties: { ...below.properties, ...ENVELOPE.properties } }
      : below;
  typed.set(schema, result);
  return result;
}
