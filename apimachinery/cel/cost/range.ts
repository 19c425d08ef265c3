/** Ranges of costs and sizes. The largest uint64 stands for "without bound"; nothing grows beyond it. */

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** 2^64: as near to the largest uint64 as a double comes. */
export const UNBOUNDED = 2 ** 64;

export const ZERO: Range = { min: 0, max: 0 };
export const UNKNOWN: Range = { min: 0, max: UNBOUNDED };
export const fixed = (value: number): Range => ({ min: value, max: value });

const bounded = (value: number): number => Math.min(value, UNBOUNDED);

export const add = (a: Range, b: Range): Range => ({ min: bounded(a.min + b.min), max: bounded(a.max + b.max) });
export const times = (a: Range, b: Range): Range => ({ min: bounded(a.min * b.min), max: bounded(a.max * b.max) });
/** Rounded up. */
export const scale = (a: Range, factor: number): Range => ({
  min: bounded(Math.ceil(a.min * factor)),
  max: bounded(Math.ceil(a.max * factor)),
});
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
