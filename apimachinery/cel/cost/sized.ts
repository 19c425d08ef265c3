/** What estimates know of a part of an expression and of a call, and what they say of it. */
import type { CelType } from '../values/types.js';
import type { Expr } from '../syntax/ast.js';
import type { Range } from './range.js';

/** Where a value lies below a variable: `self`, names of fields, `@items`, `@keys`, `@values`. */
export type Path = readonly string[];

/** Sizes of what a path names; undefined when nothing is known. */
export type SizeOf = (path: Path) => Range | undefined;

/** A part of an expression as estimates of calls see it. */
export interface Sized {
  readonly expr: Expr | undefined;
  readonly type: CelType;
  readonly path: Path | undefined;
  readonly size: Range | undefined;
}

export interface Estimate {
  readonly cost: Range;
  /** Size of the result, where it has one. */
  readonly size?: Range;
}

export interface CallShape {
  readonly fn: string;
  readonly overload: string;
  readonly target: Sized | undefined;
  readonly args: readonly Sized[];
  readonly sizeOf: SizeOf;
}
