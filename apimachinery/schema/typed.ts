/**
 * What decoding into Go's types does to a body, done to a parsed one: values of wrong types are refused in the words
 * kubectl's users know, unknown fields are dropped and reported, nulls mean absent, as does what the encoder would
 * omit, and quantities, times and bytes become canonical text.
 *
 * In: a fresh object of a built-in kind, changed in place. Out: the paths that were dropped. One walk for each write.
 */
import { apiErrors } from '../status.js';
import type { GroupVersionKind } from '../object.js';
import { Base64Error, canonicalBase64 } from '../base64.js';
import { canonicalMicroTime, canonicalTime, TimeError } from '../go-time.js';
import { decimalText, isInt64, isNumeric } from '../int64.js';
import { canonicalQuantity, canonicalResourceAmount, parseQuantity } from '../quantity.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { isOmitted } from './encoding.js';
import { FieldPath } from './path.js';
import type { SchemaResolver } from './resolve.js';
import { simpleNameOf } from './resolve.js';
import type { Schema } from '../schema.js';

export interface TypedKind extends GroupVersionKind {
  readonly schema: Schema;
}

/** Unknown fields named at most; the rest is dropped all the same. */
const UNKNOWN_MAX = 100;

export interface ConformOptions {
  readonly resolver: SchemaResolver;
  /** Whole numbers that the body writes as floats, by their path: no integers to Go's decoder. */
  readonly floats?: ReadonlyMap<string, string> | undefined;
  /** The error for a value of a wrong type; of decoding as a rule. */
  readonly refuse?: (why: string) => Error;
}

/** Throws ApiError BadRequest at the first value of a wrong type. Returns paths of unknown fields. */
export function conform(kind: TypedKind, object: JsonObject, options: ConformOptions): string[] {
  return new Conformer(kind, options).run(object);
}

/** `Deployment in version "v1" cannot be handled as a Deployment: <why>`: the frame of all errors of decoding. */
export function decodingError(kind: GroupVersionKind, why: string, wanted: string = kind.kind): Error {
  return apiErrors.badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${wanted}: ${why}`);
}

class Conformer {
  readonly #kind: TypedKind;
  readonly #refuse: (why: string) => Error;
  readonly #resolver: SchemaResolver;
  readonly #floats: ReadonlyMap<string, string>;
  readonly #path = new FieldPath();
  readonly #unknown: string[] = [];

  constructor(
    kind: TypedKind,
    { resolver, floats = new Map(), refuse = (why) => decodingError(kind, why) }: ConformOptions,
  ) {
    this.#kind = kind;
    this.#refuse = refuse;
    this.#resolver = resolver;
    this.#floats = floats;
  }

  run(object: JsonObject): string[] {
    this.#object(object, this.#resolver.resolve(this.#kind.schema), this.#kind.kind);
    return this.#unknown;
  }

  /** The value to keep. `owner` is the struct that holds the field. */
  #value(value: unknown, declared: Schema, owner: string): unknown {
    const schema = this.#resolver.resolve(declared);
    if (schema.intOrString === true) return this.#intOrString(value, owner);
    if (schema.preserveUnknown === true && schema.properties === undefined) {
      return schema.type === 'object' && !isObject(value) ? this.#mismatch(value, declared, owner) : value;
    }
    switch (schema.type) {
      case 'string':
        return this.#string(value, schema, declared, owner);
      case 'integer':
        return this.#integer(value, schema, declared, owner);
      // float64 in Kubernetes: beyond 2^53 the nearest double is what it stores.
      case 'number':
        return isNumeric(value) ? Number(value) : this.#mismatch(value, declared, owner);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#mismatch(value, declared, owner);
      case 'array':
        return this.#array(value, schema, declared, owner);
      case 'object': {
        if (!isObject(value)) return this.#mismatch(value, declared, owner);
        if (schema.additionalProperties !== undefined) this.#map(value, schema.additionalProperties, owner);
        else this.#object(value, schema, declared.ref === undefined ? owner : simpleNameOf(declared.ref));
        return value;
      }
      default:
        return value;
    }
  }

  #object(object: JsonObject, schema: Schema, owner: string): void {
    const { properties } = schema;
    for (const name of Object.keys(object)) {
      const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (property === undefined) {
        if (schema.preserveUnknown !== true) this.#drop(object, name);
        continue;
      }
      const value = object[name];
      if (value === null) {
        delete object[name];
        continue;
      }
      this.#path.push(name);
      const kept = this.#value(value, property, owner);
      // Go's zero time is encoded as null.
      if (kept === null || isOmitted(kept, property, this.#resolver)) delete object[name];
      else if (kept !== value) object[name] = kept;
      this.#path.pop();
    }
  }

  #drop(object: JsonObject, name: string): void {
    delete object[name];
    if (this.#unknown.length >= UNKNOWN_MAX) return;
    this.#path.push(name);
    this.#unknown.push(this.#path.dotted());
    this.#path.pop();
  }

  #map(map: JsonObject, values: Schema, owner: string): void {
    const isResources = this.#resolver.resolve(values).format === 'quantity' && !EXACT_AMOUNTS.has(owner);
    for (const key of Object.keys(map)) {
      const value = map[key];
      this.#path.push({ key });
      // A null in a map is the zero of its type.
      let kept = value === null ? zeroOf(this.#resolver.resolve(values)) : this.#value(value, values, owner);
      if (isResources) kept = canonicalResourceAmount(kept);
      if (kept !== value)
        Object.defineProperty(map, key, { value: kept, enumerable: true, configurable: true, writable: true });
      this.#path.pop();
    }
  }

  #array(value: unknown, schema: Schema, declared: Schema, owner: string): unknown {
    if (!Array.isArray(value)) return this.#mismatch(value, declared, owner);
    const items = schema.items ?? {};
    for (let index = 0; index < value.length; index += 1) {
      this.#path.push(index);
      const item: unknown = value[index];
      value[index] = item === null ? zeroOf(this.#resolver.resolve(items)) : this.#value(item, items, owner);
      this.#path.pop();
    }
    return value;
  }

  #string(value: unknown, schema: Schema, declared: Schema, owner: string): unknown {
    if (schema.format === 'quantity') {
      if (parseQuantity(value) !== undefined) return canonicalQuantity(value);
      throw this.#refuse("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    }
    if (typeof value !== 'string') return this.#mismatch(value, declared, owner);
    const canonical = CANONICAL[schema.format ?? ''];
    return canonical === undefined ? value : this.#canonical(value, canonical);
  }

  #canonical(value: string, of: (text: string) => string | null): string | null {
    try {
      return of(value);
    } catch (error) {
      if (error instanceof TimeError || error instanceof Base64Error) throw this.#refuse(error.message);
      throw error;
    }
  }

  #integer(value: unknown, schema: Schema, declared: Schema, owner: string): unknown {
    const fits = schema.format === 'int32' ? isInt32(value) : isInt64(value);
    return fits && !this.#isFloat() ? value : this.#mismatch(value, declared, owner);
  }

  #isFloat(): boolean {
    return this.#floats.size > 0 && this.#floats.has(this.#path.dotted());
  }

  #intOrString(value: unknown, owner: string): unknown {
    return typeof value === 'string' || (isInt32(value) && !this.#isFloat())
      ? value
      : this.#mismatch(value, { type: 'integer', format: 'int32' }, owner);
  }

  #mismatch(value: unknown, declared: Schema, owner: string): never {
    const wanted = this.#resolver.resolve(declared).type;
    const literal = wanted === 'integer' && isNumeric(value) ? this.#floats.get(this.#path.dotted()) : undefined;
    const found = literal === undefined ? jsonTypeOf(value, wanted) : `number ${literal}`;
    throw this.#refuse(
      `json: cannot unmarshal ${found} into Go struct field ${owner}.${this.#path.fieldNames()} of type ${goTypeOf(declared, this.#resolver)}`,
    );
  }
}

/** Structs whose maps of quantities Kubernetes does not round: they are not lists of resources, or have no defaults. */
const EXACT_AMOUNTS: ReadonlySet<string> = new Set([
  'CapacityRequirements',
  'DeviceRequestAllocationResult',
  'NodeAllocatableResourceClaimStatus',
  'Overhead',
]);

/** Formats with one text for each value. */
const CANONICAL: Readonly<Record<string, (text: string) => string | null>> = {
  'date-time': canonicalTime,
  'micro-time': canonicalMicroTime,
  byte: canonicalBase64,
};

function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'string':
      return schema.format === 'quantity' ? '0' : '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return null;
  }
}

const isInt32 = (value: unknown): boolean => typeof value === 'number' && value === (value | 0);

/** What Go's decoder calls a value it cannot take: numbers with their digits where an integer was wanted. */
function jsonTypeOf(value: unknown, wanted: Schema['type']): string {
  if (Array.isArray(value)) return 'array';
  if (isNumeric(value)) return wanted === 'integer' ? `number ${decimalText(value)}` : 'number';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'object';
}

function goTypeOf(declared: Schema, resolver: SchemaResolver): string {
  const schema = resolver.resolve(declared);
  if (schema.type === 'object' && declared.ref !== undefined) {
    const parts = declared.ref.split('.');
    return `${parts.at(-2)}.${parts.at(-1)}`;
  }
  switch (schema.type) {
    case 'integer':
      return schema.format ?? 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : 'string';
    case 'array':
      return `[]${goTypeOf(schema.items ?? {}, resolver)}`;
    case 'object':
      return `map[string]${goTypeOf(schema.additionalProperties ?? { type: 'string' }, resolver)}`;
    default:
      return 'interface {}';
  }
}
