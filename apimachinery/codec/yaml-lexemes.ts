/**
 * The lexemes of a body's first document, counted before anything is made of them: a parser takes ten times as long for
 * each, and three megabytes are refused for what they are in the time that it takes to read them. Whatever is refused
 * here would be refused later.
 */
import { CST, Lexer } from 'yaml';
import { apiErrors } from '../status.js';
import { tooDeep, tooManyValues, YAML_ALIASES_MAX } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { badYaml } from './yaml-values.js';

/** Line ends, spaces and comments that a body may have besides those around its values. */
const FILLERS_FREE = 65_536;
/** And those around each lexeme that means something: a commented `key: value` has six for three. */
const FILLERS_PER_LEXEME = 4;
/**
 * Anchors, tags and scalars with nothing between them: a map and its first key have two of each, after a scalar that
 * ends before.
 */
const UNSEPARATED_MAX = 32;

/** Lines of all texts together: no object that can be stored has as many, unless its lines have two characters. */
const LINES_MAX = 524_288;

/** Throws ApiError. The last lexeme is the one that ends the document, where there is one. */
export function lexemesOfFirst(text: string, limits: DecodeLimits): readonly string[] {
  const lexemes: string[] = [];
  const budget = new LexemeBudget(limits);
  for (const lexeme of new Lexer().lex(text)) {
    lexemes.push(lexeme);
    if (budget.take(lexeme) === 'end') break;
  }
  return lexemes;
}

class LexemeBudget {
  readonly #limits: DecodeLimits;
  /** The source of a scalar follows: it may begin as anything. */
  #isScalar = false;
  /** Something of the document has been seen. */
  #begun = false;
  /** Flow collections that are open, innermost last. */
  readonly #flows: string[] = [];
  /** At least. */
  #values = 0;
  #fillers = 0;
  #meaning = 0;
  #unseparated = 0;
  /** What came last of what means something closed a flow collection. */
  #closed = false;
  /** `-` and `?` in a row: each is in the one before. */
  #levels = 0;
  #aliases = 0;
  #lines = 0;

  constructor(limits: DecodeLimits) {
    this.#limits = limits;
  }

  /** `end`: what follows is not of the first document. */
  take(lexeme: string): 'more' | 'end' {
    if (this.#isScalar) {
      this.#isScalar = false;
      checkNumber(lexeme);
      this.#text(lexeme);
      return 'more';
    }
    switch (lexeme[0]) {
      case CST.DOCUMENT:
        return this.#begun ? 'end' : 'more';
      case CST.FLOW_END:
        return 'more';
      case '\n':
      case '\r':
        this.#levels = 0;
        this.#filler();
        return 'more';
      case ' ':
      case '\t':
      case '#':
      case '%':
      case CST.BOM:
        this.#filler();
        return 'more';
      // `...`: nothing else begins so outside of scalars. Before everything it ends an empty document.
      case '.':
        return 'end';
      case CST.SCALAR:
        this.#isScalar = true;
        break;
      default:
    }
    this.#meaning++;
    return this.#meaningful(lexeme);
  }

  #meaningful(lexeme: string): 'more' | 'end' {
    const wasClosed = this.#closed;
    const levels = this.#levels;
    this.#closed = false;
    this.#levels = 0;
    if (lexeme === '---' && this.#begun) return 'end';
    this.#begun = true;
    switch (lexeme[0]) {
      case '[':
      case '{':
        this.#open(lexeme, wasClosed);
        break;
      case ']':
      case '}':
        this.#close(lexeme);
        break;
      // Each has a value of its own behind it. Whoever writes `?` writes a long key.
      case '-':
      case '?':
        if (lexeme !== '---') this.#level(levels + 1);
        break;
      case ':':
        this.#value();
        break;
      case ',':
        if (this.#flows.at(-1) === '[') this.#value();
        this.#unseparated = 0;
        break;
      default:
        this.#part(lexeme);
    }
    return 'more';
  }

  #value(): void {
    this.#unseparated = 0;
    this.#values++;
    if (this.#values > this.#limits.valuesMax) throw tooManyValues(this.#limits.valuesMax);
  }

  #level(levels: number): void {
    this.#value();
    this.#levels = levels;
    if (levels > this.#limits.depthMax + 1) throw tooDeep(this.#limits.depthMax);
  }

  #open(lexeme: string, wasClosed: boolean): void {
    if (wasClosed) this.#unseparate();
    else this.#unseparated = 0;
    this.#flows.push(lexeme);
    if (this.#flows.length > this.#limits.depthMax + 1) throw tooDeep(this.#limits.depthMax);
  }

  #close(lexeme: string): void {
    this.#closed = true;
    const opened = this.#flows.pop();
    if (opened === undefined) throw badYaml(`'${lexeme}' closes what was not opened`);
    if ((opened === '[') !== (lexeme === ']'))
      throw badYaml(opened === '[' ? 'Flow sequence must end with a ]' : 'Flow map must end with a }');
  }

  #part(lexeme: string): void {
    if (lexeme.startsWith('*')) this.#aliases++;
    if (lexeme.startsWith('"') || lexeme.startsWith("'")) this.#quoted(lexeme);
    if (this.#aliases > YAML_ALIASES_MAX) throw badYaml(`more than ${YAML_ALIASES_MAX} aliases`);
    this.#unseparate();
  }

  #unseparate(): void {
    this.#unseparated++;
    if (this.#unseparated > UNSEPARATED_MAX)
      throw badYaml('anchors, tags or scalars follow one another with nothing between them');
  }

  #quoted(lexeme: string): void {
    const [quote = ''] = lexeme;
    if (lexeme.length === 1 || !lexeme.endsWith(quote)) throw badYaml(`Missing closing ${quote}quote`);
    this.#text(lexeme);
  }

  #text(source: string): void {
    for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) this.#lines++;
    if (this.#lines > LINES_MAX)
      throw apiErrors.requestEntityTooLarge(`the texts of the body have more than ${LINES_MAX} lines; use JSON`);
  }

  #filler(): void {
    this.#fillers++;
    if (this.#fillers > FILLERS_FREE + FILLERS_PER_LEXEME * this.#meaning) {
      throw apiErrors.requestEntityTooLarge('the body is mostly blank lines, spaces or comments; send less of them');
    }
  }
}

/** Digits of an integer that no double holds. */
const DIGITS_MAX = 400;

/** Digits become a number in more than linear time, to be refused for its size. */
function checkNumber(source: string): void {
  if (source.length <= DIGITS_MAX || !/^[-+]?[1-9][0-9_]*$/.test(source)) return;
  if (source.replaceAll('_', '').length > DIGITS_MAX + 1)
    throw badYaml('a number of this many digits has no form in JSON');
}
