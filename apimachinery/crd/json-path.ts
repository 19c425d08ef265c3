/**
 * The JSON paths of CRDs (printer columns, selectable fields, scale): `.spec.a`, `['a.b']`, `[0]`, `[*]`, `a\.b`, and
 * filters by equality as `[?(@.type=="Ready")]`. In: text. Out: a function from an object to the values it finds, each
 * looked for when it is taken: a path of stars finds very many, and tables show one; no more is evaluated.
 */
import { encodeJson } from '../json-value.js';
import { getOwn, isObject } from '../value.js';

/** What a value leads to. */
type Step = (value: unknown) => Iterable<unknown>;

const TOKEN =
  /^(?:\.((?:[^.[\]\\]|\\.)+)|\[(\d+)\]|\[(\*)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[\?\(\s*@((?:\.[^.[\]\s=!]+)+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|(true|false|-?\d+))\s*\)\])/;

/** Undefined for what is no such path. */
export function compileJsonPath(text: string): ((object: unknown) => Iterable<unknown>) | undefined {
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .replace(/^\$/, '');
  const steps: Step[] = [];
  while (rest !== '') {
    const match = TOKEN.exec(rest);
    if (match === null) return undefined;
    steps.push(stepOf(match));
    rest = rest.slice(match[0].length);
  }
  return steps.length === 0 ? undefined : (object) => follow(object, steps);
}

function follow(object: unknown, steps: readonly Step[]): Iterable<unknown> {
  return steps.reduce<Iterable<unknown>>(each, [object]);
}

function* each(values: Iterable<unknown>, step: Step): Generator<unknown> {
  for (const value of values) yield* step(value);
}

/** Undefined when there is none. */
export function firstOf(values: Iterable<unknown>): unknown {
  for (const value of values) return value;
  return undefined;
}

function stepOf(match: RegExpExecArray): Step {
  const [, dotted, index, star, single, double, filter, operator, text, otherText, literal] = match;
  const name = dotted ?? single ?? double;
  if (dotted === '*' || star !== undefined) return children;
  if (name !== undefined) return field(name.replace(/\\(.)/g, '$1'));
  if (index !== undefined)
    return (value) => (Array.isArray(value) && Number(index) < value.length ? [value[Number(index)] as unknown] : []);
  const path = (filter ?? '').slice(1).split('.').map(field);
  const wanted = text ?? otherText ?? literal;
  return function* matching(value) {
    for (const child of children(value)) {
      const found = firstOf(follow(child, path));
      if (found !== undefined && (textOf(found) === wanted) === (operator === '==')) yield child;
    }
  };
}

const field =
  (name: string): Step =>
  (value) => {
    const found = isObject(value) ? getOwn(value, name) : undefined;
    return found === undefined ? [] : [found];
  };

const children = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];

const textOf = (value: unknown): string => (typeof value === 'string' ? value : encodeJson(value));
