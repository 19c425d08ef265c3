/** A CRD's openAPIV3Schema (JSONSchemaProps, by its fields in JSON) as the Schema that everything else reads. */
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import type { CelRule, Schema } from '../schema.js';

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

type Mutable = { -readonly [K in keyof Schema]: Schema[K] };

/** Words with the same meaning and shape in both. */
const SAME = [
  'type',
  'format',
  'required',
  'nullable',
  'default',
  'enum',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'description',
  'title',
  'example',
  'externalDocs',
] as const;
/** Extensions, and what we call them. */
const EXTENSIONS = {
  'x-kubernetes-preserve-unknown-fields': 'preserveUnknown',
  'x-kubernetes-embedded-resource': 'embeddedResource',
  'x-kubernetes-int-or-string': 'intOrString',
  'x-kubernetes-list-type': 'listType',
  'x-kubernetes-list-map-keys': 'listMapKeys',
  'x-kubernetes-map-type': 'mapType',
} as const satisfies Readonly<Record<string, keyof Schema>>;

export function schemaOfProps(props: JsonObject): Schema {
  const schema: Mutable = {};
  const set = (name: keyof Schema, value: unknown): void => void ((schema as Record<string, unknown>)[name] = value);
  for (const word of SAME)
    if (props[word] !== undefined && props[word] !== '')
      set(word, word === 'default' ? props[word] : limitOf(props[word]));
  // To kube-apiserver a default of null is none.
  if (props['default'] === null) delete schema.default;
  for (const [word, name] of Object.entries(EXTENSIONS)) if (props[word] !== undefined) set(name, props[word]);
  if (isObject(props['properties'])) {
    set(
      'properties',
      Object.fromEntries(
        Object.entries(props['properties']).flatMap(([name, property]) =>
          isObject(property) ? [[name, schemaOfProps(property)]] : [],
        ),
      ),
    );
  }
  if (isObject(props['items'])) schema.items = schemaOfProps(props['items']);
  const additional = props['additionalProperties'];
  if (isObject(additional)) schema.additionalProperties = schemaOfProps(additional);
  else if (additional === true)
    Object.assign(schema, { preserveUnknown: true, anyProperties: true, prunesBelow: schema.preserveUnknown !== true });
  else if (additional === false) Object.assign(schema, { closed: true, prunesBelow: schema.preserveUnknown !== true });
  for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
    const branches = props[word];
    if (Array.isArray(branches) && branches.length > 0) schema[word] = branches.filter(isObject).map(schemaOfProps);
  }
  if (isObject(props['not'])) schema.not = schemaOfProps(props['not']);
  const rules = props['x-kubernetes-validations'];
  if (Array.isArray(rules) && rules.length > 0)
    schema.validations = rules.filter(isObject) as unknown as readonly CelRule[];
  return schema;
}

/** A limit is a double in Kubernetes, or an integer far below 2^53. */
const limitOf = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

/** The root of a custom resource: apiVersion, kind and metadata are the server's, whatever the CRD says of them. */
export function rootSchemaOf(props: JsonObject): Schema {
  const schema = schemaOfProps(props);
  return {
    ...schema,
    type: 'object',
    properties: {
      ...schema.properties,
      ...Object.fromEntries(
        Object.entries(ROOT_FIELDS).map(([name, field]) => [
          name,
          { ...field, given: schema.properties?.[name] ?? {} },
        ]),
      ),
    },
  };
}

/** Of custom resources, of embedded ones, and of their lists. */
export const API_VERSION: Schema = {
  type: 'string',
  description: 'APIVersion defines the schema that this object is written in, by group and version.',
};
export const KIND: Schema = {
  type: 'string',
  description: 'Name, in CamelCase, of the type that this object represents. It cannot be changed.',
};
export const OBJECT_METADATA: Schema = {
  ref: OBJECT_META,
  description: "Standard object's metadata: names, labels, owners.",
};
const ROOT_FIELDS: Readonly<Record<string, Schema>> = {
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: OBJECT_METADATA,
};
/** The same schema with apiVersion, kind and metadata, in place of what it says of them. */
export const withTypeAndMetadata = (schema: Schema): Schema => ({
  ...schema,
  properties: { ...schema.properties, ...ROOT_FIELDS },
});

/** What decoding checks of any custom resource before its own schema is looked at. */
export const ENVELOPE: Schema = {
  type: 'object',
  preserveUnknown: true,
  properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { ref: OBJECT_META } },
};
