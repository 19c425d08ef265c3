/**
 * The functions of control.ts in slices, for arguments that have loops: the same arguments are evaluated, in the same
 * order.
 */
import { Optional, isError, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { indexOf, NEVER, optionalElement, undecided } from './control.js';
import { charge, evaluate } from './frame.js';
import type { Compiled, LongStep } from './frame.js';

type LongControl = (args: readonly Compiled[]) => LongStep;

const MISSING: Compiled = { step: NEVER };

const logic =
  (decided: boolean): LongControl =>
  ([left = MISSING, right = MISSING]) =>
    function* (frame) {
      const first = yield* evaluate(left, frame);
      return first === decided ? decided : undecided(decided, first, yield* evaluate(right, frame));
    };

const conditional: LongControl = ([condition = MISSING, whenTrue = MISSING, whenFalse = MISSING]) =>
  function* (frame) {
    const chosen = yield* evaluate(condition, frame);
    if (chosen === true) return yield* evaluate(whenTrue, frame);
    if (chosen === false) return yield* evaluate(whenFalse, frame);
    return isError(chosen) ? chosen : noSuchOverload();
  };

const binary =
  (impl: (a: Value, b: Value) => Value): LongControl =>
  ([left = MISSING, right = MISSING]) =>
    function* (frame) {
      const first = yield* evaluate(left, frame);
      if (isError(first)) return first;
      const second = yield* evaluate(right, frame);
      if (isError(second)) return second;
      charge(frame, 1);
      return impl(first, second);
    };

const fallback =
  (wraps: boolean): LongControl =>
  ([optional = MISSING, other = MISSING]) =>
    function* (frame) {
      const first = yield* evaluate(optional, frame);
      if (isError(first)) return first;
      if (!(first instanceof Optional)) return noSuchOverload();
      charge(frame, 1);
      if (first.value === undefined) return yield* evaluate(other, frame);
      return wraps ? first : first.value;
    };

export const LONG_CONTROLS: Readonly<Record<string, LongControl>> = {
  '_&&_': logic(false),
  '_||_': logic(true),
  '_?_:_': conditional,
  '@not_strictly_false': ([operand = MISSING]) =>
    function* (frame) {
      const value = yield* evaluate(operand, frame);
      charge(frame, 1);
      return value !== false;
    },
  '_[_]': binary(indexOf),
  '_[?_]': binary(optionalElement),
  '_?._': binary(optionalElement),
  or: fallback(true),
  orValue: fallback(false),
};
