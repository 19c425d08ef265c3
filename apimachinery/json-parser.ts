/**
 * A parser for JSON that JSON.parse has accepted, and whose integers need every digit. It looks for no errors of
 * syntax.
 */
import { int64Of } from './int64.js';
import { setOwn } from './value.js';
import type { JsonObject } from './value.js';

/** A number that neither an int64 nor a double holds. */
export class NumberRangeError extends Error {
  override readonly name = 'NumberRangeError';

  constructor(literal: string) {
    super(`json: cannot unmarshal number ${literal.slice(0, 64)} into Go value of type float64`);
  }
}

export function parseExactly(text: string): unknown {
  return new ExactParser(text).document();
}

const LITERALS: Readonly<Record<string, unknown>> = { t: true, f: false, n: null };

class ExactParser {
  readonly #text: string;
  readonly #number = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
  #at = 0;
  /** The next backslash: looked for once, not once for each string. */
  #escape = -1;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    this.#skipBlanks();
    return this.#value();
  }

  #value(): unknown {
    const first = this.#text[this.#at] ?? '';
    switch (first) {
      case '{':
        return this.#object();
      case '[':
        return this.#list();
      case '"':
        return this.#string();
      case 't':
      case 'f':
      case 'n':
        this.#at += first === 'f' ? 'false'.length : 'true'.length;
        return LITERALS[first];
      default:
        return this.#numberHere();
    }
  }

  #object(): JsonObject {
    const object: JsonObject = {};
    this.#at += 1;
    for (this.#skipBlanks(); this.#text[this.#at] !== '}'; this.#skipSeparator()) {
      const key = this.#string();
      this.#skipBlanks();
      this.#at += 1; // the colon
      this.#skipBlanks();
      setOwn(object, key, this.#value());
    }
    this.#at += 1;
    return object;
  }

  #list(): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    for (this.#skipBlanks(); this.#text[this.#at] !== ']'; this.#skipSeparator()) items.push(this.#value());
    this.#at += 1;
    return items;
  }

  #skipSeparator(): void {
    this.#skipBlanks();
    if (this.#text[this.#at] === ',') this.#at += 1;
    this.#skipBlanks();
  }

  #skipBlanks(): void {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at += 1;
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    if (this.#escape < start) this.#escape = nextIndex(this.#text, '\\', start + 1);
    if (this.#escape > end) {
      this.#at = end + 1;
      return this.#text.slice(start + 1, end);
    }
    for (end = this.#escape; this.#text[end] !== '"'; end += 1) if (this.#text[end] === '\\') end += 1;
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, end + 1)) as string;
  }

  /** Integers by their digits, everything else as a double: `1.0` and `1e3` are doubles, as in Kubernetes. */
  #numberHere(): number | bigint {
    this.#number.lastIndex = this.#at;
    const [literal = '', fraction, exponent] = this.#number.exec(this.#text) ?? [];
    this.#at += literal.length;
    const double = Number(literal);
    if (!Number.isFinite(double)) throw new NumberRangeError(literal);
    if (fraction !== undefined || exponent !== undefined || Number.isSafeInteger(double)) return double;
    return int64Of(BigInt(literal)) ?? double;
  }
}

/** The length of the text when there is none. */
function nextIndex(text: string, wanted: string, from: number): number {
  const at = text.indexOf(wanted, from);
  return at === -1 ? text.length : at;
}
