/**
 * What clients read about built-in definitions and the server does not act on: descriptions in our own words, and the
 * values that a field knows (`enum`; the strategies validate). In: a definition's name and schema. Out: the schema with
 * them.
 */
import { API_VERSION, KIND, OBJECT_METADATA } from '../crd/schema.js';
import { descriptionFacts, enumFacts } from '../scheme/data.js';
import type { Schema } from '../schema.js';

/** Definitions of Kubernetes' own API go without it in the table of descriptions. */
const API_PREFIX = 'io.k8s.api.';
/** The definition's own description, beside those of its fields. */
const ITSELF = '';

/** What these fields mean in every kind. */
const STANDARD: Readonly<Record<string, string | undefined>> = {
  apiVersion: API_VERSION.description,
  kind: KIND.description,
  metadata: OBJECT_METADATA.description,
  spec: 'What the object shall be.',
  status: 'What the object is, as last seen. Written by the server and its controllers.',
};

export function published(name: string, schema: Schema): Schema {
  if (schema.properties === undefined) return schema;
  const enums = own(enumFacts(), name) ?? {};
  const words = own(descriptionFacts(), name.startsWith(API_PREFIX) ? name.slice(API_PREFIX.length) : name) ?? {};
  const standard = isKind(schema.properties) ? STANDARD : {};
  const properties = Object.entries(schema.properties).map(([field, property]): [string, Schema] => [
    field,
    described(withValues(property, own(enums, field)), own(words, field) ?? own(standard, field)),
  ]);
  return described({ ...schema, properties: Object.fromEntries(properties) }, own(words, ITSELF));
}

const isKind = (properties: Readonly<Record<string, Schema>>): boolean =>
  ['apiVersion', 'kind', 'metadata'].every((field) => Object.hasOwn(properties, field));

const described = (schema: Schema, description: string | undefined): Schema =>
  description === undefined ? schema : { ...schema, description };

/** A list's values stand at its items, a map's at its values. */
function withValues(schema: Schema, values: readonly string[] | undefined): Schema {
  if (values === undefined) return schema;
  if (schema.items !== undefined) return { ...schema, items: { ...schema.items, enum: values } };
  if (schema.additionalProperties !== undefined)
    return { ...schema, additionalProperties: { ...schema.additionalProperties, enum: values } };
  return { ...schema, enum: values };
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;
