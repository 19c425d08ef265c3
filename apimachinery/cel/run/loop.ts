/**
 * Comprehensions: what `all`, `map` and the like come to. Each is run at once, or in slices with a yield between items.
 */
import { ArrayList, CelList, CelMap, GrowingList, isError, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';
import { evaluate, isDue, takeUnits } from './frame.js';
import type { Compiled, Frame, LongStep, Step } from './frame.js';

/** Numbers are slots of the frame. */
export interface Loop {
  readonly first: number;
  readonly second: number | undefined;
  readonly accu: number;
  readonly condition: Compiled;
  readonly body: Compiled;
}

export interface LoopParts {
  readonly range: Compiled;
  readonly init: Compiled;
  readonly loop: Loop;
  readonly result: Compiled;
}

/** An empty list grows in place while the loop runs. */
const accumulator = (start: Value): Value =>
  start instanceof ArrayList && start.size === 0 ? new GrowingList([]) : start;

/** Sets the variables of the loop; of two, the first is the index or the key. */
function binderOf({ first, second }: Loop, over: CelList | CelMap): (frame: Frame, item: Value) => void {
  if (second === undefined) return ({ locals }, item) => void (locals[first] = item);
  if (over instanceof CelMap) {
    return ({ locals }, item) => {
      locals[first] = item;
      locals[second] = over.find(item) ?? null;
    };
  }
  let index = 0n;
  return ({ locals }, item) => {
    locals[first] = index++;
    locals[second] = item;
  };
}

/** Runs until the condition is false. Entries of a map come in the order of its keys. */
export function comprehend({ range, init, loop, result }: LoopParts): Step {
  const { accu } = loop;
  const [condition, body] = [loop.condition.step, loop.body.step];
  return (frame) => {
    const over = range.step(frame);
    if (isError(over)) return over;
    if (!(over instanceof CelList) && !(over instanceof CelMap)) return noSuchOverload();
    frame.locals[accu] = accumulator(init.step(frame));
    const bind = binderOf(loop, over);
    for (const item of over instanceof CelMap ? over.keys() : over) {
      bind(frame, item);
      if (condition(frame) !== true) break;
      frame.locals[accu] = body(frame);
    }
    const grown = frame.locals[accu];
    if (grown instanceof GrowingList) frame.locals[accu] = new ArrayList(grown.items);
    return result.step(frame);
  };
}

export function comprehendLong({ range, init, loop, result }: LoopParts): LongStep {
  const { accu, condition, body } = loop;
  const [isLongCondition, isLongBody] = [condition.long !== undefined, body.long !== undefined];
  return function* (frame) {
    const over = yield* evaluate(range, frame);
    if (isError(over)) return over;
    if (!(over instanceof CelList) && !(over instanceof CelMap)) return noSuchOverload();
    frame.locals[accu] = accumulator(yield* evaluate(init, frame));
    const bind = binderOf(loop, over);
    for (const item of over instanceof CelMap ? over.keys() : over) {
      bind(frame, item);
      if ((isLongCondition ? yield* evaluate(condition, frame) : condition.step(frame)) !== true) break;
      frame.locals[accu] = isLongBody ? yield* evaluate(body, frame) : body.step(frame);
      if (isDue(frame)) yield takeUnits(frame);
    }
    const grown = frame.locals[accu];
    if (grown instanceof GrowingList) frame.locals[accu] = new ArrayList(grown.items);
    return yield* evaluate(result, frame);
  };
}
