/**
 * Regular expressions of users, by RE2's syntax and in its linear time: of schemas (`pattern`) and of CEL. The library
 * makes an automaton, and runs it, in one piece: how large one may be, and on how long a text it may run, is limited
 * before.
 */
import { RE2JS } from 're2js';

export type Regex =
  | { readonly kind: 'good'; readonly compiled: RE2JS }
  | { readonly kind: 'bad'; readonly why: string };

/**
 * Of the estimate below; one part is compiled in 1 to 2 µs. Upstream refuses larger ones with the same words, from
 * millions of parts on.
 */
const PARTS_MAX = 16_000;
/** Units of Work that a part takes to compile. */
const PART_UNITS = 15;
/**
 * Characters of a text, times instructions of the automaton: where it cannot be made deterministic each is looked at
 * for each.
 */
const STEPS_MAX = 2_000_000;
const CACHED_MAX = 1000;
const cache = new Map<string, Regex>();

/** Compiled once. */
export function regexOf(source: string): Regex {
  let regex = cache.get(source);
  if (regex === undefined) {
    regex = compiled(source);
    if (cache.size >= CACHED_MAX) cache.clear();
    cache.set(source, regex);
  }
  return regex;
}

function compiled(source: string): Regex {
  if (partsOf(source) > PARTS_MAX) return { kind: 'bad', why: 'expression too large' };
  try {
    return { kind: 'good', compiled: RE2JS.compile(source) };
  } catch (error) {
    return {
      kind: 'bad',
      why: error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error),
    };
  }
}

/** What the next `regexOf` will take, in units of Work. */
export const compileUnits = (source: string): number =>
  cache.has(source) ? 1 : Math.min(partsOf(source), PARTS_MAX) * PART_UNITS;

/** The longest text, in UTF-16 units, that an automaton may look at. */
export const textLengthMax = (compiled: RE2JS): number => Math.floor(STEPS_MAX / compiled.programSize());

/** How dear constructs are to compile, in plain characters. */
const GROUP_PARTS = 10;
const CLASS_PARTS = 10;
const UNICODE_CLASS_PARTS = 30;
/**
 * What is quoted, a class by name, any other escape, a class (a bracket that comes first stands for itself), a
 * repetition, anything else.
 */
const TOKEN = /\\Q.*?(?:\\E|$)|\\[pP]|\\.|\[\^?\]?(?:\[:\^?[a-z]*:\]|\\.|[^\]\\])*\]|\{(\d{1,4})(,(\d{0,4}))?\}|./gsu;

/** About how many parts the automaton will have: what is repeated n times counts n times. It need not parse. */
function partsOf(source: string): number {
  const groups: number[] = [];
  let [all, last] = [0, 0];
  for (const { 0: token, 1: least, 2: open, 3: most } of source.matchAll(TOKEN)) {
    if (all > PARTS_MAX) break;
    if (least !== undefined) {
      const times = Math.max(Number(least) + (open === undefined ? 0 : 1), Number(most ?? 0), 1);
      all += last * (times - 1);
      last *= times;
    } else if (token === '(') {
      groups.push(all);
      all += GROUP_PARTS;
    } else if (token === ')') {
      last = all - (groups.pop() ?? 0);
    } else if (!REPEATS.has(token)) {
      last = atomParts(token);
      all += last;
    }
  }
  return all;
}

/** What stands before is repeated, but not copied. */
const REPEATS = new Set(['*', '+', '?']);

function atomParts(token: string): number {
  if (token.startsWith('\\Q')) return token.length;
  if (token.startsWith('['))
    return CLASS_PARTS + token.length + UNICODE_CLASS_PARTS * (token.match(/\\[pP]/g)?.length ?? 0);
  return /^\\[pP]/.test(token) ? UNICODE_CLASS_PARTS : 1;
}
