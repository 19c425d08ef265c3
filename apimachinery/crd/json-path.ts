/**
 * The JSON paths of CRDs (printer columns, selectable fields, scale): `.spec.a`, `['a.b']`, `[0]`, `[*]`, `a\.b`, and filters
 * by equality as `[?(@.type=="Ready")]`. In: text. Out: a function from an object to the values it finds; no more is evaluated.
 */
import { encodeJson } from '../json-value.js';
import { getOwn, isObject } from '../value.js';

type Step = (values: readonly unknown[]) => unknown[];

const TOKEN = /^(?:\.((?:[^.[\]\\]|\\.)+)|\[(\d+)\]|\[(\*)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[\?\(\s*@((?:\.[^.[\]\s=!]+)+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|(true|false|-?\d+))\s*\)\])/;

/** Undefined for what is no such path. */
export function compileJsonPath(text: string): ((object: unknown) => unknown[]) | undefined {
  let rest = text.trim().replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '');
  const steps: Step[] = [];
  while (rest !== '') {
    const match = TOKEN.exec(rest);
    if (match === null) return undefined;
    steps.push(stepOf(match));
    rest = rest.slice(match[0].length);
  }
  return steps.length === 0 ? undefined : (object) => steps.reduce<unknown[]>((values, step) => step(values), [object]);
}

function stepOf(match: RegExpExecArray): Step {
  const [, dotted, index, star, single, double, filter, operator, text, otherText, literal] = match;
  const name = dotted ?? single ?? double;
  if (dotted === '*' || star !== undefined) return (values) => values.flatMap(children);
  if (name !== undefined) return field(name.replace(/\\(.)/g, '$1'));
  if (index !== undefined) return (values) => values.flatMap((value) => (Array.isArray(value) && Number(index) < value.length ? [value[Number(index)] as unknown] : []));
  const path = (filter ?? '').slice(1).split('.').map(field);
  const wanted = text ?? otherText ?? literal;
  return (values) => values.flatMap(children).filter((child) => {
    const [found] = path.reduce<unknown[]>((inner, step) => step(inner), [child]);
    return found !== undefined && (textOf(found) === wanted) === (operator === '==');
  });
}

const field = (name: string): Step => (values) => values.flatMap((value) => {
  const found = isObject(value) ? getOwn(value, name) : undefined;
  return found === undefined ? [] : [found];
});

const children = (value: unknown): unknown[] => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []);

const textOf = (value: unknown): string => (typeof value === 'string' ? value : encodeJson(value));
