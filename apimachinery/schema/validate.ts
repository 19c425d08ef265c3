/**
 * Validation of values by schema, with the wording of kube-apiserver for custom resources (kube-openapi's validator).
 * Patterns come from users and run in linear time (re2js). CEL rules (`validations`) are the registry's, not checked here.
 */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../codec/json-value.js';
import { isInt64, isNumeric, sameNumber } from '../int64.js';
import type { Int64 } from '../int64.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { compileUnits, regexOf, textLengthMax } from '../regex.js';
import { isOneOf } from './enum.js';
import { hasFormat } from './formats.js';
import { FieldPath } from './path.js';
import type { SchemaResolver } from './resolve.js';
import type { Schema } from './schema.js';

export interface ValidateOptions {
  /**
   * Which absent properties count as missing. `lenient` is for built-in kinds, whose facts call required what Go always
   * writes: only strings and objects are asked for, since Go's zero of anything else is as good as absence.
   */
  readonly required?: 'all' | 'lenient';
  /** The value before an update: parts that are as they were are not judged again (KEP-4008, CRD validation ratcheting). */
  readonly old?: unknown;
}

export function validateSchema(schema: Schema, value: unknown, resolver: SchemaResolver, options: ValidateOptions = {}): FieldError[] {
  return finish(validateSchemaWork(schema, value, resolver, options));
}

/** The same in slices: an object of ten thousand items, each held against dozens of alternatives, takes seconds. */
export function* validateSchemaWork(schema: Schema, value: unknown, resolver: SchemaResolver, options: ValidateOptions = {}): Work<FieldError[]> {
  const validator = new Validator(resolver, options.required ?? 'all');
  yield* validator.visit(value, schema, options.old);
  return validator.errors;
}

/** Of one value, in units of Work. */
const VALUE_UNITS = 10;
/** Characters of a string that a pattern looks at in one unit. */
const UNIT_CHARS = 2;
const YIELD_UNITS = 2_000;

class Validator {
  readonly errors: FieldError[] = [];
  readonly #resolver: SchemaResolver;
  readonly #required: 'all' | 'lenient';
  readonly #path = new FieldPath();
  /** All of it, and what of it was not told yet. */
  #units = 0;
  #untold = 0;

  constructor(resolver: SchemaResolver, required: 'all' | 'lenient') {
    this.#resolver = resolver;
    this.#required = required;
  }

  get units(): number {
    return this.#units;
  }

  #spend(units: number): void {
    this.#units += units;
    this.#untold += units;
  }

  *visit(value: unknown, declared: Schema, old?: unknown): Work<void> {
    this.#spend(VALUE_UNITS);
    if (this.#untold >= YIELD_UNITS) {
      yield this.#untold;
      this.#untold = 0;
    }
    if (this.#isFull || (old !== undefined && jsonEqual(value, old))) return;
    const schema = this.#resolver.resolve(declared);
    // Of a built-in kind null is absence, written out.
    if (value === null && (schema.nullable === true || this.#required === 'lenient')) return;
    if (!this.#typeFits(value, schema)) return;
    if (schema.enum !== undefined && !isOneOf(schema.enum, value)) {
      this.#add(fieldErrors.notSupported(this.#path.toString(), value, schema.enum.map(String)));
    }
    if (typeof value === 'string') this.#string(value, schema);
    else if (isNumeric(value)) this.#number(value, schema);
    else if (Array.isArray(value)) yield* this.#list(value, schema, Array.isArray(old) ? old : []);
    else if (isObject(value)) yield* this.#object(value, schema, isObject(old) ? old : {});
    yield* this.#combined(value, schema);
  }

  /** What is wrong a hundred times is not looked at further. */
  get #isFull(): boolean {
    return this.errors.length >= FIELD_ERRORS_MAX;
  }

  #add(error: FieldError): void {
    if (!this.#isFull) this.errors.push(error);
  }

  #complain(value: unknown, why: string): void {
    const field = this.#path.toString();
    this.#add(fieldErrors.invalid(field, value, `${field} in body ${why}`));
  }

  #typeFits(value: unknown, schema: Schema): boolean {
    if (schema.intOrString === true) {
      if (typeof value === 'string' || isInt64(value)) return true;
      return this.#wrongType(value, 'integer,string');
    }
    if (schema.type === undefined) return true;
    const actual = openapiTypeOf(value);
    const fits = actual === schema.type || (schema.type === 'number' && actual === 'integer');
    return fits || this.#wrongType(value, schema.type);
  }

  #wrongType(value: unknown, expected: string): false {
    const field = this.#path.toString();
    const actual = openapiTypeOf(value);
    this.#add(fieldErrors.typeInvalid(field, actual, `${field} in body must be of type ${expected}: ${JSON.stringify(actual)}`));
    return false;
  }

  #string(value: string, schema: Schema): void {
    if (schema.minLength !== undefined || schema.maxLength !== undefined) {
      const length = lengthOf(value);
      if (schema.minLength !== undefined && length < schema.minLength) this.#complain(value, `should be at least ${schema.minLength} chars long`);
      if (schema.maxLength !== undefined && length > schema.maxLength) this.#add(fieldErrors.tooLong(this.#path.toString(), schema.maxLength));
    }
    if (schema.pattern !== undefined) this.#pattern(value, schema.pattern);
    if (schema.format !== undefined && schema.type === 'string' && !hasFormat(value, schema.format)) {
      this.#complain(value, `must be of type ${schema.format}: ${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}`);
    }
  }

  /** Patterns of CRDs were checked when the CRD was made, so a broken one matches nothing. */
  #pattern(value: string, source: string): void {
    this.#spend(value.length / UNIT_CHARS + compileUnits(source));
    const regex = regexOf(source);
    const longest = regex.kind === 'good' ? textLengthMax(regex.compiled) : Infinity;
    // A text that is too long to look at cannot be said to match.
    if (value.length > longest) this.#add(fieldErrors.tooLong(this.#path.toString(), longest));
    else if (regex.kind === 'bad' || !regex.compiled.test(value)) this.#complain(value, `should match '${source}'`);
  }

  /** JavaScript compares integers of any size with doubles exactly. */
  #number(value: Int64, schema: Schema): void {
    const { minimum, maximum, multipleOf, format } = schema;
    if (minimum !== undefined && (value < minimum || (schema.exclusiveMinimum === true && sameNumber(value, minimum)))) {
      this.#complain(value, `should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
    }
    if (maximum !== undefined && (value > maximum || (schema.exclusiveMaximum === true && sameNumber(value, maximum)))) {
      this.#complain(value, `should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
    }
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
      this.#complain(value, `should be a multiple of ${multipleOf}`);
    }
    if (format === 'int32' && (value < INT32_MIN || value > INT32_MAX)) this.#complain(value, 'must be of type int32');
  }

  *#list(value: readonly unknown[], schema: Schema, old: readonly unknown[]): Work<void> {
    const field = this.#path.toString();
    if (schema.maxItems !== undefined && value.length > schema.maxItems) {
      this.#add(fieldErrors.tooMany(field, value.length, schema.maxItems));
      return;
    }
    if (schema.minItems !== undefined && value.length < schema.minItems) this.#complain(value.length, `should have at least ${schema.minItems} items`);
    this.#duplicates(value, schema, old);
    if (schema.items === undefined) return;
    const before = itemsBefore(schema, old);
    for (const [index, item] of value.entries()) {
      if (this.#isFull) return;
      this.#path.push(index);
      yield* this.visit(item, schema.items, before?.(item));
      this.#path.pop();
    }
  }

  #duplicates(value: readonly unknown[], schema: Schema, old: readonly unknown[]): void {
    const keysOf = listIdentity(schema);
    if (keysOf === undefined || (this.#required === 'lenient' && REPEATABLE.has(this.#path.last() ?? ''))) return;
    if (new Set(old.map((item) => keysOf(item).id)).size < old.length) return;
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      if (this.#isFull) return;
      const { id, shown } = keysOf(item);
      if (seen.has(id)) this.#add(fieldErrors.duplicate(`${this.#path.toString()}[${index}]`, shown));
      seen.add(id);
    }
  }

  *#object(value: JsonObject, schema: Schema, old: JsonObject): Work<void> {
    const count = Object.keys(value).length;
    if (schema.maxProperties !== undefined && count > schema.maxProperties) {
      this.#add(fieldErrors.tooMany(this.#path.toString(), count, schema.maxProperties));
      return;
    }
    if (schema.minProperties !== undefined && count < schema.minProperties) this.#complain(count, `should have at least ${schema.minProperties} properties`);
    for (const name of schema.required ?? []) {
      if (!this.#has(value, name) && this.#asksFor(schema, name)) this.#missing(name);
    }
    const { properties } = schema;
    for (const name of Object.keys(value)) {
      if (this.#isFull) return;
      const isField = properties !== undefined && Object.hasOwn(properties, name);
      const property = this.#resolver.property(schema, name);
      if (property === undefined) continue;
      this.#path.push(isField ? name : { key: name });
      yield* this.visit(value[name], property, getOwn(old, name));
      this.#path.pop();
    }
  }

  #has(value: JsonObject, name: string): boolean {
    return Object.hasOwn(value, name) && (this.#required === 'all' || value[name] !== null);
  }

  #asksFor(schema: Schema, name: string): boolean {
    if (this.#required === 'all') return true;
    const property = this.#resolver.property(schema, name);
    if (property === undefined) return true;
    const { type, format } = this.#resolver.resolve(property);
    return (type === 'string' && format === undefined) || type === 'object';
  }

  #missing(name: string): void {
    this.#path.push(name);
    this.#add(fieldErrors.required(this.#path.toString()));
    this.#path.pop();
  }

  *#combined(value: unknown, schema: Schema): Work<void> {
    const passes = (branch: Schema): boolean => {
      const validator = new Validator(this.#resolver, this.#required);
      finish(validator.visit(value, branch));
      this.#spend(validator.units);
      return validator.errors.length === 0;
    };
    for (const branch of schema.allOf ?? []) yield* this.visit(value, branch);
    if (schema.anyOf !== undefined && !schema.anyOf.some(passes)) this.#complain(value, 'must validate at least one schema (anyOf)');
    if (schema.oneOf !== undefined && schema.oneOf.filter(passes).length !== 1) this.#complain(value, 'must validate one and only one schema (oneOf)');
    if (schema.not !== undefined && passes(schema.not)) this.#complain(value, 'must not validate the schema (not)');
  }
}

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

function isMultiple(value: Int64, of: number): boolean {
  if (isInt64(value) && Number.isInteger(of)) return of !== 0 && BigInt(value) % BigInt(of) === 0n;
  const quotient = Number(value) / of;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9;
}

/** A double beyond 2^53 counts as no integer: its digits are not known. */
const SHOWN_LENGTH_MAX = 256;

/** Code points. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

function openapiTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isNumeric(value)) return isInt64(value) ? 'integer' : 'number';
  return typeof value;
}

/**
 * Lists of built-in kinds that kube-apiserver lets hold two items with the same keys, whatever their schema says: their merge key
 * came after objects that have such (a variable given twice). Service ports have a check of their own.
 */
const REPEATABLE = new Set(['env', 'ports', 'imagePullSecrets', 'hostAliases', 'secrets', 'conditions', 'ownerReferences', 'finalizers', 'addresses', 'hostIPs']);

/** The item that was there under the same keys; of lists that are no maps nobody can tell. */
function itemsBefore(schema: Schema, old: readonly unknown[]): ((item: unknown) => unknown) | undefined {
  const keysOf = schema.listType === 'map' && old.length > 0 ? listIdentity(schema) : undefined;
  if (keysOf === undefined) return undefined;
  const items = new Map(old.map((item) => [keysOf(item).id, item]));
  return (item) => items.get(keysOf(item).id);
}

/** How items of a list tell each other apart; undefined where they need not. */
function listIdentity(schema: Schema): ((item: unknown) => { id: string; shown: unknown }) | undefined {
  if (schema.listType === 'map' && schema.listMapKeys !== undefined) {
    const names = schema.listMapKeys;
    const defaults = schema.items?.properties ?? {};
    return (item) => {
      const shown: JsonObject = {};
      for (const name of names) {
        const value = isObject(item) && Object.hasOwn(item, name) ? item[name] : defaults[name]?.default;
        if (value !== undefined) shown[name] = value;
      }
      return { id: encodeJson(shown), shown };
    };
  }
  return schema.listType === 'set' || schema.uniqueItems === true ? (item) => ({ id: encodeJson(item), shown: item }) : undefined;
}
