/** The tree of an expression. A node is told from others by its identity; `at` is its place in the text, for issues. */
import type { Value } from '../values/values.js';

interface Literal {
  readonly kind: 'literal';
  readonly at: number;
  readonly value: Value;
}
interface Ident {
  readonly kind: 'ident';
  readonly at: number;
  readonly name: string;
}
export interface Select {
  readonly kind: 'select';
  readonly at: number;
  readonly operand: Expr;
  readonly field: string;
  /** `has(a.b)`: only whether the field is there. */
  readonly testOnly: boolean;
}
export interface Call {
  readonly kind: 'call';
  readonly at: number;
  readonly fn: string;
  readonly target?: Expr;
  readonly args: readonly Expr[];
}
export interface ListExpr {
  readonly kind: 'list';
  readonly at: number;
  readonly elements: readonly { readonly expr: Expr; readonly optional: boolean }[];
}
export interface MapExpr {
  readonly kind: 'map';
  readonly at: number;
  readonly entries: readonly { readonly key: Expr; readonly value: Expr; readonly optional: boolean }[];
}
/** `Name{field: value}`: the checker knows which types can be made so. */
export interface StructExpr {
  readonly kind: 'struct';
  readonly at: number;
  readonly name: string;
  readonly fields: readonly StructField[];
}
export interface StructField {
  /** Of the colon. */
  readonly at: number;
  readonly name: string;
  readonly value: Expr;
  readonly optional: boolean;
}
/** A loop over `range`, as macros expand to. */
export interface Comprehension {
  readonly kind: 'comprehension';
  readonly at: number;
  readonly range: Expr;
  readonly iterVar: string;
  /** Value of the entry or item, while `iterVar` has its key or index. */
  readonly iterVar2?: string;
  readonly accuVar: string;
  readonly accuInit: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
export type Expr = Literal | Ident | Select | Call | ListExpr | MapExpr | StructExpr | Comprehension;

/** `a.b.c` for idents and selects of them. */
export function qualifiedNameOf(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.testOnly) return undefined;
  const operand = qualifiedNameOf(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}

/** The parts of a node, each once. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    case 'list':
      return expr.elements.map((element) => element.expr);
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return expr.fields.map(({ value }) => value);
    case 'comprehension':
      return [expr.range, expr.accuInit, expr.condition, expr.step, expr.result];
    default:
      return [];
  }
}
