/**
 * Validation of objects of built-in kinds by schema, beside what their strategies say. Which absent properties count as
 * missing: the facts call required what Go always writes, so only strings and objects are asked for; Go's zero of
 * anything else is as good as absence.
 */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { isInt64, isNumeric, sameNumber } from '../int64.js';
import type { Int64 } from '../int64.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { isOneOf } from './enum.js';
import { hasFormat } from './formats.js';
import { listIdentity } from './list-identity.js';
import { FieldPath } from './path.js';
import { lengthOf, patternUnits, patternVerdict } from './patterns.js';
import type { SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';

export function validateSchema(schema: Schema, value: unknown, resolver: SchemaResolver): FieldError[] {
  return finish(validateSchemaWork(schema, value, resolver));
}

/** The same in slices. */
export function* validateSchemaWork(schema: Schema, value: unknown, resolver: SchemaResolver): Work<FieldError[]> {
  const validator = new Validator(resolver);
  yield* validator.visit(value, schema);
  return validator.errors;
}

/** Of one value, in units of Work. */
const VALUE_UNITS = 10;
const YIELD_UNITS = 2_000;

class Validator {
  readonly errors: FieldError[] = [];
  readonly #resolver: SchemaResolver;
  readonly #path = new FieldPath();
  #untold = 0;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  *visit(value: unknown, declared: Schema): Work<void> {
    this.#untold += VALUE_UNITS;
    if (this.#untold >= YIELD_UNITS) yield* this.#tell();
    if (this.#isFull) return;
    const schema = this.#resolver.resolve(declared);
    // Null is absence, written out.
    if (value === null) return;
    if (!this.#typeFits(value, schema)) return;
    if (schema.enum !== undefined && !isOneOf(schema.enum, value)) {
      this.#add(fieldErrors.notSupported(this.#path.toString(), value, schema.enum.map(String)));
    }
    if (typeof value === 'string') this.#string(value, schema);
    else if (isNumeric(value)) this.#number(value, schema);
    else if (Array.isArray(value)) yield* this.#list(value, schema);
    else if (isObject(value)) yield* this.#object(value, schema);
  }

  *#tell(): Work<void> {
    yield this.#untold;
    this.#untold = 0;
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
    this.#add(
      fieldErrors.typeInvalid(field, actual, `${field} in body must be of type ${expected}: ${JSON.stringify(actual)}`),
    );
    return false;
  }

  #string(value: string, schema: Schema): void {
    if (schema.minLength !== undefined || schema.maxLength !== undefined) {
      const length = lengthOf(value);
      if (schema.minLength !== undefined && length < schema.minLength)
        this.#complain(value, `should be at least ${schema.minLength} chars long`);
      if (schema.maxLength !== undefined && length > schema.maxLength)
        this.#add(fieldErrors.tooLong(this.#path.toString(), schema.maxLength));
    }
    if (schema.pattern !== undefined) this.#pattern(value, schema.pattern);
    if (schema.format !== undefined && schema.type === 'string' && value !== '' && !hasFormat(value, schema.format)) {
      this.#complain(value, `must be of type ${schema.format}: ${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}`);
    }
  }

  #pattern(value: string, source: string): void {
    this.#untold += patternUnits(source, value);
    const verdict = patternVerdict(source, value);
    if (verdict.kind === 'too-long') this.#add(fieldErrors.tooLong(this.#path.toString(), verdict.longest));
    else if (verdict.kind === 'differs') this.#complain(value, `should match '${source}'`);
  }

  /** JavaScript compares integers of any size with doubles exactly. */
  #number(value: Int64, schema: Schema): void {
    const { minimum, maximum, multipleOf, format } = schema;
    if (
      minimum !== undefined &&
      (value < minimum || (schema.exclusiveMinimum === true && sameNumber(value, minimum)))
    ) {
      this.#complain(
        value,
        `should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`,
      );
    }
    if (
      maximum !== undefined &&
      (value > maximum || (schema.exclusiveMaximum === true && sameNumber(value, maximum)))
    ) {
      this.#complain(value, `should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
    }
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
      this.#complain(value, `should be a multiple of ${multipleOf}`);
    }
    if (format === 'int32' && (value < INT32_MIN || value > INT32_MAX)) this.#complain(value, 'must be of type int32');
  }

  *#list(value: readonly unknown[], schema: Schema): Work<void> {
    const field = this.#path.toString();
    if (schema.maxItems !== undefined && value.length > schema.maxItems) {
      this.#add(fieldErrors.tooMany(field, value.length, schema.maxItems));
      return;
    }
    if (schema.minItems !== undefined && value.length < schema.minItems)
      this.#complain(value.length, `should have at least ${schema.minItems} items`);
    yield* this.#duplicates(value, schema);
    if (schema.items === undefined) return;
    for (const [index, item] of value.entries()) {
      if (this.#isFull) return;
      this.#path.push(index);
      yield* this.visit(item, schema.items);
      this.#path.pop();
    }
  }

  *#duplicates(value: readonly unknown[], schema: Schema): Work<void> {
    const keysOf = listIdentity(schema);
    if (keysOf === undefined || REPEATABLE.has(this.#path.last() ?? '')) return;
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      if (this.#isFull) return;
      const { id, shown } = keysOf(item);
      if (seen.has(id)) this.#add(fieldErrors.duplicate(`${this.#path.toString()}[${index}]`, shown));
      seen.add(id);
      this.#untold += VALUE_UNITS;
      if (this.#untold >= YIELD_UNITS) yield* this.#tell();
    }
  }

  *#object(value: JsonObject, schema: Schema): Work<void> {
    const count = Object.keys(value).length;
    if (schema.maxProperties !== undefined && count > schema.maxProperties) {
      this.#add(fieldErrors.tooMany(this.#path.toString(), count, schema.maxProperties));
      return;
    }
    if (schema.minProperties !== undefined && count < schema.minProperties)
      this.#complain(count, `should have at least ${schema.minProperties} properties`);
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
      yield* this.visit(value[name], property);
      this.#path.pop();
    }
  }

  #has(value: JsonObject, name: string): boolean {
    return Object.hasOwn(value, name) && value[name] !== null;
  }

  #asksFor(schema: Schema, name: string): boolean {
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
}

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

function isMultiple(value: Int64, of: number): boolean {
  if (isInt64(value) && Number.isInteger(of)) return of !== 0 && BigInt(value) % BigInt(of) === 0n;
  const quotient = Number(value) / of;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9;
}

const SHOWN_LENGTH_MAX = 256;

function openapiTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isNumeric(value)) return isInt64(value) ? 'integer' : 'number';
  return typeof value;
}

/**
 * Lists of built-in kinds that kube-apiserver lets hold two items with the same keys, whatever their schema says: their
 * merge key came after objects that have such (a variable given twice). Service ports have a check of their own.
 */
const REPEATABLE = new Set([
  'env',
  'ports',
  'imagePullSecrets',
  'hostAliases',
  'secrets',
  'conditions',
  'ownerReferences',
  'finalizers',
  'addresses',
  'hostIPs',
]);
