/** Calls that are expanded while parsing, to the trees that cel-go makes of them: costs follow from the expansion. */
import type { Call, Comprehension, Expr } from './ast.js';
import { SyntaxIssue } from './issues.js';

const ACCU = '@result';
const UNUSED = '#unused';

type Expand = (call: Call, target: Expr, args: readonly Expr[]) => Expr;

/** By name and number of arguments. */
const RECEIVER: Readonly<Record<string, Expand>> = {
  'all/2': (call, range, args) => quantifier(call, range, args, ALL),
  'exists/2': (call, range, args) => quantifier(call, range, args, EXISTS),
  'exists_one/2': (call, range, args) => quantifier(call, range, args, EXISTS_ONE),
  'existsOne/2': (call, range, args) => quantifier(call, range, args, EXISTS_ONE),
  'all/3': (call, range, args) => quantifier(call, range, args, ALL),
  'exists/3': (call, range, args) => quantifier(call, range, args, EXISTS),
  'exists_one/3': (call, range, args) => quantifier(call, range, args, EXISTS_ONE),
  'existsOne/3': (call, range, args) => quantifier(call, range, args, EXISTS_ONE),
  'map/2': (call, range, [name, item]) => collect(call, range, { names: [name], item }),
  'map/3': (call, range, [name, filter, item]) => collect(call, range, { names: [name], filter, item }),
  'filter/2': (call, range, [name, filter]) => collect(call, range, { names: [name], filter, item: name }),
  'transformList/3': (call, range, [first, second, item]) => collect(call, range, { names: [first, second], item }),
  'transformList/4': (call, range, [first, second, filter, item]) =>
    collect(call, range, { names: [first, second], filter, item }),
  'transformMap/3': (call, range, [first, second, item]) =>
    collectMap(call, range, { names: [first, second], item, keyed: true }),
  'transformMap/4': (call, range, [first, second, filter, item]) =>
    collectMap(call, range, { names: [first, second], filter, item, keyed: true }),
  'transformMapEntry/3': (call, range, [first, second, item]) =>
    collectMap(call, range, { names: [first, second], item, keyed: false }),
  'transformMapEntry/4': (call, range, [first, second, filter, item]) =>
    collectMap(call, range, { names: [first, second], filter, item, keyed: false }),
  'optMap/2': (call, target, args) => optional(call, target, args, true),
  'optFlatMap/2': (call, target, args) => optional(call, target, args, false),
  'sortBy/2': sortBy,
};

/** The call itself when it is no macro. Throws a SyntaxIssue for one that is used wrongly. */
export function expandMacro(call: Call): Expr {
  if (call.target === undefined) return call.fn === 'has' && call.args.length === 1 ? presence(call) : call;
  const key = `${call.fn}/${call.args.length}`;
  const expand = Object.hasOwn(RECEIVER, key) ? RECEIVER[key] : undefined;
  return expand === undefined ? call : expand(call, call.target, call.args);
}

function presence(call: Call): Expr {
  const [operand] = call.args;
  if (operand?.kind !== 'select' || operand.testOnly)
    throw new SyntaxIssue(operand?.at ?? call.at, 'invalid argument to has() macro');
  return { ...operand, at: call.at, testOnly: true };
}

const literal = (at: number, value: boolean | bigint): Expr => ({ kind: 'literal', at, value });
const ident = (at: number, name: string): Expr => ({ kind: 'ident', at, name });
const apply = (at: number, fn: string, ...args: readonly Expr[]): Call => ({ kind: 'call', at, fn, args });
const listOf = (at: number, ...items: readonly Expr[]): Expr => ({
  kind: 'list',
  at,
  elements: items.map((expr) => ({ expr, optional: false })),
});

function simpleName(expr: Expr | undefined, call: Call): string {
  if (expr?.kind !== 'ident') throw new SyntaxIssue(expr?.at ?? call.at, 'argument must be a simple name');
  if (expr.name === ACCU || expr.name === '__result__')
    throw new SyntaxIssue(expr.at, 'iteration variable overwrites accumulator variable');
  return expr.name;
}

/** One name for items or keys, or two: index or key, and value. */
function loopNames(call: Call, names: readonly (Expr | undefined)[]): Pick<Comprehension, 'iterVar' | 'iterVar2'> {
  const iterVar = simpleName(names[0], call);
  if (names.length === 1) return { iterVar };
  const iterVar2 = simpleName(names[1], call);
  if (iterVar2 === iterVar) throw new SyntaxIssue(names[1]?.at ?? call.at, `duplicate variable name: ${iterVar}`);
  return { iterVar, iterVar2 };
}

type Parts = Pick<Comprehension, 'accuInit' | 'condition' | 'step' | 'result'>;

function quantifier(
  call: Call,
  range: Expr,
  args: readonly Expr[],
  parts: (at: number, predicate: Expr) => Parts,
): Expr {
  const names = loopNames(call, args.slice(0, -1));
  const predicate = args.at(-1);
  if (predicate === undefined) return call;
  return { kind: 'comprehension', at: call.at, range, ...names, accuVar: ACCU, ...parts(call.at, predicate) };
}

const ALL = (at: number, predicate: Expr): Parts => ({
  accuInit: literal(at, true),
  condition: apply(at, '@not_strictly_false', ident(at, ACCU)),
  step: apply(at, '_&&_', ident(at, ACCU), predicate),
  result: ident(at, ACCU),
});
const EXISTS = (at: number, predicate: Expr): Parts => ({
  accuInit: literal(at, false),
  condition: apply(at, '@not_strictly_false', apply(at, '!_', ident(at, ACCU))),
  step: apply(at, '_||_', ident(at, ACCU), predicate),
  result: ident(at, ACCU),
});
const EXISTS_ONE = (at: number, predicate: Expr): Parts => ({
  accuInit: literal(at, 0n),
  condition: literal(at, true),
  step: apply(at, '_?_:_', predicate, apply(at, '_+_', ident(at, ACCU), literal(at, 1n)), ident(at, ACCU)),
  result: apply(at, '_==_', ident(at, ACCU), literal(at, 1n)),
});

interface Collected {
  readonly names: readonly (Expr | undefined)[];
  readonly filter?: Expr | undefined;
  readonly item: Expr | undefined;
}

function collect(call: Call, range: Expr, { names, filter, item }: Collected): Expr {
  const { at } = call;
  const loop = loopNames(call, names);
  if (item === undefined) return call;
  const add = apply(at, '_+_', ident(at, ACCU), listOf(at, item));
  const step = filter === undefined ? add : apply(at, '_?_:_', filter, add, ident(at, ACCU));
  return {
    kind: 'comprehension',
    at,
    range,
    ...loop,
    accuVar: ACCU,
    accuInit: listOf(at),
    condition: literal(at, true),
    step,
    result: ident(at, ACCU),
  };
}

function collectMap(
  call: Call,
  range: Expr,
  { names, filter, item, keyed }: Collected & { readonly keyed: boolean },
): Expr {
  const { at } = call;
  const loop = loopNames(call, names);
  if (item === undefined) return call;
  const insert = apply(at, 'cel.@mapInsert', ident(at, ACCU), ...(keyed ? [ident(at, loop.iterVar)] : []), item);
  const step = filter === undefined ? insert : apply(at, '_?_:_', filter, insert, ident(at, ACCU));
  return {
    kind: 'comprehension',
    at,
    range,
    ...loop,
    accuVar: ACCU,
    accuInit: { kind: 'map', at, entries: [] },
    condition: literal(at, true),
    step,
    result: ident(at, ACCU),
  };
}

/** A loop that never runs: its accumulator is a local variable of `result`. */
function bind(
  at: number,
  { name, value, result }: { readonly name: string; readonly value: Expr; readonly result: Expr },
): Expr {
  return {
    kind: 'comprehension',
    at,
    range: listOf(at),
    iterVar: UNUSED,
    accuVar: name,
    accuInit: value,
    condition: literal(at, false),
    step: ident(at, name),
    result,
  };
}

export function isBind(expr: Comprehension): boolean {
  return expr.iterVar === UNUSED && expr.accuVar !== ACCU;
}

function optional(call: Call, target: Expr, args: readonly Expr[], wraps: boolean): Expr {
  const { at } = call;
  const [name, result] = args;
  if (name?.kind !== 'ident')
    throw new SyntaxIssue(name?.at ?? at, `${call.fn}() variable name must be a simple identifier`);
  if (result === undefined) return call;
  const bound = bind(at, { name: name.name, value: { kind: 'call', at, fn: 'value', target, args: [] }, result });
  return apply(
    at,
    '_?_:_',
    { kind: 'call', at, fn: 'hasValue', target, args: [] },
    wraps ? apply(at, 'optional.of', bound) : bound,
    apply(at, 'optional.none'),
  );
}

const SORTED = '@__sortBy_input__';

function sortBy(call: Call, target: Expr, [name, key]: readonly Expr[]): Expr {
  const { at } = call;
  const keys = collect(call, ident(at, SORTED), { names: [name], item: key });
  return bind(at, {
    name: SORTED,
    value: target,
    result: { kind: 'call', at, fn: '@sortByAssociatedKeys', target: ident(at, SORTED), args: [keys] },
  });
}
