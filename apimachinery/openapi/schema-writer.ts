/** Schemas in OpenAPI's words, version 3 or 2. */
import type { Schema } from '../schema.js';
import type { JsonObject } from '../value.js';

export type Dialect = 'v2' | 'v3';

const PREFIX: Readonly<Record<Dialect, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' };

/** Words that are the same in both, by our name for them. */
const WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    type: 'type',
    required: 'required',
    default: 'default',
    enum: 'enum',
    minimum: 'minimum',
    maximum: 'maximum',
    exclusiveMinimum: 'exclusiveMinimum',
    exclusiveMaximum: 'exclusiveMaximum',
    multipleOf: 'multipleOf',
    minLength: 'minLength',
    maxLength: 'maxLength',
    pattern: 'pattern',
    minItems: 'minItems',
    maxItems: 'maxItems',
    uniqueItems: 'uniqueItems',
    minProperties: 'minProperties',
    maxProperties: 'maxProperties',
    description: 'description',
    listType: 'x-kubernetes-list-type',
    listMapKeys: 'x-kubernetes-list-map-keys',
    mapType: 'x-kubernetes-map-type',
    patchStrategy: 'x-kubernetes-patch-strategy',
    patchMergeKey: 'x-kubernetes-patch-merge-key',
    validations: 'x-kubernetes-validations',
  }),
);
/** Our own formats, and what OpenAPI calls them. */
const FORMATS: Readonly<Record<string, string | undefined>> = { quantity: undefined, 'micro-time': 'date-time' };

/** What a schema says in words that are the same in both versions. */
export function wordsOf(schema: Schema): JsonObject {
  const out: JsonObject = {};
  for (const ours of Object.keys(schema)) {
    const word = WORDS.get(ours);
    const value = word === undefined ? undefined : schema[ours as keyof Schema];
    if (word !== undefined && value !== undefined) out[word] = value;
  }
  return out;
}

/** Renders schemas; remembers each definition they refer to. */
export class SchemaWriter {
  readonly reached = new Set<string>();
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  get dialect(): Dialect {
    return this.#dialect;
  }

  ref(name: string): JsonObject {
    this.reached.add(name);
    return { $ref: `${PREFIX[this.#dialect]}${name}` };
  }

  write(schema: Schema): JsonObject {
    const out = wordsOf(schema);
    if (schema.ref !== undefined) return this.#reference(schema.ref, out);
    this.#format(schema, out);
    if (schema.preserveUnknown === true && schema.type !== undefined && schema.properties !== undefined)
      out['x-kubernetes-preserve-unknown-fields'] = true;
    if (schema.embeddedResource === true) out['x-kubernetes-embedded-resource'] = true;
    if (schema.properties !== undefined) {
      out['properties'] = Object.fromEntries(
        Object.entries(schema.properties).map(([name, property]) => [name, this.write(property)]),
      );
    }
    if (schema.items !== undefined) out['items'] = this.write(schema.items);
    if (schema.additionalProperties !== undefined)
      out['additionalProperties'] = this.write(schema.additionalProperties);
    if (this.#dialect === 'v3') this.#combined(schema, out);
    return out;
  }

  /** Version 3 forbids words beside a `$ref`: there they stand beside an `allOf` of one. */
  #reference(name: string, beside: JsonObject): JsonObject {
    const ref = this.ref(name);
    if (Object.keys(beside).length === 0) return ref;
    return this.#dialect === 'v3' ? { ...beside, allOf: [ref] } : { ...beside, ...ref };
  }

  #format(schema: Schema, out: JsonObject): void {
    if (schema.intOrString === true || schema.format === 'int-or-string') {
      out['format'] = 'int-or-string';
      if (this.#dialect === 'v3') out['oneOf'] = [{ type: 'integer' }, { type: 'string' }];
      else out['type'] = 'string';
      return;
    }
    if (schema.format === undefined) return;
    if (schema.format === 'quantity' && this.#dialect === 'v3') {
      delete out['type'];
      out['oneOf'] = [{ type: 'string' }, { type: 'number' }];
    }
    const format = Object.hasOwn(FORMATS, schema.format) ? FORMATS[schema.format] : schema.format;
    if (format !== undefined) out['format'] = format;
  }

  #combined(schema: Schema, out: JsonObject): void {
    if (schema.nullable === true) out['nullable'] = true;
    for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
      const branches = schema[word];
      if (branches !== undefined) out[word] = branches.map((branch) => this.write(branch));
    }
    if (schema.not !== undefined) out['not'] = this.write(schema.not);
  }
}
