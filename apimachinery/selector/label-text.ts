/**
 * The text of a label selector (`app=web,tier in (a, b),!gone`), with the grammar and the complaints of
 * k8s.io/apimachinery/pkg/labels: clients print them.
 */
import { labelKey, labelValue } from '../names.js';
import { apiErrors } from '../status.js';
import { everything, LabelSelector } from './labels.js';
import type { LabelOperator, LabelRequirement } from './labels.js';

/** Throws ApiError BadRequest. Absent and empty text selects everything. */
export function parseLabelSelector(text: string | undefined): LabelSelector {
  if (text === undefined || text.trim() === '') return everything;
  return new LabelSelector(new Parser(tokenize(text)).parse());
}

type Kind = 'word' | 'keyword' | 'symbol' | 'end' | 'error';

interface Token {
  readonly kind: Kind;
  readonly text: string;
}

const END: Token = { kind: 'end', text: '' };
/** Symbols are read as long as they make one; `==` before `=`. */
const TOKEN = /[ \t\r\n]*(==|!=|[=,()!<>]|[^ \t\r\n=,()!<>]+)/y;
const SYMBOL = /^(==|!=|[=,()!<>])$/;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [, token = ''] = match;
    tokens.push({
      kind: SYMBOL.test(token) ? 'symbol' : token === 'in' || token === 'notin' ? 'keyword' : 'word',
      text: token,
    });
  }
  return tokens;
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '=',
  '!=': '!=',
  '>': '>',
  '<': '<',
};

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const first = this.#peek();
      if (first.kind === 'end') return requirements;
      if (!startsRequirement(first))
        throw refused(`found '${first.text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const next = this.#next();
      if (next.kind === 'end') return requirements;
      if (!is(next, ',')) throw refused(`found '${next.text}', expected: ',' or 'end of string'`);
      if (!startsRequirement(this.#peek()))
        throw refused(`found '${this.#peek().text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    const negated = is(this.#peek(), '!');
    if (negated) this.#next();
    const key = this.#next();
    if (!isIdentifier(key)) throw unparsable(`found '${key.text}', expected: identifier`);
    const flaws = labelKey(key.text);
    if (flaws.length > 0) throw unparsable(`<nil>: Invalid value: ${JSON.stringify(key.text)}: ${flaws.join('; ')}`);
    if (negated) return { key: key.text, operator: '!', values: [] };
    const after = this.#peek();
    if (after.kind === 'end' || is(after, ',')) return { key: key.text, operator: 'exists', values: [] };
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#value()];
    return checked({ key: key.text, operator, values });
  }

  #operator(): LabelOperator {
    const token = this.#next();
    const operator = Object.hasOwn(OPERATORS, token.text) ? OPERATORS[token.text] : undefined;
    if (operator === undefined) throw unparsable(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    return operator;
  }

  #value(): string {
    const token = this.#peek();
    if (token.kind === 'end' || is(token, ',')) return '';
    this.#next();
    if (!isIdentifier(token)) throw unparsable(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  /** A set: each value once, in order. */
  #values(): string[] {
    const open = this.#next();
    if (!is(open, '(')) throw unparsable(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    if (is(this.#peek(), ')')) values.add('');
    else if (!isIdentifier(this.#peek()) && !is(this.#peek(), ','))
      throw unparsable(`found '${this.#peek().text}', expected: ',', ')' or identifier`);
    while (!is(this.#peek(), ')')) this.#valueOfSet(values);
    this.#next();
    return [...values].sort();
  }

  #valueOfSet(values: Set<string>): void {
    const token = this.#next();
    if (isIdentifier(token)) {
      values.add(token.text);
      const after = this.#peek();
      if (!is(after, ',') && !is(after, ')')) throw unparsable(`found '${after.text}', expected: ',' or ')'`);
    } else if (is(token, ',')) {
      const after = this.#peek();
      if (values.size === 0 || is(after, ')') || is(after, ',')) values.add('');
    } else {
      throw unparsable(`found '${token.text}', expected: ',', or identifier`);
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }
}

const is = (token: Token, symbol: string): boolean => token.kind === 'symbol' && token.text === symbol;
/** `in` and `notin` are names too, where no operator can stand. */
const isIdentifier = (token: Token): boolean => token.kind === 'word' || token.kind === 'keyword';
const startsRequirement = (token: Token): boolean => isIdentifier(token) || is(token, '!');

const MESSAGE_MAX = 1024;
const refused = (why: string): Error =>
  apiErrors.badRequest(why.length > MESSAGE_MAX ? `${why.slice(0, MESSAGE_MAX)}...` : why);
const unparsable = (why: string): Error => refused(`unable to parse requirement: ${why}`);

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement;
  const complaints: string[] = [];
  if (operator === '<' || operator === '>') {
    const [value = ''] = values;
    if (!/^[+-]?\d{1,19}$/.test(value))
      complaints.push(
        `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
  }
  for (const [index, value] of values.entries()) {
    const flaws = labelValue(value);
    if (flaws.length > 0)
      complaints.push(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${flaws.join('; ')}`);
  }
  if (complaints.length > 0)
    throw unparsable(complaints.length === 1 ? (complaints[0] ?? '') : `[${complaints.join(', ')}]`);
  return requirement;
}
