/** The state of one evaluation. */
import type { Value } from '../values/values.js';

export interface Frame {
  readonly variables: Readonly<Record<string, Value>>;
  /** Variables of comprehensions, by slots that the compiler gave out. */
  readonly locals: Value[];
  cost: number;
  readonly limit: number;
}

export type Step = (frame: Frame) => Value;

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
