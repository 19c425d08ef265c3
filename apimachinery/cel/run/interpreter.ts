/** From a checked tree to closures. Each is built once; an evaluation only calls them. */
import type { Checked, ResolvedCall } from '../check/checker.js';
import type { Overload } from '../check/declare.js';
import { callCostOf, ONE } from '../cost/actual.js';
import type { CallCost } from '../cost/actual.js';
import { LIST_BASE, MAP_BASE, SELECT } from '../cost/factors.js';
import type { Comprehension, Expr, ListExpr, MapExpr, Select } from '../syntax/ast.js';
import { ArrayList, CelError, CelList, CelMap, GrowingList, HashMap, Optional, isError, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { CONTROLS, hasField, selectField } from './control.js';
import { charge, CostLimitExceeded } from './frame.js';
import type { Frame, Step } from './frame.js';

export interface Evaluation {
  readonly value: Value;
  readonly cost: number;
}

export class Program {
  readonly #step: Step;
  readonly #slots: number;

  constructor(checked: Checked) {
    const compiler = new Compiler(checked);
    this.#step = compiler.compile(checked.expr);
    this.#slots = compiler.slots;
  }

  /** Over `limit` the value is the error of CostLimitExceeded, and the cost what was spent until then. */
  run(variables: Readonly<Record<string, Value>>, limit: number): Evaluation {
    const frame: Frame = { variables, locals: new Array<Value>(this.#slots).fill(null), cost: 0, limit };
    try {
      return { value: this.#step(frame), cost: frame.cost };
    } catch (error) {
      // V8 refuses strings and lists that are too large.
      if (error instanceof CostLimitExceeded || error instanceof RangeError) return { value: new CelError(error.message), cost: frame.cost };
      throw error;
    }
  }
}

class Compiler {
  readonly #checked: Checked;
  /** Innermost last. */
  readonly #scopes: { readonly name: string; readonly slot: number }[] = [];
  slots = 0;

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  compile(expr: Expr): Step {
    const constant = this.#checked.constants.get(expr);
    if (constant !== undefined) return () => constant;
    switch (expr.kind) {
      case 'literal': {
        const { value } = expr;
        return () => value;
      }
      case 'ident': return this.#ident(expr.name);
      case 'select': return this.#select(expr);
      case 'call': return this.#call(this.#checked.calls.get(expr));
      case 'list': return this.#list(expr);
      case 'map': return this.#map(expr);
      case 'comprehension': return this.#comprehension(expr);
      default: return () => new CelError('type cannot be made');
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

  #select({ operand: inner, field, testOnly }: Select): Step {
    const operand = this.compile(inner);
    return (frame) => {
      const value = operand(frame);
      if (isError(value)) return value;
      if (testOnly) return hasField(value, field);
      charge(frame, SELECT);
      return selectField(value, field);
    };
  }

  #call(call: ResolvedCall | undefined): Step {
    if (call === undefined) return () => noSuchOverload();
    const args = [...(call.target === undefined ? [] : [call.target]), ...call.args].map((arg) => this.compile(arg));
    const control = CONTROLS[call.fn];
    if (control !== undefined) return control(args);
    // Operators are not named in the error.
    const missing = noSuchOverload(/^[_@!-]/.test(call.fn) ? '' : call.fn);
    const choices = call.overloads.map((overload) => ({ overload, cost: callCostOf(call.fn, overload.id), missing }));
    const [only] = choices;
    if (choices.length === 1 && only !== undefined) return single(only, args);
    const choose = several(choices);
    return (frame) => choose(frame, args.map((arg) => arg(frame)));
  }

  /** A list of literals is made once. */
  #list({ elements }: ListExpr): Step {
    const steps = elements.map(({ expr, optional }) => ({ step: this.compile(expr), optional }));
    if (elements.length > 0 && elements.every(({ expr, optional }) => expr.kind === 'literal' && !optional)) {
      const constant = new ArrayList(elements.map(({ expr }) => (expr.kind === 'literal' ? expr.value : null)));
      return () => constant;
    }
    return (frame) => {
      const items: Value[] = [];
      for (const { step, optional } of steps) {
        const value = step(frame);
        if (isError(value)) return value;
        if (!optional) items.push(value);
        else if (value instanceof Optional && value.value !== undefined) items.push(value.value);
      }
      charge(frame, LIST_BASE);
      return new ArrayList(items);
    };
  }

  #map({ entries }: MapExpr): Step {
    const steps = entries.map(({ key, value, optional }) => ({ key: this.compile(key), value: this.compile(value), optional }));
    return (frame) => {
      const map = new HashMap();
      for (const { key, value, optional } of steps) {
        const name = key(frame);
        if (isError(name)) return name;
        const item = value(frame);
        if (isError(item)) return item;
        const kept = optional && item instanceof Optional ? item.value : item;
        if (kept !== undefined && !map.set(name, kept)) return new CelError('unsupported key type');
      }
      charge(frame, MAP_BASE);
      return map;
    };
  }

  #inScope<T>(name: string, make: (slot: number) => T): T {
    const slot = this.slots++;
    this.#scopes.push({ name, slot });
    const made = make(slot);
    this.#scopes.pop();
    return made;
  }

  #comprehension(expr: Comprehension): Step {
    const range = this.compile(expr.range);
    const init = this.compile(expr.accuInit);
    return this.#inScope(expr.accuVar, (accu) => {
      const loop = this.#inScope(expr.iterVar, (first) => {
        const { iterVar2 } = expr;
        const inner = (second: number | undefined): Loop => ({
          first, second, accu, condition: this.compile(expr.condition), step: this.compile(expr.step),
        });
        return iterVar2 === undefined ? inner(undefined) : this.#inScope(iterVar2, inner);
      });
      return comprehend({ range, init, loop, result: this.compile(expr.result) });
    });
  }
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
  return overload.impl(...args);
}

/** Most calls have one overload and two arguments: no list of arguments is made for them where their cost needs none. */
function single(choice: Choice, args: readonly Step[]): Step {
  const { overload: { impl, id, guards: [isFirst, isSecond] }, cost, missing } = choice;
  const [first, second, third] = args;
  if (first === undefined || second === undefined || third !== undefined || isFirst === undefined || isSecond === undefined) {
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

const several = (choices: readonly Choice[]) => (frame: Frame, args: Value[]): Value => {
  const failed = errorIn(args);
  if (failed !== undefined) return failed;
  const choice = choices.find(({ overload }) => fits(overload, args));
  return choice === undefined ? (choices[0]?.missing ?? noSuchOverload()) : apply(choice, frame, args);
};

interface Loop {
  readonly first: number;
  readonly second: number | undefined;
  readonly accu: number;
  readonly condition: Step;
  readonly step: Step;
}

/** Runs until the condition is false. Entries of a map come in the order of its keys. */
function comprehend({ range, init, loop, result }: { readonly range: Step; readonly init: Step; readonly loop: Loop; readonly result: Step }): Step {
  const { first, second, accu, condition, step } = loop;
  return (frame) => {
    const over = range(frame);
    if (isError(over)) return over;
    if (!(over instanceof CelList) && !(over instanceof CelMap)) return noSuchOverload();
    const { locals } = frame;
    const start = init(frame);
    locals[accu] = start instanceof ArrayList && start.size === 0 ? new GrowingList([]) : start;
    let index = 0n;
    for (const item of over instanceof CelMap ? over.keys() : over) {
      locals[first] = second !== undefined && over instanceof CelList ? index++ : item;
      if (second !== undefined) locals[second] = over instanceof CelMap ? (over.find(item) ?? null) : item;
      if (condition(frame) !== true) break;
      locals[accu] = step(frame);
    }
    const grown = locals[accu];
    if (grown instanceof GrowingList) locals[accu] = new ArrayList(grown.items);
    return result(frame);
  };
}
