/**
 * JSON as values of CEL, typed by its schema and made only where a rule looks (k8s.io/apiserver/pkg/cel/common,
 * valuesunstructured.go). Lists that are sets or maps by their schema compare without order, and add by identity.
 */
import { equals, inOrder } from '../cel/values/compare.js';
import { durationOf, timestampOf } from '../cel/values/text.js';
import { ArrayList, CelError, CelList, CelMap, Opaque } from '../cel/values/values.js';
import type { Value } from '../cel/values/values.js';
import { DYN } from '../cel/values/types.js';
import { encodeJson } from '../json-value.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { getOwn, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { withRootFields } from './decl-type.js';
import { escapeName } from './escape.js';

export function celValueOf(declared: Schema, json: unknown, resolver: SchemaResolver): Value {
  const schema = resolver.resolve(declared);
  if (json === null || json === undefined)
    return schema.nullable === true ? null : new CelError('invalid data, got null for schema with nullable=false');
  if (schema.intOrString === true) return typeof json === 'string' ? json : integerOf(json);
  switch (schema.type) {
    case 'object':
      return isObject(json)
        ? objectOf(schema, json, resolver)
        : new CelError('invalid data, expected a map for the provided schema with type=object');
    case 'array':
      return Array.isArray(json)
        ? listOf(schema, json, resolver)
        : new CelError('invalid data, expected an array for the provided schema with type=array');
    case 'string':
      return typeof json === 'string' ? stringOf(schema, json) : new CelError('invalid data, expected string');
    case 'number':
      return typeof json === 'number' || typeof json === 'bigint'
        ? Number(json)
        : new CelError('invalid data, expected float');
    case 'integer':
      return integerOf(json);
    case 'boolean':
      return typeof json === 'boolean' ? json : new CelError('invalid data, expected bool');
    default:
      return new Preserved(json);
  }
}

const integerOf = (json: unknown): Value => {
  if (typeof json === 'bigint') return json;
  return typeof json === 'number' && Number.isInteger(json) ? BigInt(json) : new CelError('invalid data, expected int');
};

function stringOf(schema: Schema, text: string): Value {
  switch (schema.format) {
    case 'duration':
      return durationOf(text);
    case 'date':
      return timestampOf(`${text}T00:00:00Z`);
    case 'date-time':
      return timestampOf(text);
    case 'byte':
      return Buffer.from(text, 'base64');
    default:
      return text;
  }
}

/** Data without a schema: nothing but equality is known of it. */
class Preserved extends Opaque {
  readonly type = DYN;
  readonly #json: unknown;

  constructor(json: unknown) {
    super();
    this.#json = json;
  }

  equals(other: Opaque): boolean {
    return other instanceof Preserved && jsonEqual(this.#json, other.#json);
  }
}

function objectOf(schema: Schema, json: JsonObject, resolver: SchemaResolver): CelMap {
  if (schema.embeddedResource === true) return new FieldsObject(withRootFields(schema), json, resolver);
  if (schema.properties !== undefined || schema.additionalProperties === undefined)
    return new FieldsObject(schema, json, resolver);
  return new KeysObject(schema.additionalProperties, json, resolver);
}

const escapedNames = new WeakMap<Schema, ReadonlyMap<string, string>>();

/** Names of properties by their escaped form. */
function namesOf(schema: Schema): ReadonlyMap<string, string> {
  let names = escapedNames.get(schema);
  if (names === undefined) {
    names = new Map(Object.keys(schema.properties ?? {}).map((name) => [escapeName(name) ?? '', name]));
    escapedNames.set(schema, names);
  }
  return names;
}

class FieldsObject extends CelMap {
  /** Escaped; asked for at each comparison. */
  #keys: readonly string[] | undefined;
  readonly #schema: Schema;
  readonly #json: JsonObject;
  readonly #resolver: SchemaResolver;

  constructor(schema: Schema, json: JsonObject, resolver: SchemaResolver) {
    super();
    this.#schema = schema;
    this.#json = json;
    this.#resolver = resolver;
  }

  get size(): number {
    return this.keys().length;
  }

  find(key: Value): Value | undefined {
    const name = typeof key === 'string' ? namesOf(this.#schema).get(key) : undefined;
    const property = name === undefined ? undefined : this.#schema.properties?.[name];
    if (name === undefined || property === undefined || !Object.hasOwn(this.#json, name)) return undefined;
    const value = getOwn(this.#json, name);
    // A null that may not be one is dropped by defaulting: for rules it is not there.
    if (value === null && this.#resolver.resolve(property).nullable !== true) return undefined;
    return celValueOf(property, value, this.#resolver);
  }

  keys(): readonly string[] {
    return (this.#keys ??= [...namesOf(this.#schema)]
      .filter(([, name]) => Object.hasOwn(this.#json, name))
      .map(([escaped]) => escaped));
  }
}

class KeysObject extends CelMap {
  readonly #values: Schema;
  readonly #json: JsonObject;
  readonly #resolver: SchemaResolver;

  constructor(values: Schema, json: JsonObject, resolver: SchemaResolver) {
    super();
    this.#values = values;
    this.#json = json;
    this.#resolver = resolver;
  }

  get size(): number {
    return Object.keys(this.#json).length;
  }

  find(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.#json, key)) return undefined;
    return celValueOf(this.#values, getOwn(this.#json, key), this.#resolver);
  }

  keys(): Iterable<Value> {
    return Object.keys(this.#json);
  }
}

function listOf(schema: Schema, json: readonly unknown[], resolver: SchemaResolver): Value {
  if (schema.items === undefined) return new CelError('invalid array type, expected Items with a non-empty Schema');
  const items = schema.items;
  if (schema.listType === 'set')
    return new IdentityList(json, { items, resolver, identity: (item) => encodeJson(item) });
  if (schema.listType !== 'map') return new JsonList(json, { items, resolver });
  const keys = schema.listMapKeys ?? [];
  return new IdentityList(json, {
    items,
    resolver,
    identity: (item) => encodeJson(keys.map((key) => (isObject(item) ? (getOwn(item, key) ?? null) : null))),
  });
}

interface Items {
  readonly items: Schema;
  readonly resolver: SchemaResolver;
}

class JsonList extends CelList {
  readonly json: readonly unknown[];
  readonly #items: Items;

  constructor(json: readonly unknown[], items: Items) {
    super();
    this.json = json;
    this.#items = items;
  }

  get size(): number {
    return this.json.length;
  }

  at(index: number): Value {
    return celValueOf(this.#items.items, this.json[index], this.#items.resolver);
  }
}

/** A set or a map: an item is told from others by its value or its keys. */
class IdentityList extends JsonList {
  readonly #identity: (item: unknown) => string;

  constructor(json: readonly unknown[], items: Items & { readonly identity: (item: unknown) => string }) {
    super(json, items);
    this.#identity = items.identity;
  }

  override equalTo(other: CelList): boolean | undefined {
    if (!(other instanceof JsonList)) return undefined;
    if (this.size !== other.size) return false;
    if (inOrder(this, other)) return true;
    const places = new Map(other.json.map((item, index) => [this.#identity(item), index]));
    return this.json.every((item, index) => {
      const place = places.get(this.#identity(item));
      return place !== undefined && equals(this.at(index), other.at(place));
    });
  }

  /** Items of `other` take the place of ours with the same identity; new ones follow. */
  override plus(other: CelList): CelList | undefined {
    if (!(other instanceof JsonList)) return undefined;
    const merged = new Map(this.json.map((item, index) => [this.#identity(item), this.at(index)]));
    for (const [index, item] of other.json.entries()) merged.set(this.#identity(item), other.at(index));
    return new ArrayList([...merged.values()]);
  }
}
