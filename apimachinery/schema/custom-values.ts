/**
 * Values of custom resources by the schema of their definition: what kube-openapi's validator finds, in its words and
 * its order (k8s.io/kube-openapi/pkg/validation/validate). Each schema has eight checks, and those that apply to a
 * value all run, also when its type is wrong. Patterns come from users and run in linear time (re2js). CEL rules, lists
 * that are sets or maps, and embedded resources are others' work.
 */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../json-value.js';
import { isInt64, isNumeric } from '../int64.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { isOneOf } from './enum.js';
import { hasFormat, isKnownFormat } from './formats.js';
import { itemsBefore } from './list-identity.js';
import { FieldPath } from './path.js';
import { lengthOf, patternUnits, patternVerdict } from './patterns.js';
import type { SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';
import { Complainer, NAME } from './value-complaints.js';
import { numberFindings } from './value-numbers.js';
import { ValueResult } from './value-result.js';

export interface CustomValueOptions {
  /**
   * The value before an update: parts that are as they were are not judged again (KEP-4008, CRD validation ratcheting).
   */
  readonly old?: unknown;
  /** Where the value lies in the object. Default: it is the object. */
  readonly base?: string;
}

export function customValueErrors(
  schema: Schema,
  value: unknown,
  resolver: SchemaResolver,
  options: CustomValueOptions = {},
): FieldError[] {
  return finish(customValueWork(schema, value, resolver, options));
}

/** The same in slices: an object of ten thousand items, each held against dozens of alternatives, takes seconds. */
export function* customValueWork(
  schema: Schema,
  value: unknown,
  resolver: SchemaResolver,
  options: CustomValueOptions = {},
): Work<FieldError[]> {
  const result = yield* new Checker(resolver, options.base ?? '').changed(value, schema, options.old);
  return result.findings.map(({ error }) => error);
}

/** Of one value, in units of Work. */
const VALUE_UNITS = 10;
const YIELD_UNITS = 2_000;

class Checker {
  readonly #resolver: SchemaResolver;
  readonly #path = new FieldPath();
  readonly #complain: Complainer;
  #untold = 0;

  constructor(resolver: SchemaResolver, base: string) {
    this.#resolver = resolver;
    this.#complain = new Complainer(base, this.#path);
  }

  /** `old` undefined: nobody can tell what it was. */
  *changed(value: unknown, schema: Schema, old: unknown): Work<ValueResult> {
    if (old !== undefined && jsonEqual(value, old)) return new ValueResult();
    return yield* this.#check(value, schema, old);
  }

  *#check(value: unknown, declared: Schema, old: unknown): Work<ValueResult> {
    yield* this.#spend(VALUE_UNITS);
    const schema = this.#resolver.resolve(declared);
    const result = new ValueResult();
    this.#type(value, schema, result);
    if (value === null) {
      this.#enum(value, schema, result);
      return result;
    }
    if (hasBranches(schema)) result.merge(yield* this.#branches(value, schema, old));
    else result.count();
    result.count();
    if (typeof value === 'string') yield* this.#string(value, schema, result);
    else if (isNumeric(value)) this.#number(value, schema, result);
    else if (Array.isArray(value)) yield* this.#list(value, schema, { old, result });
    this.#enum(value, schema, result);
    if (isObject(value)) yield* this.#object(value, schema, { old, result });
    result.count();
    return result;
  }

  /** Null is none of any enum. */
  #enum(value: unknown, schema: Schema, result: ValueResult): void {
    if (schema.enum !== undefined && schema.enum.length > 0 && (value === null || !isOneOf(schema.enum, value)))
      result.add(this.#complain.notSupported(value, schema.enum.map(textOf)));
    result.count();
  }

  *#spend(units: number): Work<void> {
    this.#untold += units;
    if (this.#untold < YIELD_UNITS) return;
    yield this.#untold;
    this.#untold = 0;
  }

  #type(value: unknown, schema: Schema, result: ValueResult): void {
    const wanted = schema.intOrString === true ? 'integer,string' : schema.type;
    const format = checkedFormat(schema);
    if (wanted === undefined && format === undefined) return;
    const wrong = wrongType(value, schema, { wanted: wanted ?? '', format });
    if (wrong !== undefined)
      result.add(
        this.#complain.type(
          wrong.actual,
          `${NAME} in body must be of type ${wrong.wanted}: ${JSON.stringify(wrong.actual)}`,
        ),
      );
    else result.count();
    result.count();
  }

  *#string(value: string, schema: Schema, result: ValueResult): Work<void> {
    const { minLength, maxLength, pattern } = schema;
    const length = minLength === undefined && maxLength === undefined ? 0 : lengthOf(value);
    if (pattern !== undefined) yield* this.#spend(patternUnits(pattern, value));
    if (maxLength !== undefined && length > maxLength) result.add(this.#complain.tooLong(maxLength));
    else if (minLength !== undefined && length < minLength)
      result.add(this.#complain.invalid(value, `${NAME} in body should be at least ${minLength} chars long`));
    else if (pattern !== undefined) this.#pattern(value, pattern, result);
    result.count();
    const format = checkedFormat(schema);
    if (format === undefined || !isKnownFormat('', format)) return;
    if (!hasFormat(value, format))
      result.add(
        this.#complain.type(
          value,
          `${NAME} in body must be of type ${format}: ${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}`,
        ),
      );
    result.count();
  }

  #pattern(value: string, pattern: string, result: ValueResult): void {
    const verdict = patternVerdict(pattern, value);
    if (verdict.kind === 'too-long') result.add(this.#complain.tooLong(verdict.longest));
    else if (verdict.kind === 'differs')
      result.add(this.#complain.invalid(value, `${NAME} in body should match '${pattern}'`));
  }

  #number(value: number | bigint, schema: Schema, result: ValueResult): void {
    for (const finding of numberFindings(value, schema, this.#complain)) result.add(finding);
    result.count();
    result.count();
  }

  *#list(value: readonly unknown[], schema: Schema, { old, result }: Inside): Work<void> {
    const { items, minItems, maxItems } = schema;
    const before = Array.isArray(old) ? itemsBefore(schema, old) : undefined;
    for (const [index, item] of items === undefined ? [] : value.entries()) {
      if (result.isFull || items === undefined) return;
      this.#path.push(index);
      result.merge(yield* this.changed(item, items, before?.(item)));
      this.#path.pop();
    }
    if (minItems !== undefined && value.length < minItems)
      result.add(this.#complain.invalid(value.length, `${NAME} in body should have at least ${minItems} items`));
    if (maxItems !== undefined && value.length > maxItems)
      result.add(this.#complain.tooMany(value.length, maxItems, 'items'));
    result.count();
    result.count();
  }

  *#object(value: JsonObject, schema: Schema, { old, result }: Inside): Work<void> {
    const { minProperties, maxProperties, properties = {} } = schema;
    const names = Object.keys(value);
    if (minProperties !== undefined && names.length < minProperties)
      result.add(
        this.#complain.invalid(names.length, `${NAME} in body should have at least ${minProperties} properties`),
      );
    if (maxProperties !== undefined && names.length > maxProperties)
      result.add(this.#complain.tooMany(names.length, maxProperties, 'properties'));
    const before = isObject(old) ? old : {};
    for (const name of names) {
      if (result.isFull) return;
      const isField = Object.hasOwn(properties, name);
      const property = isField ? properties[name] : schema.additionalProperties;
      if (property === undefined) {
        if (!isField && schema.closed === true)
          result.add(this.#complain.invalid(name, `${NAME}.${name} in body is a forbidden property`));
        continue;
      }
      this.#path.push(isField ? name : { key: name });
      result.merge(yield* this.changed(value[name], property.given ?? property, getOwn(before, name)));
      this.#path.pop();
    }
    for (const name of schema.required ?? [])
      if (!Object.hasOwn(value, name)) result.add(this.#complain.required(name));
    result.count();
  }

  *#branches(value: unknown, schema: Schema, old: unknown): Work<ValueResult> {
    const result = new ValueResult();
    const where = JSON.stringify(this.#complain.name);
    if (schema.anyOf !== undefined) yield* this.#anyOf(value, schema.anyOf, { old, result, where });
    if (schema.oneOf !== undefined) yield* this.#oneOf(value, schema.oneOf, { old, result, where });
    if (schema.allOf !== undefined) yield* this.#allOf(value, schema.allOf, { old, result, where });
    if (schema.not !== undefined && (yield* this.#check(value, schema.not, old)).isValid)
      result.add(this.#complain.whole(`${where} must not validate the schema (not)`));
    result.count();
    return result;
  }

  *#anyOf(value: unknown, branches: readonly Schema[], { old, result, where }: Branch): Work<void> {
    let best: ValueResult | undefined;
    for (const branch of branches) {
      const one = yield* this.#check(value, branch, old);
      if (one.isValid) return result.merge(one);
      if (best === undefined || one.matches > best.matches) best = one;
    }
    result.add(this.#complain.whole(`${where} must validate at least one schema (anyOf)`));
    if (best !== undefined) result.merge(best);
  }

  *#oneOf(value: unknown, branches: readonly Schema[], { old, result, where }: Branch): Work<void> {
    const valid: ValueResult[] = [];
    let best: ValueResult | undefined;
    for (const branch of branches) {
      const one = yield* this.#check(value, branch, old);
      if (one.isValid) valid.push(one);
      else if (best === undefined || one.matches > best.matches) best = one;
    }
    const [first] = valid;
    if (valid.length === 1 && first !== undefined) return result.merge(first);
    result.add(
      this.#complain.whole(
        `${where} must validate one and only one schema (oneOf). ${valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`}`,
      ),
    );
    if (valid.length === 0 && best !== undefined) result.merge(best);
  }

  *#allOf(value: unknown, branches: readonly Schema[], { old, result, where }: Branch): Work<void> {
    let valid = 0;
    for (const branch of branches) {
      const one = yield* this.#check(value, branch, old);
      if (one.isValid) valid += 1;
      result.merge(one);
    }
    if (valid !== branches.length)
      result.add(
        this.#complain.whole(`${where} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`),
      );
  }
}

interface Inside {
  readonly old: unknown;
  readonly result: ValueResult;
}

interface Branch extends Inside {
  /** The path in quotes. */
  readonly where: string;
}

const SHOWN_LENGTH_MAX = 256;

const hasBranches = ({ anyOf, oneOf, allOf, not }: Schema): boolean =>
  anyOf !== undefined || oneOf !== undefined || allOf !== undefined || not !== undefined;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : encodeJson(value));

function checkedFormat({ type, format, intOrString }: Schema): string | undefined {
  return format !== undefined && intOrString !== true && isKnownFormat(type ?? '', format) ? format : undefined;
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isNumeric(value)) return isInt64(value) ? 'integer' : 'number';
  return typeof value;
}

interface WrongType {
  readonly actual: string;
  readonly wanted: string;
}

/**
 * Strings and lists are not held against a type that has a format of strings: the format judges the one, nothing the
 * other.
 */
function wrongType(
  value: unknown,
  schema: Schema,
  { wanted, format }: { readonly wanted: string; readonly format: string | undefined },
): WrongType | undefined {
  const actual = jsonTypeOf(value);
  const types = wanted === '' ? [] : wanted.split(',');
  if (actual === 'null') return types.length === 0 || schema.nullable === true ? undefined : { actual, wanted };
  const isNumberType = types.includes('integer') || types.includes('number');
  const fits = types.includes(actual) || (actual === 'integer' && types.includes('number'));
  if (format !== undefined) {
    if (actual !== 'string' && actual !== 'array')
      return fits || formatOf(actual) === format ? undefined : { actual: formatOf(actual), wanted: format };
    if (!isNumberType) return undefined;
  }
  return fits ? undefined : { actual, wanted };
}

/** What a number's Go type is called as a format; nothing else has one. */
const formatOf = (actual: string): string => (actual === 'integer' ? 'int64' : actual === 'number' ? 'float64' : '');
