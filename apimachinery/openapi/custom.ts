/**
 * A custom resource's schema as kube-apiserver publishes it: version 3 says all of it; version 2 leaves out what it has
 * no word for, and what kubectl of that time stumbled over (apiextensions-apiserver, controller/openapi).
 */
import { withTypeAndMetadata } from '../crd/schema.js';
import type { Kind } from '../kind.js';
import type { Schema } from '../schema.js';
import { jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import type { Dialect, SchemaWriter } from './schema-writer.js';
import { wordsOf } from './schema-writer.js';

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

export function writeCustomRoot({ schema, fieldSelectors }: Kind, writer: SchemaWriter): JsonObject {
  const selectable = Object.keys(fieldSelectors ?? {}).map((fieldPath) => ({ fieldPath }));
  const beside = selectable.length === 0 ? {} : { 'x-kubernetes-selectable-fields': selectable };
  // With any property beside it, kubectl would refuse the unknown fields that may stand here.
  if (writer.dialect === 'v2' && schema.preserveUnknown === true) return { type: 'object', ...beside };
  return { ...new CustomWriter(writer).write(schema), ...beside };
}

class CustomWriter {
  readonly #writer: SchemaWriter;
  readonly #dialect: Dialect;

  constructor(writer: SchemaWriter) {
    this.#writer = writer;
    this.#dialect = writer.dialect;
  }

  write(declared: Schema): JsonObject {
    if (declared.ref !== undefined) return this.#writer.write(declared);
    const schema = this.#dialect === 'v2' ? forVersion2(declared) : withEmbedded(declared);
    const out = wordsOf(schema);
    if (schema.format !== undefined) out['format'] = schema.format;
    for (const word of ['title', 'example', 'externalDocs'] as const)
      if (schema[word] !== undefined) out[word] = schema[word];
    this.#extensions(schema, out);
    if (schema.properties !== undefined) {
      out['properties'] = Object.fromEntries(
        Object.entries(schema.properties).map(([name, property]) => [name, this.write(property)]),
      );
    }
    if (schema.items !== undefined) out['items'] = this.write(schema.items);
    if (schema.anyProperties === true) out['additionalProperties'] = true;
    else if (schema.additionalProperties !== undefined)
      out['additionalProperties'] = this.write(schema.additionalProperties);
    if (this.#dialect === 'v3') this.#version3(schema, out);
    return out;
  }

  #extensions(schema: Schema, out: JsonObject): void {
    if (schema.intOrString === true) out['x-kubernetes-int-or-string'] = true;
    if (schema.preserveUnknown === true && schema.anyProperties !== true)
      out['x-kubernetes-preserve-unknown-fields'] = true;
    if (schema.embeddedResource === true) out['x-kubernetes-embedded-resource'] = true;
  }

  #version3(schema: Schema, out: JsonObject): void {
    if (schema.nullable === true) out['nullable'] = true;
    for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
      const branches = schema[word];
      if (branches !== undefined) out[word] = branches.map((branch) => this.write(branch));
    }
    if (schema.not !== undefined) out['not'] = this.write(schema.not);
    const [first] = schema.allOf ?? [];
    const isSaid = first?.anyOf !== undefined && jsonEqual(first.anyOf, INT_OR_STRING);
    if (schema.intOrString === true && !isSaid) out['anyOf'] = INT_OR_STRING;
  }
}

function withEmbedded(schema: Schema): Schema {
  if (schema.embeddedResource !== true) return schema;
  return { ...withTypeAndMetadata(schema), required: [...new Set([...(schema.required ?? []), 'kind', 'apiVersion'])] };
}

type Mutable = { -readonly [K in keyof Schema]: Schema[K] };

/** Version 2 knows no null, no logic and no defaults for custom resources; what may be anything has no type. */
function forVersion2(schema: Schema): Schema {
  const keepsUnknown = schema.preserveUnknown === true && schema.anyProperties !== true;
  const out: Mutable = { ...(schema.embeddedResource === true && !keepsUnknown ? withEmbedded(schema) : schema) };
  delete out.default;
  if (out.nullable === true || keepsUnknown) {
    delete out.items;
    delete out.properties;
  }
  if (
    out.nullable === true ||
    (out.type === 'array' && out.items === undefined) ||
    (keepsUnknown && out.type === 'object')
  )
    delete out.type;
  const required = (out.required ?? []).filter((name) => out.properties?.[name]?.nullable !== true);
  if (required.length === 0 || out.additionalProperties?.nullable === true) delete out.required;
  else out.required = required;
  return out;
}
