/**
 * x-kubernetes-validations: CEL rules on custom resources (KEP-2876). In: a schema with rules, the object, what it was before.
 * Out: field errors. A rule that cannot be evaluated refuses the object, as in Kubernetes: nothing passes because a rule broke.
 *
 * Of Kubernetes' own libraries, lists (isSorted, sum, min, max, indexOf), regular expressions (find, findAll) and URLs (isURL)
 * are here, beside what the CEL library has; quantities, IP addresses and formats are not.
 */
import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { encodeJson } from '../codec/json-value.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { CelRule, Schema } from '../schema/schema.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject, jsonEqual } from '../value.js';

type Program = (variables: Record<string, unknown>) => unknown;

const order = (a: unknown, b: unknown): number => (a === b ? 0 : (a as number) < (b as number) ? -1 : 1);
const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const extreme = (list: unknown, sign: number): unknown => {
  const [first, ...rest] = asList(list);
  if (first === undefined) throw new Error('min and max need a list that is not empty');
  return rest.reduce((best, item) => (order(item, best) * sign > 0 ? item : best), first);
};

function environment(): Environment {
  const env = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  return env
    .registerFunction('list.isSorted(): bool', (list: unknown) => asList(list).every((item, index, all) => index === 0 || order(all[index - 1], item) <= 0))
    .registerFunction('list.sum(): dyn', (list: unknown) => asList(list).reduce((sum, item) => (sum as number) + (item as number)) ?? 0n)
    .registerFunction('list.min(): dyn', (list: unknown) => extreme(list, -1))
    .registerFunction('list.max(): dyn', (list: unknown) => extreme(list, 1))
    .registerFunction('list.indexOf(dyn): int', (list: unknown, wanted: unknown) => BigInt(asList(list).findIndex((item) => jsonEqual(item, wanted))))
    .registerFunction('string.find(string): string', (text: string, pattern: string) => {
      const matcher = RE2JS.compile(pattern).matcher(text);
      return matcher.find() ? (matcher.group() ?? '') : '';
    })
    .registerFunction('string.findAll(string): list', (text: string, pattern: string) => {
      const found: string[] = [];
      for (const matcher = RE2JS.compile(pattern).matcher(text); matcher.find();) found.push(matcher.group() ?? '');
      return found;
    })
    .registerFunction('isURL(string): bool', (text: string) => URL.canParse(text));
}

let shared: Environment | undefined;
const PROGRAMS_MAX = 5000;
const programs = new Map<string, Program | Error>();

/** Compiled once for each text. */
function programOf(source: string): Program | Error {
  let program = programs.get(source);
  if (program === undefined) {
    try {
      program = (shared ??= environment()).parse(source) as unknown as Program;
    } catch (error) {
      program = error instanceof Error ? error : new Error(String(error));
    }
    if (programs.size >= PROGRAMS_MAX) programs.clear();
    programs.set(source, program);
  }
  return program;
}

/** Why a rule cannot be compiled; undefined when it can. */
export function ruleComplaint(source: string): string | undefined {
  const program = programOf(source);
  return program instanceof Error ? `compilation failed: ${firstLine(program.message)}` : undefined;
}

const firstLine = (text: string): string => text.split('\n')[0]?.slice(0, 300) ?? '';

/** `old` is undefined on a create: rules that speak of oldSelf are then skipped, unless they take an optional one. */
export function checkRules(schema: Schema, resolver: SchemaResolver, change: { readonly object: unknown; readonly old: unknown }): FieldError[] {
  const checker = new RuleChecker(resolver);
  checker.visit(schema, change.object, change.old);
  return checker.errors;
}

const ERRORS_MAX = 100;

class RuleChecker {
  readonly errors: FieldError[] = [];
  readonly #resolver: SchemaResolver;
  readonly #path = new FieldPath();

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  visit(declared: Schema, value: unknown, old: unknown): void {
    const schema = this.#resolver.resolve(declared);
    if (value === undefined || value === null || this.errors.length >= ERRORS_MAX || !hasRules(schema, this.#resolver)) return;
    for (const rule of schema.validations ?? []) this.#check(rule, schema, { value, old });
    if (Array.isArray(value)) this.#list(schema, value, old);
    else if (isObject(value)) this.#object(schema, value, old);
  }

  #object(schema: Schema, value: Record<string, unknown>, old: unknown): void {
    for (const name of Object.keys(value)) {
      const property = this.#resolver.property(schema, name);
      if (property === undefined) continue;
      const isField = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      this.#path.push(isField ? name : { key: name });
      this.visit(property, value[name], isObject(old) ? getOwn(old, name) : undefined);
      this.#path.pop();
    }
  }

  /** Items of a map-like list are the same when their keys are; of others nobody can tell what an item was before. */
  #list(schema: Schema, value: readonly unknown[], old: unknown): void {
    if (schema.items === undefined) return;
    const keys = schema.listType === 'map' ? (schema.listMapKeys ?? []) : [];
    const idOf = (item: unknown): string => encodeJson(keys.map((key) => (isObject(item) ? (getOwn(item, key) ?? null) : null)));
    const before = new Map(keys.length > 0 && Array.isArray(old) ? old.map((item: unknown) => [idOf(item), item]) : []);
    for (const [index, item] of value.entries()) {
      this.#path.push(index);
      this.visit(schema.items, item, before.get(idOf(item)));
      this.#path.pop();
    }
  }

  #check(rule: CelRule, schema: Schema, { value, old }: { readonly value: unknown; readonly old: unknown }): void {
    const usesOld = /\boldSelf\b/.test(rule.rule);
    if (usesOld && old === undefined) return;
    const self = toCel(schema, value, this.#resolver);
    const variables = { self, ...(usesOld ? { oldSelf: toCel(schema, old, this.#resolver) } : {}) };
    let passed: unknown;
    try {
      passed = run(rule.rule, variables);
    } catch (error) {
      this.#complain(rule, value, `rule evaluation error: ${firstLine(error instanceof Error ? error.message : String(error))}: ${rule.rule}`);
      return;
    }
    if (passed !== true) this.#complain(rule, value, messageOf(rule, variables));
  }

  #complain(rule: CelRule, value: unknown, why: string): void {
    const base = this.#path.toString();
    const field = rule.fieldPath === undefined ? base : `${base}${rule.fieldPath}`.replace(/^\./, '');
    switch (rule.reason) {
      case 'FieldValueForbidden': this.errors.push(fieldErrors.forbidden(field, why)); return;
      case 'FieldValueRequired': this.errors.push(fieldErrors.required(field, why)); return;
      case 'FieldValueDuplicate': this.errors.push(fieldErrors.duplicate(field, value)); return;
      default: this.errors.push(fieldErrors.invalid(field, isObject(value) ? 'object' : value, why));
    }
  }
}

function run(source: string, variables: Record<string, unknown>): unknown {
  const program = programOf(source);
  if (program instanceof Error) throw program;
  return program(variables);
}

function messageOf(rule: CelRule, variables: Record<string, unknown>): string {
  if (rule.messageExpression !== undefined) {
    try {
      const message = run(rule.messageExpression, variables);
      if (typeof message === 'string' && message.trim() !== '') return message;
    } catch {
      // As in Kubernetes: a message that fails falls back to the next one.
    }
  }
  return rule.message ?? `failed rule: ${rule.rule}`;
}

/** Integers are int64 in CEL, other numbers doubles: the schema tells which. */
function toCel(declared: Schema, value: unknown, resolver: SchemaResolver): unknown {
  const schema = resolver.resolve(declared);
  if (typeof value === 'number') {
    const isInt = schema.type === 'integer' || schema.intOrString === true || (schema.type === undefined && Number.isSafeInteger(value));
    return isInt && Number.isSafeInteger(value) ? BigInt(value) : value;
  }
  // CEL's int; where the schema has a number, a double.
  if (typeof value === 'bigint') return schema.type === 'number' ? Number(value) : value;
  if (Array.isArray(value)) return value.map((item: unknown) => toCel(schema.items ?? {}, item, resolver));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toCel(resolver.property(schema, name) ?? {}, item, resolver)]));
}

const known = new WeakMap<Schema, boolean>();

/** Most schemas have no rule below them: their values are not walked. */
function hasRules(schema: Schema, resolver: SchemaResolver, seen = new Set<Schema>()): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  if (seen.has(schema)) return false;
  seen.add(schema);
  const found = schema.validations !== undefined
    || [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties].some(
      (child) => child !== undefined && hasRules(resolver.resolve(child), resolver, seen));
  known.set(schema, found);
  return found;
}
