/** From tokens to a tree by recursive descent (cel-spec, "Syntax"). Calls that are macros are expanded at once. */
import type { Call, Expr, ListExpr, MapExpr, StructField } from './ast.js';
import { SyntaxIssue } from './issues.js';
import { CODE_POINTS_MAX, signedInt, tokenize } from './lexer.js';
import type { Token } from './lexer.js';
import { expandMacro } from './macros.js';

/** As in cel-go: deeper expressions are refused, so that walking a tree cannot exhaust the stack. */
const DEPTH_MAX = 250;
const EXPECTING =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const RESERVED = new Set([
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
]);

/** Binary operators by how tightly they bind, loosest first; && and || are apart. */
const LEVELS: readonly (readonly string[])[] = [
  ['<', '<=', '>', '>=', '==', '!=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];
const functionOf = (operator: string): string => (operator === 'in' ? '@in' : `_${operator}_`);

/** Throws a SyntaxIssue. */
export function parse(source: string): Expr {
  if (source.length > CODE_POINTS_MAX) {
    throw new SyntaxIssue(
      0,
      `Syntax error: expression code point size exceeds limit: size: ${source.length}, limit ${CODE_POINTS_MAX}`,
    );
  }
  return new Parser(tokenize(source)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expr {
    const expr = this.#expr();
    if (this.#peek().kind !== 'end') this.#unexpected('<EOF>');
    return expr;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)] ?? { kind: 'end', text: '<EOF>', at: 0 };
  }

  #is(...texts: readonly string[]): boolean {
    const { kind, text } = this.#peek();
    return kind === 'op' && texts.includes(text);
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #accept(text: string): Token | undefined {
    return this.#is(text) ? this.#take() : undefined;
  }

  #expect(text: string): Token {
    return this.#accept(text) ?? this.#unexpected(`'${text}'`);
  }

  #unexpected(expecting: string): never {
    const token = this.#peek();
    // One token too many at the end is called otherwise than a wrong one, as ANTLR's recovery has it.
    const isExtra = expecting === '<EOF>' && this.#tokens[this.#next + 1]?.kind === 'end';
    throw new SyntaxIssue(
      token.at,
      `Syntax error: ${isExtra ? 'extraneous' : 'mismatched'} input '${token.text}' expecting ${expecting}`,
    );
  }

  /** Chains grow the tree as nesting does. */
  #deeper<T>(levels: number, inner: () => T): T {
    this.#depth += levels;
    if (this.#depth > DEPTH_MAX)
      throw new SyntaxIssue(this.#peek().at, `expression recursion limit exceeded: ${DEPTH_MAX}`);
    const result = inner();
    this.#depth -= levels;
    return result;
  }

  #expr(): Expr {
    return this.#deeper(1, () => {
      const condition = this.#logical('||', () => this.#logical('&&', () => this.#binary(0)));
      const question = this.#accept('?');
      if (question === undefined) return condition;
      const whenTrue = this.#logical('||', () => this.#logical('&&', () => this.#binary(0)));
      this.#expect(':');
      return call('_?_:_', question.at, [condition, whenTrue, this.#expr()]);
    });
  }

  /** Long chains of && and || become a balanced tree, as in cel-go. */
  #logical(operator: '&&' | '||', operand: () => Expr): Expr {
    const terms = [operand()];
    const places: number[] = [];
    for (let token = this.#accept(operator); token !== undefined; token = this.#accept(operator)) {
      places.push(token.at);
      terms.push(operand());
    }
    return balanced(operator, terms, places);
  }

  #binary(level: number): Expr {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    let chain = 0;
    while (this.#is(...operators)) {
      const { text, at } = this.#take();
      const before = left;
      chain++;
      left = call(functionOf(text), at, [before, this.#deeper(chain, () => this.#binary(level + 1))]);
    }
    return left;
  }

  #unary(): Expr {
    const signs: Token[] = [];
    const sign = this.#is('!') ? '!' : '-';
    while (this.#is(sign) && !(sign === '-' && this.#isNumber(1))) signs.push(this.#take());
    const operand = this.#member();
    const first = signs[0];
    if (first === undefined || signs.length % 2 === 0) return operand;
    return call(sign === '!' ? '!_' : '-_', first.at, [operand]);
  }

  #isNumber(ahead: number): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'value' && (typeof token.value === 'bigint' || typeof token.value === 'number');
  }

  #member(): Expr {
    let operand = this.#primary();
    for (let chain = 1; ; chain++) {
      if (chain > DEPTH_MAX)
        throw new SyntaxIssue(this.#peek().at, `expression recursion limit exceeded: ${DEPTH_MAX}`);
      if (this.#is('.')) operand = this.#dot(operand);
      else if (this.#is('[')) operand = this.#index(operand);
      else if (this.#is('{')) operand = this.#struct(operand);
      else return operand;
    }
  }

  #dot(operand: Expr): Expr {
    const dot = this.#take();
    const optional = this.#accept('?') !== undefined;
    const token = this.#take();
    if (token.kind !== 'ident' && token.kind !== 'quoted') {
      this.#next--;
      if (token.text === '.') throw new SyntaxIssue(token.at, "Syntax error: no viable alternative at input '..'");
      if (token.kind === 'op')
        throw new SyntaxIssue(token.at, `Syntax error: no viable alternative at input '.${token.text}'`);
      this.#unexpected('IDENTIFIER');
    }
    const name = token.kind === 'quoted' ? token.text.slice(1, -1) : token.text;
    if (optional) return call('_?._', dot.at, [operand, { kind: 'literal', at: token.at, value: name }]);
    const open = token.kind === 'ident' ? this.#accept('(') : undefined;
    if (open === undefined) return { kind: 'select', at: dot.at, operand, field: name, testOnly: false };
    return expandMacro({ kind: 'call', at: open.at, fn: name, target: operand, args: this.#args(')') });
  }

  #index(operand: Expr): Expr {
    const open = this.#take();
    const optional = this.#accept('?') !== undefined;
    const index = this.#expr();
    this.#expect(']');
    return call(optional ? '_[?_]' : '_[_]', open.at, [operand, index]);
  }

  #struct(operand: Expr): Expr {
    const open = this.#take();
    const fields: StructField[] = [];
    while (!this.#is('}')) {
      const optional = this.#accept('?') !== undefined;
      const token = this.#peek();
      if (token.kind !== 'ident' && token.kind !== 'quoted')
        this.#unexpected(optional ? 'IDENTIFIER' : FIELD_EXPECTING);
      this.#take();
      const { at } = this.#expect(':');
      fields.push({
        at,
        name: token.kind === 'quoted' ? token.text.slice(1, -1) : token.text,
        value: this.#expr(),
        optional,
      });
      if (this.#accept(',') === undefined) break;
    }
    this.#expect('}');
    const name = operand.kind === 'ident' || operand.kind === 'select' ? structName(operand) : '';
    return { kind: 'struct', at: open.at, name, fields };
  }

  #primary(): Expr {
    const token = this.#take();
    switch (token.kind) {
      case 'value':
        return this.#literal(token, false);
      case 'ident':
        return this.#identOrCall(token);
      case 'op':
        return this.#operand(token);
      default:
        this.#next--;
        return this.#unexpected(EXPECTING);
    }
  }

  #literal(token: Token & { readonly kind: 'value' }, negative: boolean): Expr {
    const { value, at } = token;
    if (typeof value === 'bigint') return { kind: 'literal', at, value: signedInt(value, negative, at) };
    return { kind: 'literal', at, value: negative && typeof value === 'number' ? -value : value };
  }

  #identOrCall(token: Token): Expr {
    if (RESERVED.has(token.text)) throw new SyntaxIssue(token.at, `reserved identifier: ${token.text}`);
    const open = this.#accept('(');
    if (open === undefined) return { kind: 'ident', at: token.at, name: token.text };
    return expandMacro({ kind: 'call', at: open.at, fn: token.text, args: this.#args(')') });
  }

  #operand(token: Token): Expr {
    const { at } = token;
    switch (token.text) {
      case 'true':
        return { kind: 'literal', at, value: true };
      case 'false':
        return { kind: 'literal', at, value: false };
      case 'null':
        return { kind: 'literal', at, value: null };
      case '-': {
        const number = this.#take();
        return number.kind === 'value' ? this.#literal(number, true) : this.#unexpected(EXPECTING);
      }
      case '(': {
        const inner = this.#expr();
        this.#close();
        return inner;
      }
      case '[':
        return this.#list(at);
      case '{':
        return this.#map(at);
      // A leading dot names from the root, where everything is.
      case '.': {
        const name = this.#take();
        if (name.kind === 'ident') return this.#identOrCall(name);
        break;
      }
      default:
        break;
    }
    this.#next--;
    return this.#unexpected(EXPECTING);
  }

  #args(close: string): Expr[] {
    const args: Expr[] = [];
    while (!this.#is(close)) {
      args.push(this.#expr());
      if (this.#accept(',') === undefined) break;
    }
    if (close === ')') this.#close();
    else this.#expect(close);
    return args;
  }

  /** ANTLR would put in the one token that is missing at the end. */
  #close(): void {
    if (!this.#is(')') && this.#peek().kind === 'end')
      throw new SyntaxIssue(this.#peek().at, "Syntax error: missing ')' at '<EOF>'");
    this.#expect(')');
  }

  #list(at: number): ListExpr {
    const elements: ListExpr['elements'][number][] = [];
    while (!this.#is(']')) {
      const optional = this.#accept('?') !== undefined;
      elements.push({ expr: this.#expr(), optional });
      if (this.#accept(',') === undefined) break;
    }
    this.#expect(']');
    return { kind: 'list', at, elements };
  }

  #map(at: number): MapExpr {
    const entries: MapExpr['entries'][number][] = [];
    while (!this.#is('}')) {
      const optional = this.#accept('?') !== undefined;
      const key = this.#expr();
      this.#expect(':');
      entries.push({ key, value: this.#expr(), optional });
      if (this.#accept(',') === undefined) break;
    }
    this.#expect('}');
    return { kind: 'map', at, entries };
  }
}

/** Where a field of a message may begin, or the message end. */
const FIELD_EXPECTING = "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}";

const structName = (expr: Expr): string =>
  expr.kind === 'ident' ? expr.name : expr.kind === 'select' ? `${structName(expr.operand)}.${expr.field}` : '';

const call = (fn: string, at: number, args: readonly Expr[]): Call => ({ kind: 'call', at, fn, args });

function balanced(operator: '&&' | '||', terms: readonly Expr[], places: readonly number[]): Expr {
  const [only] = terms;
  if (terms.length === 1 && only !== undefined) return only;
  const middle = Math.ceil(terms.length / 2);
  const left = balanced(operator, terms.slice(0, middle), places.slice(0, middle - 1));
  const right = balanced(operator, terms.slice(middle), places.slice(middle));
  return call(`_${operator}_`, places[middle - 1] ?? 0, [left, right]);
}
