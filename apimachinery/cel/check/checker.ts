/**
 * Types of all parts of an expression (cel-spec, "Gradual type checking"), which overloads a call may mean, and what is
 * wrong.
 */
import { SliceMeter } from '../../../platform/slices.js';
import type { Work } from '../../../platform/work.js';
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Select, StructExpr } from '../syntax/ast.js';
import { qualifiedNameOf } from '../syntax/ast.js';
import type { Issue } from '../syntax/issues.js';
import type { Value } from '../values/values.js';
import { TypeValue } from '../values/values.js';
import type { Library, Overload } from './declare.js';
import { typeOfLiteral, TYPE_NAMES } from './names.js';
import type { CelType } from '../values/types.js';
import type { Substitution } from './assign.js';
import {
  BOOL,
  DYN,
  ERROR,
  INT,
  STRING,
  isDyn,
  listOf,
  mapOf,
  optionalOf,
  paramOf,
  typeName,
  typeOfType,
} from '../values/types.js';
import { assign, assignAll, substitute } from './assign.js';

export interface Declarations {
  readonly functions: Library;
  readonly variables: Readonly<Record<string, CelType>>;
  /** Types of objects that the expression may make, by their whole name. Default: none. */
  readonly messages?: (name: string) => CelType | undefined;
}

export interface ResolvedCall {
  /** The function's whole name: of `sets.contains(a, b)` the receiver is part of it. */
  readonly fn: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
  /** More than one when types are known only at run time. */
  readonly overloads: readonly Overload[];
}

export interface Checked {
  readonly expr: Expr;
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  readonly calls: ReadonlyMap<Expr, ResolvedCall>;
  /** Names that are types, as `net.IP`. */
  readonly constants: ReadonlyMap<Expr, Value>;
  /** Declared variables that the expression reads. */
  readonly variables: ReadonlySet<string>;
  readonly issues: readonly Issue[];
}

/** A slice is some hundred parts of the expression. */
export function checkWork(expr: Expr, declarations: Declarations): Work<Checked> {
  return new Checker(declarations).whole(expr);
}

/** Of one part of an expression, in units of Work. */
const PART_UNITS = 20;
const TYPE_UNITS = 3;
/** Each yield passes all the parts around the present one: not too many. */
const YIELD_UNITS = 2000;

type Leaf = Extract<Expr, { readonly kind: 'literal' | 'ident' }>;

const isLeaf = (expr: Expr): expr is Leaf => expr.kind === 'literal' || expr.kind === 'ident';

class Checker {
  readonly #functions: Library;
  readonly #variables: Readonly<Record<string, CelType>>;
  readonly #messages: (name: string) => CelType | undefined;
  readonly #scopes: Map<string, CelType>[] = [];
  readonly #types = new Map<Expr, CelType>();
  readonly #calls = new Map<Expr, ResolvedCall>();
  readonly #constants = new Map<Expr, Value>();
  readonly #used = new Set<string>();
  readonly #issues: Issue[] = [];
  readonly #subs: Substitution = new Map();
  #fresh = 0;
  readonly #meter = new SliceMeter(YIELD_UNITS);

  constructor({ functions, variables, messages = () => undefined }: Declarations) {
    this.#messages = messages;
    this.#functions = functions;
    this.#variables = variables;
  }

  *whole(expr: Expr): Work<Checked> {
    yield* this.#visit(expr);
    const types = new Map<Expr, CelType>();
    for (const [node, type] of this.#types) {
      types.set(node, substitute(type, this.#subs, 'dyn'));
      if (this.#meter.spend(TYPE_UNITS)) yield YIELD_UNITS;
    }
    return {
      expr,
      type: types.get(expr) ?? ERROR,
      types,
      calls: this.#calls,
      constants: this.#constants,
      variables: this.#used,
      issues: this.#issues,
    };
  }

  *#visit(expr: Expr): Work<CelType> {
    const type = isLeaf(expr) ? this.#leaf(expr) : yield* this.#branch(expr);
    this.#types.set(expr, type);
    if (this.#meter.spend(PART_UNITS)) yield YIELD_UNITS;
    return type;
  }

  #leaf(expr: Leaf): CelType {
    switch (expr.kind) {
      case 'literal':
        return typeOfLiteral(expr.value);
      case 'ident':
        return (
          this.#ident(expr, expr.name) ??
          this.#complain(expr, `undeclared reference to '${expr.name}' (in container '')`)
        );
    }
  }

  #branch(expr: Exclude<Expr, Leaf>): Work<CelType> {
    switch (expr.kind) {
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return this.#comprehension(expr);
    }
  }

  #complain({ at }: Expr, message: string): CelType {
    this.#issues.push({ at, message });
    return ERROR;
  }

  #ident(expr: Expr, name: string): CelType | undefined {
    for (let depth = this.#scopes.length - 1; depth >= 0; depth--) {
      const local = this.#scopes[depth]?.get(name);
      if (local !== undefined) return local;
    }
    if (Object.hasOwn(this.#variables, name)) {
      this.#used.add(name);
      return this.#variables[name];
    }
    const message = this.#messages(name);
    if (message !== undefined) {
      this.#constants.set(expr, new TypeValue(name));
      return typeOfType(message);
    }
    const named = TYPE_NAMES.get(name);
    if (named === undefined) return undefined;
    this.#constants.set(expr, new TypeValue(named.name));
    return typeOfType(named.type);
  }

  #isLocal(name: string): boolean {
    return this.#scopes.some((scope) => scope.has(name));
  }

  *#select(expr: Select): Work<CelType> {
    const qualified = qualifiedNameOf(expr);
    const root = qualified?.split('.')[0] ?? '';
    if (qualified !== undefined && !this.#isLocal(root)) {
      const type = this.#ident(expr, qualified);
      if (type !== undefined) return type;
    }
    const operand = substitute(yield* this.#visit(expr.operand), this.#subs);
    const field = this.#field(expr, operand, expr.field);
    return expr.testOnly ? BOOL : field;
  }

  /** The type of a field; of an optional object an optional field. */
  #field(expr: Expr, operand: CelType, name: string): CelType {
    switch (operand.kind) {
      case 'error':
        return ERROR;
      case 'dyn':
        return DYN;
      case 'param':
        assign(this.#subs, DYN, operand);
        return DYN;
      case 'optional':
        return optionalOf(this.#field(expr, operand.of, name));
      case 'map':
        return operand.value;
      case 'object':
        return operand.fields.get(name) ?? operand.other ?? this.#complain(expr, `undefined field '${name}'`);
      default:
        return this.#complain(expr, `type '${typeName(operand)}' does not support field selection`);
    }
  }

  *#call(expr: Call): Work<CelType> {
    if (expr.fn === '_?._') return yield* this.#optionalSelect(expr);
    const args: CelType[] = [];
    for (const arg of expr.args) args.push(yield* this.#visit(arg));
    if (expr.fn === '_&&_' || expr.fn === '_||_') return this.#logical(expr, args);
    const { target } = expr;
    if (target === undefined) return this.#overload(expr, { fn: expr.fn, target, args: expr.args }, args);
    const prefix = qualifiedNameOf(target);
    const qualified = `${prefix ?? ''}.${expr.fn}`;
    if (prefix !== undefined && Object.hasOwn(this.#functions, qualified)) {
      return this.#overload(expr, { fn: qualified, target: undefined, args: expr.args }, args);
    }
    return this.#overload(expr, { fn: expr.fn, target, args: expr.args }, [yield* this.#visit(target), ...args]);
  }

  /** What is joined is judged part by part, not as a call. */
  #logical(expr: Call, types: readonly CelType[]): CelType {
    for (const [index, arg] of expr.args.entries()) this.#expect(arg, BOOL, types[index] ?? ERROR);
    this.#calls.set(expr, {
      fn: expr.fn,
      target: undefined,
      args: expr.args,
      overloads: this.#functions[expr.fn] ?? [],
    });
    return BOOL;
  }

  *#optionalSelect(expr: Call): Work<CelType> {
    const [operandExpr, fieldExpr] = expr.args;
    if (operandExpr === undefined || fieldExpr?.kind !== 'literal') return ERROR;
    const operand = substitute(yield* this.#visit(operandExpr), this.#subs);
    this.#types.set(fieldExpr, STRING);
    const field = this.#field(expr, operand, typeof fieldExpr.value === 'string' ? fieldExpr.value : '');
    this.#calls.set(expr, {
      fn: expr.fn,
      target: undefined,
      args: expr.args,
      overloads: this.#functions['_?._'] ?? [],
    });
    return field.kind === 'optional' ? field : optionalOf(field);
  }

  #overload(expr: Call, call: Omit<ResolvedCall, 'overloads'>, args: readonly CelType[]): CelType {
    const declared = Object.hasOwn(this.#functions, call.fn) ? this.#functions[call.fn] : undefined;
    if (declared === undefined) return this.#complain(expr, `undeclared reference to '${call.fn}' (in container '')`);
    const overloads: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of declared) {
      if (overload.member !== (call.target !== undefined)) continue;
      const { args: wanted, result: made } = this.#instance(overload);
      if (!assignAll(this.#subs, wanted, args)) continue;
      overloads.push(overload);
      const type = substitute(made, this.#subs);
      if (result === undefined) result = type;
      else if (!isDyn(result) && typeName(result) !== typeName(type)) result = DYN;
    }
    if (result === undefined)
      return args.some(({ kind }) => kind === 'error') ? ERROR : this.#noOverload(expr, call, args);
    this.#calls.set(expr, { ...call, overloads });
    return result;
  }

  #noOverload(expr: Call, call: Omit<ResolvedCall, 'overloads'>, args: readonly CelType[]): CelType {
    const names = args.map((type) => typeName(substitute(type, this.#subs, 'keep')));
    const signature =
      call.target === undefined ? `(${names.join(', ')})` : `${names[0] ?? ''}.(${names.slice(1).join(', ')})`;
    return this.#complain(expr, `found no matching overload for '${call.fn}' applied to '${signature}'`);
  }

  /** The signature with parameters of its own, so that two calls do not share them. */
  #instance(overload: Overload): Pick<Overload, 'args' | 'result'> {
    const fresh: Substitution = new Map();
    const rename = (type: CelType): void => {
      switch (type.kind) {
        case 'param':
          if (!fresh.has(type.name)) fresh.set(type.name, this.#param());
          break;
        case 'list':
          rename(type.item);
          break;
        case 'map':
          rename(type.key);
          rename(type.value);
          break;
        case 'optional':
        case 'type':
          rename(type.of);
          break;
        default:
          break;
      }
    };
    for (const type of [...overload.args, overload.result]) rename(type);
    return fresh.size === 0
      ? overload
      : { args: overload.args.map((type) => substitute(type, fresh)), result: substitute(overload.result, fresh) };
  }

  #param(): CelType {
    return paramOf(`_var${this.#fresh++}`);
  }

  /** Of parts with different types the literal is one of dyn; literals.ts refuses most of them. */
  #join(known: CelType | undefined, type: CelType): CelType {
    if (known === undefined) return type;
    return !isDyn(known) && !isDyn(type) && assign(this.#subs, known, type) ? known : DYN;
  }

  /** `[?x]`: x is an optional, its value the item. */
  #unwrapped(expr: Expr, type: CelType): CelType {
    const resolved = substitute(type, this.#subs);
    if (resolved.kind === 'optional') return resolved.of;
    return isDyn(resolved)
      ? DYN
      : this.#complain(expr, `expected type 'optional_type(${typeName(resolved)})' but found '${typeName(resolved)}'`);
  }

  *#list(expr: ListExpr): Work<CelType> {
    let item: CelType | undefined;
    for (const { expr: element, optional } of expr.elements) {
      const type = yield* this.#visit(element);
      item = this.#join(item, optional ? this.#unwrapped(element, type) : type);
    }
    return listOf(item ?? this.#param());
  }

  *#map(expr: MapExpr): Work<CelType> {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, optional } of expr.entries) {
      keys = this.#join(keys, yield* this.#visit(key));
      const type = yield* this.#visit(value);
      values = this.#join(values, optional ? this.#unwrapped(value, type) : type);
    }
    return mapOf(keys ?? this.#param(), values ?? this.#param());
  }

  *#struct(expr: StructExpr): Work<CelType> {
    const made = this.#messageType(expr);
    if (made === undefined) return this.#complain(expr, `undeclared reference to '${expr.name}' (in container '')`);
    for (const { at, name, value, optional } of expr.fields) {
      const wanted = made.kind === 'object' ? (made.fields.get(name) ?? made.other) : undefined;
      const given = yield* this.#visit(value);
      const type = optional ? this.#unwrapped(value, given) : given;
      if (wanted === undefined || assign(this.#subs, wanted, type)) continue;
      this.#issues.push({
        at,
        message: `expected type of field '${name}' is '${typeName(wanted)}' but provided type is '${typeName(substitute(type, this.#subs))}'`,
      });
    }
    return made;
  }

  /** Undefined: nothing has that name. */
  #messageType(expr: StructExpr): CelType | undefined {
    const { name } = expr;
    const made = this.#messages(name);
    if (made !== undefined) return made;
    const known = this.#ident(expr, name);
    return (
      known &&
      this.#complain(
        expr,
        known.kind === 'type' ? `'${typeName(known.of)}' is not a message type` : `'${typeName(known)}' is not a type`,
      )
    );
  }

  *#comprehension(expr: Comprehension): Work<CelType> {
    const range = substitute(yield* this.#visit(expr.range), this.#subs);
    const accu = yield* this.#visit(expr.accuInit);
    const [first, second] = this.#loopTypes(expr, range);
    const scope = new Map([[expr.accuVar, accu]]);
    this.#scopes.push(scope);
    const loop = new Map([[expr.iterVar, expr.iterVar2 === undefined && range.kind === 'list' ? second : first]]);
    if (expr.iterVar2 !== undefined) loop.set(expr.iterVar2, second);
    this.#scopes.push(loop);
    this.#expect(expr.condition, BOOL, yield* this.#visit(expr.condition));
    this.#expect(expr.step, accu, yield* this.#visit(expr.step));
    this.#scopes.pop();
    const result = yield* this.#visit(expr.result);
    this.#scopes.pop();
    return substitute(result, this.#subs);
  }

  #expect(expr: Expr, wanted: CelType, type: CelType): void {
    if (assign(this.#subs, wanted, type)) return;
    this.#complain(
      expr,
      `expected type '${typeName(substitute(wanted, this.#subs))}' but found '${typeName(substitute(type, this.#subs))}'`,
    );
  }

  /** Types of index or key, and of item or value. */
  #loopTypes(expr: Comprehension, range: CelType): readonly [CelType, CelType] {
    switch (range.kind) {
      case 'list':
        return [INT, range.item];
      case 'map':
        return [range.key, range.value];
      case 'dyn':
        return [DYN, DYN];
      case 'error':
        return [ERROR, ERROR];
      case 'param':
        assign(this.#subs, DYN, range);
        return [DYN, DYN];
      default:
        this.#complain(
          expr.range,
          `expression of type '${typeName(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [ERROR, ERROR];
    }
  }
}
