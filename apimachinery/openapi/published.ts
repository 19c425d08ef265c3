/**
 * What clients read about built-in definitions and the server does not act on: the values that a field knows (`enum`; the
 * strategies validate). In: a definition's name and schema. Out: the schema with them.
 */
import { enumFacts } from '../scheme/data.js';
import type { Schema } from '../schema/schema.js';

export function published(name: string, schema: Schema): Schema {
  const enums = own(enumFacts(), name) ?? {};
  if (schema.properties === undefined || Object.keys(enums).length === 0) return schema;
  const properties = Object.entries(schema.properties).map(([field, property]): [string, Schema] => [field, withValues(property, own(enums, field))]);
  return { ...schema, properties: Object.fromEntries(properties) };
}

/** A list's values stand at its items, a map's at its values. */
function withValues(schema: Schema, values: readonly string[] | undefined): Schema {
  if (values === undefined) return schema;
  if (schema.items !== undefined) return { ...schema, items: { ...schema.items, enum: values } };
  if (schema.additionalProperties !== undefined) return { ...schema, additionalProperties: { ...schema.additionalProperties, enum: values } };
  return { ...schema, enum: values };
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(table, name) ? table[name] : undefined);
