/** From a checked tree to closures. Each is built once; an evaluation only calls them. */
import { SliceMeter } from '../../../platform/slices.js';
import type { Work } from '../../../platform/work.js';
import type { Checked, ResolvedCall } from '../check/checker.js';
import type { Overload } from '../check/declare.js';
import { callCostOf, ONE } from '../cost/actual.js';
import type { CallCost } from '../cost/actual.js';
import { LIST_BASE, MAP_BASE, SELECT } from '../cost/factors.js';
import type { Comprehension, Expr, ListExpr, MapExpr, Select } from '../syntax/ast.js';
import { ArrayList, CelError, HashMap, Optional, isError, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { CONTROLS, hasField, selectField } from './control.js';
import { comprehend, comprehendLong } from './loop.js';
import type { Loop } from './loop.js';
import { LONG_CONTROLS } from './long-control.js';
import { charge, CostLimitExceeded, evaluate, isDue, takeUnits } from './frame.js';
import type { Compiled, Frame, LongStep, Step } from './frame.js';

export interface Evaluation {
  readonly value: Value;
  readonly cost: number;
}

export class Program {
  readonly #compiled: Compiled;
  readonly #slots: number;

  private constructor(compiled: Compiled, slots: number) {
    this.#compiled = compiled;
    this.#slots = slots;
  }

  static *make(checked: Checked): Work<Program> {
    const compiler = new Compiler(checked);
    const compiled = yield* compiler.compile(checked.expr);
    return new Program(compiled, compiler.slots);
  }

  /** Over `limit` the value is the error of CostLimitExceeded, and the cost what was spent until then. */
  run(variables: Readonly<Record<string, Value>>, limit: number): Evaluation {
    const frame = this.#frame(variables, limit);
    try {
      return { value: this.#compiled.step(frame), cost: frame.cost };
    } catch (error) {
      return failed(error, frame);
    }
  }

  /** The same in slices: its loops yield what they cost. */
  *work(variables: Readonly<Record<string, Value>>, limit: number): Work<Evaluation> {
    const frame = this.#frame(variables, limit);
    let result: Evaluation;
    try {
      const value = yield* evaluate(this.#compiled, frame);
      result = { value, cost: frame.cost };
    } catch (error) {
      result = failed(error, frame);
    }
    yield takeUnits(frame) + EVALUATION_UNITS;
    return result;
  }

  #frame(variables: Readonly<Record<string, Value>>, limit: number): Frame {
    return { variables, locals: new Array<Value>(this.#slots).fill(null), cost: 0, limit, yielded: 0 };
  }
}

/** Of one part of an expression that is compiled, in units of Work. */
const PART_UNITS = 20;
/** Each yield passes all the parts around the present one: not too many. */
const YIELD_UNITS = 2000;

/** What an evaluation takes beside its cost. */
const EVALUATION_UNITS = 20;

function failed(error: unknown, { cost }: Frame): Evaluation {
  // V8 refuses strings and lists that are too large.
  if (error instanceof CostLimitExceeded || error instanceof RangeError)
    return { value: new CelError(error.message), cost };
  throw error;
}

const isLong = (parts: readonly Compiled[]): boolean => parts.some(({ long }) => long !== undefined);
/** Functions whose cost grows with their arguments; operators are cheap for their cost. */
const isLaborious = (fn: string, choices: readonly Choice[]): boolean =>
  !/^[_@!-]/.test(fn) && choices.some(({ cost }) => cost !== ONE);
const stepOf = ({ step }: Compiled): Step => step;

class Compiler {
  readonly #checked: Checked;
  /** Innermost last. */
  readonly #scopes: { readonly name: string; readonly slot: number }[] = [];
  readonly #meter = new SliceMeter(YIELD_UNITS);
  slots = 0;

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  *compile(expr: Expr): Work<Compiled> {
    if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    const constant = this.#checked.constants.get(expr);
    if (constant !== undefined) return { step: () => constant };
    switch (expr.kind) {
      case 'literal': {
        const { value } = expr;
        return { step: () => value };
      }
      case 'ident':
        return { step: this.#ident(expr.name) };
      case 'select':
        return yield* this.#select(expr);
      case 'call':
        return yield* this.#call(this.#checked.calls.get(expr));
      case 'list':
        return yield* this.#list(expr);
      case 'map':
        return yield* this.#map(expr);
      case 'comprehension':
        return yield* this.#comprehension(expr);
      default:
        return { step: () => new CelError('type cannot be made') };
    }
  }

  #ident(name: string): Step {
    const local = this.#scopes.findLast((scope) => scope.name === name);
    if (local !== undefined) {
      const { slot } = local;
      return (frame) => {
        charge(frame, SELECT);
        return frame.locals[slot] ?? null;
      };
    }
    return (frame) => {
      charge(frame, SELECT);
      const value = frame.variables[name];
      return value === undefined ? new CelError(`no such attribute: ${name}`) : value;
    };
  }

  *#select({ operand: inner, field, testOnly }: Select): Work<Compiled> {
    const operand = yield* this.compile(inner);
    const select = (frame: Frame, value: Value): Value => {
      if (isError(value)) return value;
      if (testOnly) return hasField(value, field);
      charge(frame, SELECT);
      return selectField(value, field);
    };
    const { step, long } = operand;
    return {
      step: (frame) => select(frame, step(frame)),
      ...(long === undefined
        ? {}
        : {
            long: function* (frame) {
              return select(frame, yield* long(frame));
            },
          }),
    };
  }

  *#call(call: ResolvedCall | undefined): Work<Compiled> {
    if (call === undefined) return { step: () => noSuchOverload() };
    const args: Compiled[] = call.target === undefined ? [] : [yield* this.compile(call.target)];
    for (const arg of call.args) args.push(yield* this.compile(arg));
    const control = CONTROLS[call.fn];
    if (control !== undefined)
      return { step: control(args.map(stepOf)), long: isLong(args) ? LONG_CONTROLS[call.fn]?.(args) : undefined };
    // Operators are not named in the error.
    const missing = noSuchOverload(/^[_@!-]/.test(call.fn) ? '' : call.fn);
    const choices = call.overloads.map((overload) => ({ overload, cost: callCostOf(call.fn, overload.id), missing }));
    const [only] = choices;
    const choose = several(choices);
    const steps = args.map(stepOf);
    return {
      step:
        choices.length === 1 && only !== undefined
          ? single(only, steps)
          : (frame) =>
              choose(
                frame,
                steps.map((step) => step(frame)),
              ),
      long: isLong(args) || isLaborious(call.fn, choices) ? calling(args, choose) : undefined,
    };
  }

  /** A list of literals is made once. */
  *#list({ elements }: ListExpr): Work<Compiled> {
    const parts: { readonly part: Compiled; readonly optional: boolean }[] = [];
    for (const { expr, optional } of elements) parts.push({ part: yield* this.compile(expr), optional });
    if (elements.length > 0 && elements.every(({ expr, optional }) => expr.kind === 'literal' && !optional)) {
      const constant = new ArrayList(elements.map(({ expr }) => (expr.kind === 'literal' ? expr.value : null)));
      return { step: () => constant };
    }
    const step: Step = (frame) => {
      const items: Value[] = [];
      for (const { part, optional } of parts) {
        const value = part.step(frame);
        if (isError(value)) return value;
        addItem(items, value, optional);
      }
      charge(frame, LIST_BASE);
      return new ArrayList(items);
    };
    const long: LongStep = function* (frame) {
      const items: Value[] = [];
      for (const { part, optional } of parts) {
        const value = yield* evaluate(part, frame);
        if (isError(value)) return value;
        addItem(items, value, optional);
      }
      charge(frame, LIST_BASE);
      return new ArrayList(items);
    };
    return { step, long: isLong(parts.map(({ part }) => part)) ? long : undefined };
  }

  *#map({ entries }: MapExpr): Work<Compiled> {
    const parts: { readonly key: Compiled; readonly value: Compiled; readonly optional: boolean }[] = [];
    for (const { key, value, optional } of entries)
      parts.push({ key: yield* this.compile(key), value: yield* this.compile(value), optional });
    const step: Step = (frame) => {
      const map = new HashMap();
      for (const { key, value, optional } of parts) {
        const name = key.step(frame);
        const failed = isError(name) ? name : addEntry(map, name, { value: value.step(frame), optional });
        if (failed !== undefined) return failed;
      }
      charge(frame, MAP_BASE);
      return map;
    };
    const long: LongStep = function* (frame) {
      const map = new HashMap();
      for (const { key, value, optional } of parts) {
        const name = yield* evaluate(key, frame);
        const failed = isError(name) ? name : addEntry(map, name, { value: yield* evaluate(value, frame), optional });
        if (failed !== undefined) return failed;
      }
      charge(frame, MAP_BASE);
      return map;
    };
    return { step, long: isLong(parts.flatMap(({ key, value }) => [key, value])) ? long : undefined };
  }

  *#inScope<T>(name: string, make: (slot: number) => Work<T>): Work<T> {
    const slot = this.slots++;
    this.#scopes.push({ name, slot });
    const made = yield* make(slot);
    this.#scopes.pop();
    return made;
  }

  *#comprehension(expr: Comprehension): Work<Compiled> {
    const range = yield* this.compile(expr.range);
    const init = yield* this.compile(expr.accuInit);
    const { loop, result } = yield* this.#inScope(expr.accuVar, (accu) => this.#loop(expr, accu));
    const parts = { range, init, loop, result };
    return { step: comprehend(parts), long: comprehendLong(parts) };
  }

  *#loop(expr: Comprehension, accu: number): Work<{ readonly loop: Loop; readonly result: Compiled }> {
    const { iterVar2 } = expr;
    const loop = yield* this.#inScope(expr.iterVar, (first) => {
      const inner = (second: number | undefined): Work<Loop> => this.#body(expr, { first, second, accu });
      return iterVar2 === undefined ? inner(undefined) : this.#inScope(iterVar2, inner);
    });
    return { loop, result: yield* this.compile(expr.result) };
  }

  *#body(expr: Comprehension, slots: Pick<Loop, 'first' | 'second' | 'accu'>): Work<Loop> {
    const condition = yield* this.compile(expr.condition);
    return { ...slots, condition, body: yield* this.compile(expr.step) };
  }
}

function addItem(items: Value[], value: Value, optional: boolean): void {
  if (!optional) items.push(value);
  else if (value instanceof Optional && value.value !== undefined) items.push(value.value);
}

/** Why it cannot be an entry; undefined: it is one, or is left out. */
function addEntry(
  map: HashMap,
  key: Value,
  { value, optional }: { readonly value: Value; readonly optional: boolean },
): CelError | undefined {
  if (isError(value)) return value;
  const kept = optional && value instanceof Optional ? value.value : value;
  return kept !== undefined && !map.set(key, kept) ? new CelError('unsupported key type') : undefined;
}

interface Choice {
  readonly overload: Overload;
  readonly cost: CallCost;
  /** What it is when no overload fits. */
  readonly missing: CelError;
}

const fits = ({ guards }: Overload, args: readonly Value[]): boolean => {
  for (let index = 0; index < guards.length; index++) if (guards[index]?.(args[index] ?? null) !== true) return false;
  return true;
};

const errorIn = (args: readonly Value[]): CelError | undefined => {
  for (const arg of args) if (isError(arg)) return arg;
  return undefined;
};

function apply({ overload, cost }: Choice, frame: Frame, args: Value[]): Value {
  charge(frame, cost(args, overload.id));
  if (overload.effort !== undefined) frame.yielded -= overload.effort(...args);
  return overload.impl(...args);
}

/**
 * Most calls have one overload and two arguments: no list of arguments is made for them where their cost needs none.
 */
function single(choice: Choice, args: readonly Step[]): Step {
  const {
    overload: {
      impl,
      id,
      guards: [isFirst, isSecond],
    },
    cost,
    missing,
  } = choice;
  const [first, second, third] = args;
  if (
    first === undefined ||
    second === undefined ||
    third !== undefined ||
    isFirst === undefined ||
    isSecond === undefined
  ) {
    return (frame) => {
      const values = args.map((arg) => arg(frame));
      return errorIn(values) ?? (fits(choice.overload, values) ? apply(choice, frame, values) : missing);
    };
  }
  return (frame) => {
    const a = first(frame);
    const b = second(frame);
    if (isError(a)) return a;
    if (isError(b)) return b;
    if (!isFirst(a) || !isSecond(b)) return missing;
    charge(frame, cost === ONE ? 1 : cost([a, b], id));
    return impl(a, b);
  };
}

/** All arguments are evaluated before one that failed is looked at. */
const calling = (args: readonly Compiled[], choose: (frame: Frame, args: Value[]) => Value): LongStep =>
  function* (frame) {
    const values: Value[] = [];
    for (const arg of args) values.push(yield* evaluate(arg, frame));
    const value = choose(frame, values);
    if (isDue(frame)) yield takeUnits(frame);
    return value;
  };

const several =
  (choices: readonly Choice[]) =>
  (frame: Frame, args: Value[]): Value => {
    const failed = errorIn(args);
    if (failed !== undefined) return failed;
    const choice = choices.find(({ overload }) => fits(overload, args));
    return choice === undefined ? (choices[0]?.missing ?? noSuchOverload()) : apply(choice, frame, args);
  };
