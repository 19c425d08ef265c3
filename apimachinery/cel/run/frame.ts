/** The state of one evaluation. */
import type { Work } from '../../../platform/work.js';
import type { Value } from '../values/values.js';

export interface Frame {
  readonly variables: Readonly<Record<string, Value>>;
  /** Variables of comprehensions, by slots that the compiler gave out. */
  readonly locals: Value[];
  cost: number;
  readonly limit: number;
  /** Of `cost`, what an evaluation in slices has yielded, without work that is more than its cost. */
  yielded: number;
}

export type Step = (frame: Frame) => Value;
/** The same in slices: the value, the cost and the order are those of the step. */
export type LongStep = (frame: Frame) => Work<Value>;

/** An expression, compiled. `long`: where it has a comprehension, or a call whose cost grows with its arguments. */
export interface Compiled {
  readonly step: Step;
  readonly long?: LongStep | undefined;
}

/** Units of cost between two yields. */
const YIELD_COST = 2000;

export const isDue = (frame: Frame): boolean => frame.cost - frame.yielded >= YIELD_COST;

export function takeUnits(frame: Frame): number {
  const units = frame.cost - frame.yielded;
  frame.yielded = frame.cost;
  return units;
}

/** Whatever has no loop is evaluated at once. */
export function* evaluate({ step, long }: Compiled, frame: Frame): Work<Value> {
  return long === undefined ? step(frame) : yield* long(frame);
}

/** Thrown, for nothing may absorb it. */
export class CostLimitExceeded extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.limit) throw new CostLimitExceeded();
}
