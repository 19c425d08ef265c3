/** Paths such as `.spec.x['a.b']` below a schema: `fieldPath` of rules, `jsonPath` of selectable fields. */
import type { Schema } from '../schema.js';

export type FoundPath =
  | { readonly kind: 'found'; readonly path: string; readonly root: string; readonly schema: Schema }
  | { readonly kind: 'bad'; readonly why: string };

/**
 * Delimiters are tokens, and so is what stands between them; within quotes there are none. A quote that is not closed
 * takes the rest.
 */
const TOKEN = /[.[\]]|'(?:[^'\\]|\\[^])*'|'[^]*|[^'.[\]][^.[\]]*/g;
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

const bad = (why: string): FoundPath => ({ kind: 'bad', why });

/** The path as field errors print it, and the schema it leads to. */
export function findFieldPath(text: string, schema: Schema, { brackets = true } = {}): FoundPath {
  const tokens = text.match(TOKEN) ?? [];
  let [node, path, root] = [schema, '', ''];
  for (let at = 0; at < tokens.length;) {
    const step = stepOf(tokens, at, brackets);
    if ('why' in step) return bad(step.why);
    const { properties } = node;
    const next: Schema | undefined =
      properties === undefined
        ? node.additionalProperties
        : Object.hasOwn(properties, step.name)
          ? properties[step.name]
          : undefined;
    if (next === undefined) return bad('does not refer to a valid field');
    if (step.unclosed !== undefined) return bad(step.unclosed);
    path += properties !== undefined ? `${path === '' ? '' : '.'}${step.name}` : `[${step.name}]`;
    root ||= step.name;
    node = next;
    at += step.length;
  }
  return { kind: 'found', path, root, schema: node };
}

type Step = { readonly name: string; readonly length: number; readonly unclosed?: string } | { readonly why: string };

const ENDED = 'unexpected end of JSON path';

function stepOf(tokens: readonly string[], at: number, brackets: boolean): Step {
  const [token = '', name, closing] = tokens.slice(at, at + 3);
  if (token === '.') return name === undefined ? { why: ENDED } : { name, length: 2 };
  if (token !== '[') return { why: `expected [ or . but got: ${token}` };
  if (!brackets) return { why: 'array notation is not allowed' };
  if (name === undefined) return { why: ENDED };
  if (name.length < 2 || !name.startsWith("'") || !name.endsWith("'"))
    return { why: `expected single quoted string but got ${name}` };
  const unclosed = closing === ']' ? undefined : closing === undefined ? ENDED : `expected ] but got ${closing}`;
  return {
    name: name.slice(1, -1).replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char),
    length: 3,
    ...(unclosed === undefined ? {} : { unclosed }),
  };
}
