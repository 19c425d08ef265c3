/** What does not evaluate all its arguments, or absorbs errors: logic, conditions, optionals, indexes. */
import { indexList, indexMap } from '../lib/operators.js';
import { CelError, CelList, CelMap, Optional, isError, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { charge } from './frame.js';
import type { Step } from './frame.js';

type Control = (args: readonly Step[]) => Step;

export const NEVER: Step = () => noSuchOverload();

/** `decided` on either side is the result, whatever the other is: an error too. */
const logic =
  (decided: boolean): Control =>
  ([left = NEVER, right = NEVER]) =>
  (frame) => {
    const first = left(frame);
    if (first === decided) return decided;
    return undecided(decided, first, right(frame));
  };

/** `first` did not decide. */
export function undecided(decided: boolean, first: Value, second: Value): Value {
  if (second === decided) return decided;
  if (isError(first)) return first;
  if (isError(second)) return second;
  return typeof first === 'boolean' && typeof second === 'boolean' ? !decided : noSuchOverload();
}

const conditional: Control =
  ([condition = NEVER, whenTrue = NEVER, whenFalse = NEVER]) =>
  (frame) => {
    const chosen = condition(frame);
    if (chosen === true) return whenTrue(frame);
    if (chosen === false) return whenFalse(frame);
    return isError(chosen) ? chosen : noSuchOverload();
  };

/** `frame.cost` grows by one for the access itself. */
const binary =
  (impl: (a: Value, b: Value) => Value): Control =>
  ([left = NEVER, right = NEVER]) =>
  (frame) => {
    const first = left(frame);
    if (isError(first)) return first;
    const second = right(frame);
    if (isError(second)) return second;
    charge(frame, 1);
    return impl(first, second);
  };

function elementOf(container: Value, key: Value): Value {
  if (container instanceof CelMap) return indexMap(container, key);
  return container instanceof CelList ? indexList(container, key) : noSuchOverload();
}

export function optionalElement(container: Value, key: Value): Value {
  const inner = container instanceof Optional ? container.value : container;
  if (inner === undefined) return Optional.none;
  if (!(inner instanceof CelMap) && !(inner instanceof CelList)) return noSuchOverload();
  if (inner instanceof CelList && typeof key !== 'bigint') return noSuchOverload();
  const found = elementOf(inner, key);
  return found instanceof CelError && /^(no such key|index out of bounds)/.test(found.message)
    ? Optional.none
    : isError(found)
      ? found
      : Optional.of(found);
}

export const indexOf = (container: Value, key: Value): Value =>
  container instanceof Optional ? optionalElement(container, key) : elementOf(container, key);

const fallback =
  (wraps: boolean): Control =>
  ([optional = NEVER, other = NEVER]) =>
  (frame) => {
    const first = optional(frame);
    if (isError(first)) return first;
    if (!(first instanceof Optional)) return noSuchOverload();
    charge(frame, 1);
    return first.value === undefined ? other(frame) : wraps ? first : first.value;
  };

export const CONTROLS: Readonly<Record<string, Control>> = {
  '_&&_': logic(false),
  '_||_': logic(true),
  '_?_:_': conditional,
  '@not_strictly_false':
    ([operand = NEVER]) =>
    (frame) => {
      const value = operand(frame);
      charge(frame, 1);
      return value !== false;
    },
  '_[_]': binary(indexOf),
  '_[?_]': binary(optionalElement),
  '_?._': binary(optionalElement),
  or: fallback(true),
  orValue: fallback(false),
};

/** `a.b`, or whether it is there; of an optional object, an optional field. */
export function selectField(operand: Value, field: string): Value {
  if (operand instanceof Optional) return optionalElement(operand, field);
  return operand instanceof CelMap ? indexMap(operand, field) : noSuchOverload();
}

export function hasField(operand: Value, field: string): Value {
  const inner = operand instanceof Optional ? operand.value : operand;
  if (inner === undefined) return false;
  if (!(inner instanceof CelMap)) return noSuchOverload();
  const found = inner.find(field);
  return found !== undefined;
}
