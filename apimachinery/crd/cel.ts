/**
 * x-kubernetes-validations: CEL rules on custom resources (KEP-2876). In: a schema with rules, the object, what it was
 * before. Out: field errors. A rule that cannot be evaluated refuses the object: nothing passes because a rule broke.
 * Cost is counted as kube-apiserver counts it: each rule has a limit, and all rules of one object share a budget.
 */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { Optional, isError } from '../cel/values/values.js';
import type { Value } from '../cel/values/values.js';
import { encodeJson } from '../json-value.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { CelRule, Schema } from '../schema.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject, jsonEqual } from '../value.js';
import { celValueOf } from './cel-value.js';
import { withRootFields } from './decl-type.js';
import { ruleSetWork } from './rules.js';
import type { CompiledRule } from './rules.js';

/** Of one evaluation; about 0.1 s of kube-apiserver's time. */
const CALL_COST_MAX = 1_000_000;
/** Of all evaluations for one object. */
export const OBJECT_COST_MAX = 10_000_000;
const ERRORS_MAX = 100;
const SHOWN_MAX = 256;
const VISIT_UNITS = 10;
/** A large value takes a slice of its own. */
const REFUSED_UNITS = 1000;
const MESSAGE_BYTES_MAX = 5 * 1024;
const OUT_OF_BUDGET = 'validation failed due to running out of cost budget, no further validation rules will be run';

export interface Change {
  readonly object: unknown;
  /** Undefined on a create: rules that speak of oldSelf are then skipped, unless they take an optional one. */
  readonly old: unknown;
}

export interface CheckOptions {
  /** The schema is that of a resource; rules may read its metadata. Default: true. */
  readonly isRoot?: boolean;
  /** Where the value lies, before all paths. */
  readonly path?: string;
  /** What several checks share; below 0 it is spent. Default: one of its own. */
  readonly budget?: Budget;
  /** Told what is let be because it is as it was before an update. */
  readonly forgiven?: (error: FieldError) => void;
}

export interface Budget {
  left: number;
}

export function checkRules(
  schema: Schema,
  resolver: SchemaResolver,
  change: Change,
  options: CheckOptions = {},
): FieldError[] {
  return finish(checkRulesWork(schema, resolver, change, options));
}

/** The same in slices: rules, and the loops in them, yield what they cost. */
export function* checkRulesWork(
  schema: Schema,
  resolver: SchemaResolver,
  change: Change,
  options: CheckOptions = {},
): Work<FieldError[]> {
  const { path = '', budget = { left: OBJECT_COST_MAX } } = options;
  const checker = new RuleChecker(resolver, {
    path,
    budget: budget.left,
    ...(options.forgiven === undefined ? {} : { forgiven: options.forgiven }),
  });
  yield* checker.visit(schema, visitedOf(change.object, change.old), options.isRoot ?? true);
  budget.left = checker.budget;
  return checker.errors;
}

interface Visited {
  readonly value: unknown;
  readonly old: unknown;
  /** Whether it is as it was before, or what it is part of is: complaints are then let pass (ratcheting). */
  readonly unchanged: () => boolean;
}

class RuleChecker {
  readonly errors: FieldError[] = [];
  readonly #resolver: SchemaResolver;
  readonly #base: string;
  readonly #path = new FieldPath();
  readonly #forgiven: (error: FieldError) => void;
  #budget: number;

  constructor(
    resolver: SchemaResolver,
    {
      path,
      budget,
      forgiven = () => undefined,
    }: { readonly path: string; readonly budget: number; readonly forgiven?: (error: FieldError) => void },
  ) {
    this.#budget = budget;
    this.#resolver = resolver;
    this.#base = path;
    this.#forgiven = forgiven;
  }

  get budget(): number {
    return this.#budget;
  }

  *visit(declared: Schema, visited: Visited, isRoot = false): Work<void> {
    const schema = this.#resolver.resolve(declared);
    const { value } = visited;
    if (value === undefined || value === null || this.#isOver() || !hasRules(schema, this.#resolver)) return;
    yield VISIT_UNITS;
    if (schema.validations !== undefined)
      yield* this.#rules(schema, visited, isRoot || schema.embeddedResource === true);
    if (Array.isArray(value)) yield* this.#list(schema, value, visited);
    else if (isObject(value)) yield* this.#object(schema, value, visited);
  }

  #isOver(): boolean {
    return this.#budget < 0 || this.errors.length >= ERRORS_MAX;
  }

  *#object(schema: Schema, value: Record<string, unknown>, visited: Visited): Work<void> {
    for (const name of Object.keys(value)) {
      const property = this.#resolver.property(schema, name);
      if (property === undefined) continue;
      const isField = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      this.#path.push(isField ? name : { key: name });
      yield* this.visit(
        property,
        visitedOf(value[name], isObject(visited.old) ? getOwn(visited.old, name) : undefined, visited),
      );
      this.#path.pop();
    }
  }

  /** Items of a map-like list are the same when their keys are; of others nobody can tell what an item was before. */
  *#list(schema: Schema, value: readonly unknown[], visited: Visited): Work<void> {
    if (schema.items === undefined) return;
    const keys = schema.listType === 'map' ? (schema.listMapKeys ?? []) : [];
    const idOf = (item: unknown): string =>
      encodeJson(keys.map((key) => (isObject(item) ? (getOwn(item, key) ?? null) : null)));
    const before = new Map(
      keys.length > 0 && Array.isArray(visited.old) ? visited.old.map((item: unknown) => [idOf(item), item]) : [],
    );
    for (const [index, item] of value.entries()) {
      this.#path.push(index);
      yield* this.visit(schema.items, visitedOf(item, keys.length === 0 ? undefined : before.get(idOf(item)), visited));
      this.#path.pop();
      if (this.#isOver()) return;
    }
  }

  *#rules(schema: Schema, visited: Visited, isRoot: boolean): Work<void> {
    const shape = isRoot ? rootShape(schema) : schema;
    const self = celValueOf(shape, visited.value, this.#resolver);
    const old =
      visited.old === undefined || visited.old === null ? undefined : celValueOf(shape, visited.old, this.#resolver);
    const { rules } = yield* ruleSetWork(schema, isRoot);
    for (const compiled of rules) {
      if (this.#budget <= 0) {
        this.#invalid(schema, OUT_OF_BUDGET);
        this.#budget = -1;
      }
      if (this.#isOver()) return;
      yield* this.#rule(compiled, schema, { visited, self, old });
    }
  }

  *#rule(
    compiled: CompiledRule,
    schema: Schema,
    { visited, self, old }: { readonly visited: Visited; readonly self: Value; readonly old: Value | undefined },
  ): Work<void> {
    const { rule, program } = compiled;
    if (compiled.error !== undefined) this.#invalid(schema, `rule compile error: ${compiled.error}`);
    if (program === undefined) return;
    const optional = rule.optionalOldSelf === true;
    if (compiled.usesOldSelf && old === undefined && !optional) return;
    const oldSelf = optional ? (old === undefined ? Optional.none : Optional.of(old)) : old;
    const variables = { self, ...(oldSelf === undefined ? {} : { oldSelf }) };
    const { value, cost } = yield* program.work(variables, CALL_COST_MAX);
    if (!this.#spend(cost, schema)) return;
    if (isError(value)) this.#failure(schema, rule, value.message);
    else if (value !== true) yield* this.#refused(compiled, schema, { visited, variables });
  }

  /** False when the budget is spent: nothing more is evaluated. */
  #spend(cost: number, schema: Schema): boolean {
    if (cost <= this.#budget) {
      this.#budget -= cost;
      return true;
    }
    this.#invalid(schema, OUT_OF_BUDGET);
    this.#budget = -1;
    return false;
  }

  #failure(schema: Schema, rule: CelRule, why: string): void {
    const text = ruleText(rule);
    if (why.startsWith('no such overload')) {
      this.#invalid(
        schema,
        `'${why}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`,
      );
    } else if (why.startsWith('operation cancelled: actual cost limit exceeded')) {
      this.#invalid(
        schema,
        `'${why}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
      );
      this.#budget = -1;
    } else {
      this.#invalid(schema, `${why} evaluating rule: ${text}`);
    }
  }

  *#refused(
    compiled: CompiledRule,
    schema: Schema,
    { visited, variables }: { readonly visited: Visited; readonly variables: Readonly<Record<string, Value>> },
  ): Work<void> {
    // The value is compared, or shown.
    yield REFUSED_UNITS;
    const message = yield* this.#message(compiled, schema, variables);
    if (message === undefined) return;
    const error = this.#errorOf(compiled, schema, { value: visited.value, why: message });
    if (!compiled.usesOldSelf && visited.unchanged()) this.#forgiven(error);
    else this.errors.push(error);
  }

  /** Undefined when making it went over the budget; that is a complaint already. */
  *#message(
    { rule, message }: CompiledRule,
    schema: Schema,
    variables: Readonly<Record<string, Value>>,
  ): Work<string | undefined> {
    const otherwise =
      rule.message === undefined || rule.message === '' ? `failed rule: ${ruleText(rule)}` : rule.message.trim();
    if (message === undefined) return otherwise;
    const { value, cost } = yield* message.work(variables, CALL_COST_MAX);
    if (cost > this.#budget) {
      this.#invalid(
        schema,
        'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run',
      );
      this.#budget = -1;
      return undefined;
    }
    this.#budget -= cost;
    if (isError(value) && value.message.startsWith('operation cancelled')) {
      this.#invalid(
        schema,
        `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
      );
      this.#budget = -1;
      return undefined;
    }
    const text = typeof value === 'string' ? value.trim() : '';
    return text === '' || text.includes('\n') || Buffer.byteLength(text) > MESSAGE_BYTES_MAX ? otherwise : text;
  }

  #field(below?: string): string {
    const inner = this.#path.toString();
    const joined =
      this.#base === '' || inner === '' || inner.startsWith('[') ? `${this.#base}${inner}` : `${this.#base}.${inner}`;
    if (below === undefined) return joined === '' ? '<nil>' : joined;
    return joined === '' ? below : `${joined}${below.startsWith('[') ? '' : '.'}${below}`;
  }

  #invalid(schema: Schema, why: string): void {
    this.errors.push(fieldErrors.invalid(this.#field(), schema.type ?? '', why));
  }

  #errorOf(
    { rule, fieldPath }: CompiledRule,
    schema: Schema,
    { value, why }: { readonly value: unknown; readonly why: string },
  ): FieldError {
    const field = this.#field(fieldPath);
    const isLarge = schema.type === 'object' || schema.type === 'array';
    switch (rule.reason) {
      case 'FieldValueForbidden':
        return fieldErrors.forbidden(field, why);
      case 'FieldValueRequired':
        return fieldErrors.required(field, why);
      case 'FieldValueDuplicate':
        return isLarge
          ? { type: 'FieldValueDuplicate', field, detail: 'Duplicate value' }
          : fieldErrors.duplicate(field, value);
      default: {
        const shown = isLarge ? '' : `${encodeJson(value)}: `;
        return {
          type: 'FieldValueInvalid',
          field,
          detail: `Invalid value: ${shown.length > SHOWN_MAX ? `${shown.slice(0, SHOWN_MAX)}...: ` : shown}${why}`,
        };
      }
    }
  }
}

const ruleText = ({ rule, message }: CelRule): string =>
  (message !== undefined && message !== '' ? message : rule).trim();

/** `old` is undefined where nobody can tell what it was. Compared once, whatever number of rules and parts ask. */
function visitedOf(value: unknown, old: unknown, parent?: Visited): Visited {
  let same: boolean | undefined;
  return {
    value,
    old,
    unchanged: () => (same ??= (old !== undefined && jsonEqual(value, old)) || parent?.unchanged() === true),
  };
}

const roots = new WeakMap<Schema, Schema>();

/** One object for each schema, so that what is cached by it stays. */
function rootShape(schema: Schema): Schema {
  let shape = roots.get(schema);
  if (shape === undefined) {
    shape = withRootFields(schema);
    roots.set(schema, shape);
  }
  return shape;
}

const known = new WeakMap<Schema, boolean>();

/** Most schemas have no rule below them: their values are not walked. */
export function hasRules(schema: Schema, resolver: SchemaResolver, seen = new Set<Schema>()): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  if (seen.has(schema)) return false;
  seen.add(schema);
  const found =
    schema.validations !== undefined ||
    [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties].some(
      (child) => child !== undefined && hasRules(resolver.resolve(child), resolver, seen),
    );
  known.set(schema, found);
  return found;
}
