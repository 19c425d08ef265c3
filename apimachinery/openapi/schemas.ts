/** Schemas in OpenAPI's words, version 3 or 2, and the closure of definitions that a document needs. */
import type { GroupVersionKind, ResourceId } from '../object.js';
import type { Kind, Scheme } from '../kind.js';
import type { Schema } from '../schema/schema.js';
import type { JsonObject } from '../value.js';
import { API_VERSION, KIND } from '../crd/schema.js';
import { writeCustomRoot } from './custom.js';
import { published } from './published.js';

export type Dialect = 'v2' | 'v3';

const PREFIX: Readonly<Record<Dialect, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' };
export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Words that are the same in both, by our name for them. */
const WORDS: ReadonlyMap<string, string> = new Map(Object.entries({
  type: 'type', required: 'required', default: 'default', enum: 'enum', minimum: 'minimum', maximum: 'maximum', exclusiveMinimum: 'exclusiveMinimum',
  exclusiveMaximum: 'exclusiveMaximum', multipleOf: 'multipleOf', minLength: 'minLength', maxLength: 'maxLength', pattern: 'pattern', minItems: 'minItems',
  maxItems: 'maxItems', uniqueItems: 'uniqueItems', minProperties: 'minProperties', maxProperties: 'maxProperties', description: 'description',
  listType: 'x-kubernetes-list-type', listMapKeys: 'x-kubernetes-list-map-keys', mapType: 'x-kubernetes-map-type',
  patchStrategy: 'x-kubernetes-patch-strategy', patchMergeKey: 'x-kubernetes-patch-merge-key', validations: 'x-kubernetes-validations',
}));
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
    if (schema.preserveUnknown === true && schema.type !== undefined && schema.properties !== undefined) out['x-kubernetes-preserve-unknown-fields'] = true;
    if (schema.embeddedResource === true) out['x-kubernetes-embedded-resource'] = true;
    if (schema.properties !== undefined) {
      out['properties'] = Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, this.write(property)]));
    }
    if (schema.items !== undefined) out['items'] = this.write(schema.items);
    if (schema.additionalProperties !== undefined) out['additionalProperties'] = this.write(schema.additionalProperties);
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

const GVK = 'x-kubernetes-group-version-kind';

/** `com.example.v1.Widget`: what a kind without a named definition is called. */
export function definitionNameOf(kind: Kind): string {
  return kind.schema.ref ?? [...kind.group.split('.').reverse(), kind.version, kind.kind].join('.');
}

/** Every definition that the kinds need, by name: their own, their lists, and all that these and the writer's operations refer to. */
export function* definitionsOf(scheme: Scheme, kinds: readonly Kind[], writer: SchemaWriter): Generator<readonly [string, JsonObject]> {
  const written = new Set<string>();
  const gvks = new Map(scheme.kinds().map((kind) => [definitionNameOf(kind), gvkOf(kind)]));
  for (const kind of kinds) {
    const name = definitionNameOf(kind);
    if (kind.schema.ref === undefined) {
      written.add(name);
      yield [name, { ...(kind.isCustom === true ? writeCustomRoot(kind, writer) : writer.write(kind.schema)), [GVK]: [gvkOf(kind)] }];
    } else {
      writer.reached.add(name);
    }
    if (!kind.verbs.includes('list')) continue;
    written.add(`${name}List`);
    yield [`${name}List`, listOf(kind, name, writer)];
  }
  const [first] = kinds;
  const optionsKind = first === undefined ? [] : [{ group: first.group, kind: 'DeleteOptions', version: first.version }];
  // A Set may grow while it is walked: what a definition reaches is met later in the same walk.
  for (const name of writer.reached) {
    if (written.has(name)) continue;
    const kinds = name === `${META}.DeleteOptions` ? optionsKind : gvks.has(name) ? [gvks.get(name)] : knownKind(name);
    yield [name, { ...writer.write(published(name, scheme.definition(name))), ...(kinds.length === 0 ? {} : { [GVK]: kinds }) }];
  }
}

function listOf(kind: Kind, name: string, writer: SchemaWriter): JsonObject {
  return {
    description: `${kind.listKind} is a list of ${kind.kind}`, type: 'object', required: ['items'],
    properties: {
      apiVersion: writer.write(API_VERSION), kind: writer.write(KIND),
      items: { description: `List of ${kind.resource}.`, type: 'array', items: writer.ref(name) },
      metadata: writer.write({ ref: `${META}.ListMeta`, description: 'Metadata of the list: its version, and where it goes on.' }),
    },
    [GVK]: [{ group: kind.group, kind: kind.listKind, version: kind.version }],
  };
}

/** Bodies of subresources are kinds that no resource has. */
const SUBRESOURCE_KINDS: Readonly<Record<string, GroupVersionKind>> = {
  'io.k8s.api.autoscaling.v1.Scale': { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  'io.k8s.api.policy.v1.Eviction': { group: 'policy', version: 'v1', kind: 'Eviction' },
  'io.k8s.api.authentication.v1.TokenRequest': { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  [`${META}.Status`]: { group: '', version: 'v1', kind: 'Status' },
};

const knownKind = (name: string): GroupVersionKind[] => {
  const kind = Object.hasOwn(SUBRESOURCE_KINDS, name) ? SUBRESOURCE_KINDS[name] : undefined;
  return kind === undefined ? [] : [kind];
};

/** The definition of a subresource's body; undefined where it has none (the options of a connection). */
export function bodyDefinition(scheme: Scheme, gvk: GroupVersionKind): string | undefined {
  const kind = scheme.byKind(gvk);
  if (kind !== undefined) return definitionNameOf(kind);
  return Object.entries(SUBRESOURCE_KINDS).find(([, other]) => other.group === gvk.group && other.version === gvk.version && other.kind === gvk.kind)?.[0];
}

export function gvkOf(kind: GroupVersionKind): JsonObject {
  return { group: kind.group, kind: kind.kind, version: kind.version };
}

/** `/apis/apps/v1`, `/api/v1`. */
export function pathPrefix(id: Pick<ResourceId, 'group' | 'version'>): string {
  return id.group === '' ? `/api/${id.version}` : `/apis/${id.group}/${id.version}`;
}
