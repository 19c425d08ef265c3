/** Rules of one schema, compiled once: programs, what they may cost, and whether they speak of the value before. */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { compileWork } from '../cel/compile.js';
import type { Checked } from '../cel/check/checker.js';
import { failingConversion } from '../cel/literals.js';
import { optionalOf } from '../cel/values/types.js';
import { estimateCostWork } from '../cel/cost/estimate.js';
import { Program } from '../cel/run/interpreter.js';
import type { CelRule, Schema } from '../schema.js';
import { declTypeOf, REQUEST_MAX_BYTES, sizesBelow } from './decl-type.js';
import type { DeclType } from './decl-type.js';
import { findFieldPath } from './field-path.js';

export interface CompiledRule {
  readonly rule: CelRule;
  /** Why it does not compile. */
  readonly error?: string;
  readonly program?: Program;
  readonly usesOldSelf: boolean;
  readonly maxCost: number;
  readonly message?: Program;
  readonly messageError?: string;
  readonly messageMaxCost: number;
  /** Where complaints go, below the value. */
  readonly fieldPath?: string;
}

export interface RuleSet {
  readonly rules: readonly CompiledRule[];
  /** How often a value of this schema fits into a request. */
  readonly maxCardinality: number;
}

const cache = new WeakMap<Schema, RuleSet>();

/** Of a schema without `ref`. `isRoot`: of a resource, whose metadata rules may read. */
export function ruleSetOf(schema: Schema, isRoot: boolean): RuleSet {
  return finish(ruleSetWork(schema, isRoot));
}

/** The same in slices, with a yield after each rule that is compiled. */
export function* ruleSetWork(schema: Schema, isRoot: boolean): Work<RuleSet> {
  const known = cache.get(schema);
  if (known !== undefined) return known;
  const decl = declTypeOf(schema, isRoot);
  const rules: CompiledRule[] = [];
  for (const rule of schema.validations ?? []) {
    rules.push(yield* compileRule(rule, schema, decl));
    yield RULE_UNITS;
  }
  const set = { rules, maxCardinality: Math.floor(REQUEST_MAX_BYTES / ((decl?.minSize ?? 1) + 1)) };
  cache.set(schema, set);
  return set;
}

/** One rule, beside the passes over its text. */
const RULE_UNITS = 500;

const NOTHING = { usesOldSelf: false, maxCost: 0, messageMaxCost: 0 } as const;

function* compileRule(rule: CelRule, schema: Schema, decl: DeclType | undefined): Work<CompiledRule> {
  if (typeof rule.rule !== 'string' || rule.rule.trim() === '') return { rule, ...NOTHING };
  if (decl === undefined)
    return { rule, ...NOTHING, error: 'rule cannot be compiled: the schema has no type that rules can read' };
  const compiled = yield* compileText(rule.rule, rule, decl);
  if (typeof compiled === 'string') return { rule, ...NOTHING, error: `compilation failed: ${compiled}` };
  if (compiled.type.kind !== 'bool') return { rule, ...NOTHING, error: 'cel expression must evaluate to a bool' };
  const failing = failingConversion(compiled);
  if (failing !== undefined) return { rule, ...NOTHING, error: `program instantiation failed: ${failing}` };
  const path =
    rule.fieldPath === undefined || rule.fieldPath === '' ? undefined : findFieldPath(rule.fieldPath, schema);
  const program = yield* Program.make(compiled);
  const { max: maxCost } = yield* estimateCostWork(compiled, sizesBelow(decl));
  return {
    rule,
    program,
    usesOldSelf: compiled.variables.has('oldSelf'),
    maxCost,
    ...(yield* compileMessage(rule, decl)),
    ...(path?.kind === 'found' ? { fieldPath: path.path } : {}),
  };
}

function* compileMessage(
  rule: CelRule,
  decl: DeclType,
): Work<Pick<CompiledRule, 'message' | 'messageError' | 'messageMaxCost'>> {
  const { messageExpression } = rule;
  if (messageExpression === undefined || messageExpression === '') return { messageMaxCost: 0 };
  const compiled = yield* compileText(messageExpression, rule, decl);
  if (typeof compiled === 'string')
    return { messageMaxCost: 0, messageError: `messageExpression compilation failed: ${compiled}` };
  if (compiled.type.kind !== 'string')
    return { messageMaxCost: 0, messageError: 'messageExpression must evaluate to a string' };
  const failing = failingConversion(compiled);
  if (failing !== undefined)
    return { messageMaxCost: 0, messageError: `messageExpression instantiation failed: ${failing}` };
  const message = yield* Program.make(compiled);
  const { max: messageMaxCost } = yield* estimateCostWork(compiled, sizesBelow(decl));
  return { message, messageMaxCost };
}

/** The issues as text, when there are some. */
function* compileText(source: string, rule: CelRule, { type }: DeclType): Work<Checked | string> {
  const oldSelf = rule.optionalOldSelf === true ? optionalOf(type) : type;
  const compiled = yield* compileWork(source, { self: type, oldSelf });
  return compiled.kind === 'good' ? compiled.checked : compiled.issues;
}
