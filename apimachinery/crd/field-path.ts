/** Paths such as `.spec.x['a.b']` below a schema: `fieldPath` of rules, `jsonPath` of selectable fields. */
import type { Schema } from '../schema/schema.js';

export type FoundPath =
  | { readonly kind: 'found'; readonly path: string; readonly root: string; readonly schema: Schema }
  | { readonly kind: 'bad'; readonly why: string };

const STEP = /\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/y;
const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\'': '\'', '\\': '\\' };

const bad = (why: string): FoundPath => ({ kind: 'bad', why });

/** The path as field errors print it, and the schema it leads to. */
export function findFieldPath(text: string, schema: Schema, { brackets = true } = {}): FoundPath {
  let node = schema;
  let path = '';
  let root = '';
  for (let at = 0; at < text.length;) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null) return bad(text[at] === '.' || text[at] === '[' ? 'unexpected end of JSON path' : `expected [ or . but got: ${text.slice(at)}`);
    const [step, dotted, quoted] = match;
    if (quoted !== undefined && !brackets) return bad('array notation is not allowed');
    const name = dotted ?? (quoted ?? '').replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
    const { properties } = node;
    const next: Schema | undefined = properties === undefined ? node.additionalProperties : Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (next === undefined) return bad('does not refer to a valid field');
    path += properties !== undefined ? `${path === '' ? '' : '.'}${name}` : `[${name}]`;
    root ||= name;
    node = next;
    at += step.length;
  }
  return { kind: 'found', path, root, schema: node };
}
