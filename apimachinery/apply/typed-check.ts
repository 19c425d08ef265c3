/**
 * Whether an apply configuration fits its schema, in the words of structured-merge-diff: what does not fit could not be
 * owned, so that neither leniency of decoding nor `fieldValidation` applies.
 */
import { STORED_LIMITS, tooManyKeys } from '../codec/limits.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { goSyntax, goText, goType } from '../patch/go-text.js';
import { isObject } from '../value.js';
import { formatPath } from './field-set.js';
import { defaultOfKey, structureOf } from './structure.js';

/** Enough to mend a file by; a body of nothing but flaws must not be answered at its own length. */
const FLAWS_MAX = 100;

/** `.spec.replicas: expected numeric (int or float), got string`, one for each flaw. */
export function typeFlaws(config: unknown, schema: Schema, resolver: SchemaResolver): string[] {
  const checker = new TypeChecker(resolver);
  checker.check(config, schema);
  return checker.flaws;
}

class TypeChecker {
  readonly flaws: string[] = [];
  readonly #resolver: SchemaResolver;
  readonly #path: string[] = [];

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  check(value: unknown, declared: Schema): void {
    if (value === null || this.flaws.length >= FLAWS_MAX) return;
    const schema = this.#resolver.resolve(declared);
    if (schema.intOrString === true || schema.format === 'quantity') {
      if (typeof value === 'object') this.#say(`expected any scalar, got &{${goText(value)}}`);
      return;
    }
    if (schema.type === 'array' || schema.items !== undefined) {
      if (Array.isArray(value)) this.#items(value, schema, declared);
      else this.#say(`expected list, got &{${goText(value)}}`);
    } else if (
      schema.properties !== undefined ||
      schema.additionalProperties !== undefined ||
      schema.type === 'object'
    ) {
      if (isObject(value)) this.#fields(value, schema);
      else this.#say(`expected map, got &{${goText(value)}}`);
    } else {
      this.#scalar(value, schema);
    }
  }

  #scalar(value: unknown, { type }: Schema): void {
    if (type === 'string' && typeof value !== 'string')
      this.#say(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
    else if (type === 'boolean' && typeof value !== 'boolean') this.#say(`expected boolean, got &{${goText(value)}}`);
    else if ((type === 'integer' || type === 'number') && typeof value !== 'number' && typeof value !== 'bigint') {
      this.#say(`expected numeric (int or float), got ${goType(value)}`);
    }
  }

  #fields(object: Readonly<Record<string, unknown>>, schema: Schema): void {
    let undeclared: string | undefined;
    for (const name of Object.keys(object)) {
      const property = this.#resolver.property(schema, name);
      if (property !== undefined) this.#below(`f:${name}`, () => this.check(object[name], property));
      else if (schema.preserveUnknown !== true && schema.properties !== undefined) undeclared ??= name;
    }
    // Upstream's walk of a map ends at the first such field.
    if (undeclared !== undefined) this.#below(`f:${undeclared}`, () => this.#say('field not declared in schema'));
  }

  #items(list: readonly unknown[], schema: Schema, declared: Schema): void {
    const structure = structureOf(declared, this.#resolver);
    // Nobody can own so many: that is told before they are looked at.
    if (structure.kind === 'list' && list.length > STORED_LIMITS.keysMax) throw tooManyKeys(STORED_LIMITS.keysMax);
    const seen = new Set<string>();
    for (const [index, item] of list.entries()) {
      let element = `i:${index}`;
      if (structure.kind === 'list') {
        const flaw = elementFlaw(item, schema, this.#resolver);
        if (flaw !== undefined) {
          this.#say(`element ${index}: ${flaw}`);
          return;
        }
        element = structure.elementOf(item);
        if (seen.has(element)) this.#say(`duplicate entries for key ${formatPath([element])}`);
        seen.add(element);
      }
      this.#below(element, () => this.check(item, schema.items ?? {}));
    }
  }

  #below(element: string, run: () => void): void {
    this.#path.push(element);
    run();
    this.#path.pop();
  }

  #say(why: string): void {
    if (this.flaws.length >= FLAWS_MAX) return;
    const path = formatPath(this.#path);
    this.flaws.push(path === '' ? why : `${path}: ${why}`);
  }
}

/** Why an item cannot be told from others. */
function elementFlaw(
  item: unknown,
  { listType, listMapKeys = [], items = {} }: Schema,
  resolver: SchemaResolver,
): string | undefined {
  if (listType === 'set') {
    if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
    if (item === null) return "associative list without keys has an element that's an explicit null";
    return isObject(item) ? "associative list without keys has an element that's a map type" : undefined;
  }
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const schema = resolver.resolve(items);
  if (listMapKeys.some((key) => Object.hasOwn(item, key) || defaultOfKey(schema, key) !== undefined)) return undefined;
  const keys = listMapKeys.map((key) => JSON.stringify(key)).join(' ');
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
}
