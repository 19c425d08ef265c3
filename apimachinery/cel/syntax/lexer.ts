/** From text to tokens (cel-spec, "Syntax"). */
import type { Value } from '../values/values.js';
import { Uint } from '../values/values.js';
import { SyntaxIssue } from './issues.js';
import { decodeString } from './literal.js';

export type Token =
  | { readonly kind: 'ident'; readonly text: string; readonly at: number }
  /** A field in backquotes, as `` a.`b-c` ``. */
  | { readonly kind: 'quoted'; readonly text: string; readonly at: number }
  | { readonly kind: 'value'; readonly text: string; readonly at: number; readonly value: Value }
  /** Operators, brackets and the reserved words true, false, null, in. */
  | { readonly kind: 'op'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: '<EOF>'; readonly at: number };

const SPACE = /(?:[\t\n\f\r ]|\/\/[^\n]*)+/y;
const NUMBER = /0x[0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const STRING =
  /([rR]?[bB]?|[bB][rR])("""[^]*?(?<!\\)(?:\\\\)*"""|'''[^]*?(?<!\\)(?:\\\\)*'''|"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')/y;
const RAW_STRING = /([rR][bB]?|[bB][rR])("""[^]*?"""|'''[^]*?'''|"[^"\n\r]*"|'[^'\n\r]*')/y;
const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
const QUOTED = /`([A-Za-z0-9_.\-/ ]+)`/y;
const OPERATOR = /==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()[\]{}]/y;
const WORDS = new Set(['true', 'false', 'null', 'in']);
const INT_MAX = (1n << 63n) - 1n;
const UINT_MAX = (1n << 64n) - 1n;

/** Source that is longer is refused before it is read. */
export const CODE_POINTS_MAX = 100_000;

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  while (at < source.length) {
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const token = stringToken(match, at) ?? numberToken(match, at) ?? wordToken(match, at);
    if (token === undefined)
      throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${unknownText(source, at)}'`);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: source.length });
  return tokens;
}

/** A string that does not end reaches to the end of its line. */
function unknownText(source: string, at: number): string {
  const rest = source.slice(at, at + 100);
  return /^["']/.test(rest) ? (rest.split('\n')[0] ?? '') : (Array.from(rest)[0] ?? '');
}

type Matcher = (pattern: RegExp) => RegExpExecArray | null;

function stringToken(match: Matcher, at: number): Token | undefined {
  const found = match(RAW_STRING) ?? match(STRING);
  if (found === null) return undefined;
  const [text, prefix = '', body = ''] = found;
  return { kind: 'value', text, at, value: decodeString(prefix.toLowerCase(), body, at) };
}

function numberToken(match: Matcher, at: number): Token | undefined {
  const text = match(NUMBER)?.[0];
  if (text === undefined) return undefined;
  if (/[uU]$/.test(text)) {
    const value = BigInt(text.slice(0, -1));
    if (value > UINT_MAX) throw new SyntaxIssue(at, `Syntax error: invalid uint literal`);
    return { kind: 'value', text, at, value: new Uint(value) };
  }
  if (/^(0x|\d+$)/.test(text)) return { kind: 'value', text, at, value: BigInt(text) };
  const value = Number(text);
  if (!Number.isFinite(value)) throw new SyntaxIssue(at, 'Syntax error: invalid double literal');
  return { kind: 'value', text, at, value };
}

/** A literal without its sign: -2^63 is an int, 2^63 is not. */
export function signedInt(value: bigint, negative: boolean, at: number): bigint {
  const signed = negative ? -value : value;
  if (signed > INT_MAX || signed < -INT_MAX - 1n) throw new SyntaxIssue(at, 'Syntax error: invalid int literal');
  return signed;
}

function wordToken(match: Matcher, at: number): Token | undefined {
  const word = match(IDENT)?.[0];
  if (word !== undefined) return { kind: WORDS.has(word) ? 'op' : 'ident', text: word, at };
  const quoted = match(QUOTED)?.[0];
  if (quoted !== undefined) return { kind: 'quoted', text: quoted, at };
  const operator = match(OPERATOR)?.[0];
  return operator === undefined ? undefined : { kind: 'op', text: operator, at };
}
