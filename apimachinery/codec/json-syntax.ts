/**
 * What is wrong with a text that is no JSON, in the words of Go's decoder, which clients of Kubernetes know. Reads only
 * text that JSON.parse refused; the position is that of the first byte that no JSON could have there.
 */

const LITERALS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
const END = 'unexpected end of JSON input';

/** Thrown and caught in here: the first fault ends the walk. */
class Fault {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Undefined when nothing is wrong. */
export function jsonSyntaxError(text: string): string | undefined {
  try {
    new Walker(text).document();
    return undefined;
  } catch (fault) {
    if (fault instanceof Fault) return fault.message;
    throw fault;
  }
}

class Walker {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value();
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value');
  }

  #value(): void {
    this.#blanks();
    const first = this.#text[this.#at];
    if (first === '{') this.#object();
    else if (first === '[') this.#list();
    else if (first === '"') this.#string();
    else if (first !== undefined && /[-\d]/.test(first)) this.#number();
    else this.#literal(LITERALS[first ?? '']);
  }

  #object(): void {
    this.#at += 1;
    this.#blanks();
    if (this.#took('}')) return;
    do {
      this.#blanks();
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
      this.#string();
      this.#blanks();
      if (!this.#took(':')) throw this.#unexpected('after object key');
      this.#value();
      this.#blanks();
    } while (this.#took(','));
    if (!this.#took('}')) throw this.#unexpected('after object key:value pair');
  }

  #list(): void {
    this.#at += 1;
    this.#blanks();
    if (this.#took(']')) return;
    do {
      this.#value();
      this.#blanks();
    } while (this.#took(','));
    if (!this.#took(']')) throw this.#unexpected('after array element');
  }

  #string(): void {
    this.#at += 1;
    while (!this.#took('"')) {
      if (this.#took('\\')) this.#escape();
      else if (this.#at >= this.#text.length || this.#text.charCodeAt(this.#at) < 0x20)
        throw this.#unexpected('in string literal');
      else this.#at += 1;
    }
  }

  #escape(): void {
    if (!this.#took('u')) {
      if (!/["\\/bfnrt]/.test(this.#text[this.#at] ?? '')) throw this.#unexpected('in string escape code');
      this.#at += 1;
      return;
    }
    for (let digit = 0; digit < 4; digit += 1) {
      if (!/[\da-f]/i.test(this.#text[this.#at] ?? ''))
        throw this.#unexpected(String.raw`in \u hexadecimal character escape`);
      this.#at += 1;
    }
  }

  #number(): void {
    this.#took('-');
    if (!this.#took('0')) this.#digits('in numeric literal');
    if (this.#took('.')) this.#digits('after decimal point in numeric literal');
    if (!this.#took('e') && !this.#took('E')) return;
    if (!this.#took('+')) this.#took('-');
    this.#digits('in exponent of numeric literal');
  }

  /** One at least. */
  #digits(where: string): void {
    if (!/\d/.test(this.#text[this.#at] ?? '')) throw this.#unexpected(where);
    while (/\d/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #literal(word: string | undefined): void {
    if (word === undefined) throw this.#unexpected('looking for beginning of value');
    for (const letter of word) {
      if (!this.#took(letter)) throw this.#unexpected(`in literal ${word} (expecting ${quoted(letter)})`);
    }
  }

  #took(wanted: string): boolean {
    if (this.#text[this.#at] !== wanted) return false;
    this.#at += 1;
    return true;
  }

  #blanks(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  /** Go ends a text by a blank, which only numbers, words and escapes take for a wrong character. */
  #unexpected(where: string): Fault {
    const found = this.#text[this.#at] ?? (BROKEN_BY_BLANK.test(where) ? ' ' : undefined);
    return new Fault(found === undefined ? END : `invalid character ${quoted(found)} ${where}`);
  }
}

const BROKEN_BY_BLANK = /escape|numeric|^in literal/;
const ESCAPED: Readonly<Record<string, string>> = {
  "'": String.raw`\'`,
  '\\': String.raw`\\`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
};

/** Go's decoder looks at bytes: of a character beyond ASCII it names the first one. */
function quoted(character: string): string {
  const byte = Buffer.from(character)[0] ?? 0;
  if (byte < 0x20 || byte === 0x7f)
    return `'${ESCAPED[character] ?? String.raw`\x${byte.toString(16).padStart(2, '0')}`}'`;
  return `'${ESCAPED[character] ?? String.fromCharCode(byte)}'`;
}
