/** The worst case an expression may cost, from sizes of its variables: cel-go's checker/cost.go, step by step. */
import { SliceMeter } from '../../../platform/slices.js';
import type { Work } from '../../../platform/work.js';
import type { Checked, ResolvedCall } from '../check/checker.js';
import type { CelType } from '../values/types.js';
import { DYN } from '../values/types.js';
import { isBind } from '../syntax/macros.js';
import type { Comprehension, Expr, ListExpr, MapExpr, Select } from '../syntax/ast.js';
import { charCount } from '../values/values.js';
import { estimateCall } from './calls.js';
import { LIST_BASE, MAP_BASE } from './factors.js';
import type { Path, SizeOf, Sized } from './sized.js';
import type { Range } from './range.js';
import { UNKNOWN, ZERO, add, fixed, times, union } from './range.js';

interface EntrySize {
  readonly of: 'list' | 'map';
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly path: Path;
  readonly size: Range | undefined;
  readonly entry: EntrySize | undefined;
}

export function estimateCostWork(checked: Checked, sizeOf: SizeOf): Work<Range> {
  return new Estimator(checked, sizeOf).cost(checked.expr);
}

/** Of one part of an expression, in units of Work. */
const PART_UNITS = 20;
/** Each yield passes all the parts around the present one: not too many. */
const YIELD_UNITS = 2000;

class Estimator {
  readonly #checked: Checked;
  readonly #sizeOf: SizeOf;
  readonly #paths = new Map<Expr, Path>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, EntrySize>();
  readonly #locals = new Map<string, Local[]>();
  readonly #meter = new SliceMeter(YIELD_UNITS);

  constructor(checked: Checked, sizeOf: SizeOf) {
    this.#checked = checked;
    this.#sizeOf = sizeOf;
  }

  *cost(expr: Expr): Work<Range> {
    if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    const named = this.#checked.constants.get(expr);
    if (named !== undefined) {
      // A name of a type is an identifier, however many dots it has.
      this.#paths.set(expr, ['@type']);
      return fixed(1);
    }
    switch (expr.kind) {
      case 'literal':
        return ZERO;
      case 'ident':
        this.#paths.set(expr, this.#local(expr.name)?.path ?? [expr.name]);
        return fixed(1);
      case 'select':
        return yield* this.#select(expr);
      case 'call':
        return yield* this.#call(expr);
      case 'list':
        return yield* this.#list(expr);
      case 'map':
        return yield* this.#map(expr);
      case 'comprehension':
        return yield* isBind(expr) ? this.#bind(expr) : this.#comprehension(expr);
      default:
        return ZERO;
    }
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  *#scoped<T>(name: string, local: Local, inner: () => Work<T>): Work<T> {
    const stack = this.#locals.get(name) ?? [];
    this.#locals.set(name, stack);
    stack.push(local);
    const result = yield* inner();
    stack.pop();
    return result;
  }

  #type(expr: Expr): CelType {
    return this.#checked.types.get(expr) ?? DYN;
  }

  #path(expr: Expr): Path {
    const local = expr.kind === 'ident' ? this.#local(expr.name) : undefined;
    return local?.path ?? this.#paths.get(expr) ?? [];
  }

  *#select(expr: Select): Work<Range> {
    const operand = yield* this.cost(expr.operand);
    if (expr.testOnly) return operand;
    const { kind } = this.#type(expr.operand);
    this.#paths.set(expr, [...this.#path(expr.operand), expr.field]);
    return ['map', 'object', 'param'].includes(kind) ? add(operand, fixed(1)) : operand;
  }

  *#call(expr: Expr): Work<Range> {
    const call = this.#checked.calls.get(expr);
    if (call === undefined) return ZERO;
    const [only] = call.args;
    if (call.fn === 'dyn' && only !== undefined) {
      const cost = yield* this.cost(only);
      this.#copySizes(expr, only);
      return add(fixed(1), cost);
    }
    const costs: Range[] = [];
    for (const arg of call.args) costs.push(yield* this.cost(arg));
    const args = call.args.map((arg) => this.#sized(arg));
    const targetCost = call.target === undefined ? ZERO : yield* this.cost(call.target);
    const target = call.target === undefined ? undefined : this.#sized(call.target);
    let total: Range | undefined;
    let size: Range | undefined;
    for (const { id } of call.overloads) {
      const estimate = this.#callEstimate(expr, { call, id, target, args, costs });
      total = total === undefined ? estimate.cost : union(total, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
      size = this.#indexed(expr, { call, id, size }) ?? this.#size(expr);
    }
    if (size !== undefined) this.#sizes.set(expr, size);
    return add(targetCost, total ?? ZERO);
  }

  /** An index goes on to the items of its list, or the values of its map. */
  #indexed(
    expr: Expr,
    { call, id, size }: { readonly call: ResolvedCall; readonly id: string; readonly size: Range | undefined },
  ): Range | undefined {
    const [container] = call.args;
    if (container === undefined || (id !== 'index_list' && id !== 'index_map')) return size;
    this.#paths.set(expr, [...this.#path(container), id === 'index_list' ? '@items' : '@values']);
    return this.#entry(container)?.value;
  }

  #callEstimate(
    expr: Expr,
    {
      call,
      id,
      target,
      args,
      costs,
    }: {
      readonly call: ResolvedCall;
      readonly id: string;
      readonly target: Sized | undefined;
      readonly args: readonly Sized[];
      readonly costs: readonly Range[];
    },
  ): { readonly cost: Range; readonly size?: Range | undefined } {
    const sum = costs.reduce(add, ZERO);
    const [first = ZERO, second = ZERO, third = ZERO] = costs;
    switch (id) {
      case 'logical_or':
      case 'logical_and':
        return { cost: { min: first.min, max: add(first, second).max } };
      case 'conditional': {
        this.#joinEntries(expr, args[1], args[2]);
        return { cost: add(first, union(second, third)), size: union(sizeOrUnknown(args[1]), sizeOrUnknown(args[2])) };
      }
      case 'add_list':
      case 'add_string':
      case 'add_bytes':
        this.#joinEntries(expr, args[0], args[1]);
        break;
      default:
        break;
    }
    const estimate = estimateCall({ fn: call.fn, overload: id, target, args, sizeOf: this.#sizeOf });
    return { cost: add(estimate.cost, sum), size: estimate.size };
  }

  #joinEntries(expr: Expr, a: Sized | undefined, b: Sized | undefined): void {
    const [left, right] = [a, b].map((part) => (part?.expr === undefined ? undefined : this.#entry(part.expr)));
    if (left !== undefined && right !== undefined) {
      this.#entries.set(expr, { of: left.of, key: union(left.key, right.key), value: union(left.value, right.value) });
    }
  }

  *#list(expr: ListExpr): Work<Range> {
    let cost = fixed(LIST_BASE);
    let item: Range | undefined;
    for (const { expr: element } of expr.elements) {
      cost = add(cost, yield* this.cost(element));
      const size = this.#size(element) ?? UNKNOWN;
      item = item === undefined ? size : union(item, size);
    }
    this.#entries.set(expr, { of: 'list', key: fixed(1), value: item ?? ZERO });
    return cost;
  }

  *#map(expr: MapExpr): Work<Range> {
    let cost = fixed(MAP_BASE);
    let keys: Range | undefined;
    let values: Range | undefined;
    for (const { key, value } of expr.entries) {
      cost = add(cost, add(yield* this.cost(key), yield* this.cost(value)));
      const [keySize, valueSize] = [this.#size(key) ?? UNKNOWN, this.#size(value) ?? UNKNOWN];
      keys = keys === undefined ? keySize : union(keys, keySize);
      values = values === undefined ? valueSize : union(values, valueSize);
    }
    this.#entries.set(expr, { of: 'map', key: keys ?? ZERO, value: values ?? ZERO });
    return cost;
  }

  *#comprehension(expr: Comprehension): Work<Range> {
    const before = add(yield* this.cost(expr.range), yield* this.cost(expr.accuInit));
    const accu: Local = {
      path: this.#path(expr.accuInit),
      size: this.#size(expr.accuInit),
      entry: this.#entry(expr.accuInit),
    };
    const { loop, result } = yield* this.#scoped(expr.accuVar, accu, () => this.#loop(expr));
    const count = this.#size(expr.range) ?? UNKNOWN;
    this.#setResult(expr, count);
    return add(add(before, result), times(count, loop));
  }

  *#loop(expr: Comprehension): Work<{ readonly loop: Range; readonly result: Range }> {
    const condition = yield* this.#iterating(expr, () => this.cost(expr.condition));
    const step = yield* this.#iterating(expr, () => this.cost(expr.step));
    return { loop: add(step, condition), result: yield* this.cost(expr.result) };
  }

  #setResult(expr: Comprehension, count: Range): void {
    if (expr.accuInit.kind === 'literal') {
      const size = this.#size(expr.accuInit);
      if (size !== undefined) this.#sizes.set(expr, size);
    } else if (expr.accuInit.kind === 'list' || expr.accuInit.kind === 'map') {
      this.#sizes.set(expr, count);
      const entry = this.#entry(expr.step);
      if (entry !== undefined) this.#entries.set(expr, entry);
    }
  }

  #iterating(expr: Comprehension, inner: () => Work<Range>): Work<Range> {
    const entry = this.#entry(expr.range);
    const path = this.#path(expr.range);
    const isList = (entry?.of ?? this.#type(expr.range).kind) === 'list';
    const key: Local = { path: [...path, isList ? '@indices' : '@keys'], size: entry?.key, entry: undefined };
    const value: Local = { path: [...path, isList ? '@items' : '@values'], size: entry?.value, entry: undefined };
    const { iterVar2 } = expr;
    if (iterVar2 === undefined) return this.#scoped(expr.iterVar, isList ? value : key, inner);
    return this.#scoped(expr.iterVar, key, () => this.#scoped(iterVar2, value, inner));
  }

  *#bind(expr: Comprehension): Work<Range> {
    const before = add(yield* this.cost(expr.range), yield* this.cost(expr.accuInit));
    const local: Local = {
      path: this.#path(expr.accuInit),
      size: this.#size(expr.accuInit),
      entry: this.#entry(expr.accuInit),
    };
    const cost = this.cost.bind(this);
    const copySizes = (): void => this.#copySizes(expr, expr.result);
    const result = yield* this.#scoped(expr.accuVar, local, function* (): Work<Range> {
      const range = yield* cost(expr.result);
      copySizes();
      return range;
    });
    return add(before, result);
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#size(from);
    if (size !== undefined) this.#sizes.set(to, size);
    const entry = this.#entry(from);
    if (entry !== undefined) this.#entries.set(to, entry);
  }

  #sized(expr: Expr): Sized {
    const path = this.#path(expr);
    return {
      expr,
      type: this.#type(expr),
      path: path.length === 0 || path[0]?.startsWith('@') === true ? undefined : path,
      size: this.#size(expr),
    };
  }

  #size(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr);
    if (known !== undefined) return known;
    const path = this.#path(expr);
    const estimated = path.length === 0 ? undefined : this.#sizeOf(path);
    if (estimated !== undefined) {
      this.#sizes.set(expr, estimated);
      return estimated;
    }
    if (isScalar(this.#type(expr))) return fixed(1);
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined;
  }

  #entry(expr: Expr): EntrySize | undefined {
    return this.#entries.get(expr) ?? (expr.kind === 'ident' ? this.#local(expr.name)?.entry : undefined);
  }
}

const sizeOrUnknown = (part: Sized | undefined): Range => part?.size ?? UNKNOWN;

function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case 'literal':
      return fixed(
        typeof expr.value === 'string'
          ? charCount(expr.value)
          : expr.value instanceof Uint8Array
            ? expr.value.length
            : 1,
      );
    case 'list':
      return fixed(expr.elements.length);
    case 'map':
      return fixed(expr.entries.length);
    default:
      return undefined;
  }
}

const SCALARS = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);
function isScalar(type: CelType): boolean {
  return SCALARS.has(type.kind) || (type.kind === 'optional' && isScalar(type.of));
}
