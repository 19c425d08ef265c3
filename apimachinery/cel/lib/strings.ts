/** cel-go's ext.Strings (version 2). Indexes count code points. */
import type { Library } from '../check/declare.js';
import { global, member } from '../check/declare.js';
import { ArrayList, CelError, charCount } from '../values/values.js';
import type { CelList, Value } from '../values/values.js';
import { formatString } from './format-string.js';

/** Longer results are refused before they are made; no rule within its cost has use for one. */
const RESULT_MAX = 10_000_000;
const tooLong = (): CelError => new CelError(`result is longer than ${RESULT_MAX} characters`);

const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`);

/** Most texts have no character of two UTF-16 units: places in them need no counting. */
const isNarrow = (text: string): boolean => charCount(text) === text.length;

function slicePoints(text: string, start: bigint, end?: bigint): string {
  const [from, to] = [Number(start), end === undefined ? undefined : Number(end)];
  return isNarrow(text) ? text.slice(from, to) : Array.from(text).slice(from, to).join('');
}

/** The place in UTF-16 units of a place in code points. */
const unitOf = (text: string, point: bigint): number => slicePoints(text, 0n, point).length;
/** The other way round; -1 stays. */
const pointOf = (text: string, unit: number): bigint => BigInt(unit < 0 ? -1 : charCount(text.slice(0, unit)));

function charAt(text: string, index: bigint): Value {
  if (index < 0n || index > BigInt(charCount(text))) return outOfRange(index);
  return slicePoints(text, index, index + 1n);
}

function indexOf(text: string, part: string, offset = 0n): Value {
  if (part === '') return offset;
  if (offset < 0n) return outOfRange(offset);
  if (offset >= BigInt(charCount(text))) return -1n;
  return pointOf(text, text.indexOf(part, unitOf(text, offset)));
}

function lastIndexOf(text: string, part: string, offset?: bigint): Value {
  if (offset === undefined) return part === '' ? BigInt(charCount(text)) : pointOf(text, text.lastIndexOf(part));
  if (part === '') return offset;
  if (offset < 0n) return outOfRange(offset);
  if (offset >= BigInt(charCount(text))) return -1n;
  return pointOf(text, text.lastIndexOf(part, unitOf(text, offset)));
}

function substring(text: string, start: bigint, end?: bigint): Value {
  const size = BigInt(charCount(text));
  if (end === undefined) return start < 0n || start > size ? outOfRange(start) : slicePoints(text, start);
  if (start > end) return new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > size) return outOfRange(start);
  return end < 0n || end > size ? outOfRange(end) : slicePoints(text, start, end);
}

/** A negative limit is none. An empty text to replace is found before every character and at the end. */
function replace(text: string, old: string, fresh: string, limit = -1n): Value {
  if ((Math.floor(text.length / Math.max(1, old.length)) + 1) * fresh.length + text.length > RESULT_MAX)
    return tooLong();
  // A fourth of what replaceAll takes.
  if (limit < 0n)
    return old === ''
      ? `${fresh}${Array.from(text, (char) => `${char}${fresh}`).join('')}`
      : text.split(old).join(fresh);
  if (limit === 0n) return text;
  const pieces = old === '' ? ['', ...Array.from(text)] : text.split(old);
  const kept = pieces.slice(0, Number(limit) + 1);
  const rest = pieces.slice(Number(limit) + 1);
  const replaced = kept.join(fresh) + (old === '' && rest.length === 0 && BigInt(pieces.length) <= limit ? fresh : '');
  return rest.length === 0 ? replaced : `${replaced}${old}${rest.join(old)}`;
}

function split(text: string, separator: string, limit = -1n): Value {
  if (limit === 0n) return new ArrayList([]);
  const pieces = separator === '' ? Array.from(text) : text.split(separator);
  if (limit < 0n || BigInt(pieces.length) <= limit) return new ArrayList(pieces);
  const last = pieces.slice(Number(limit) - 1).join(separator);
  return new ArrayList([...pieces.slice(0, Number(limit) - 1), last]);
}

function join(list: CelList, separator = ''): Value {
  const parts: string[] = [];
  let length = 0;
  for (const item of list) {
    if (typeof item !== 'string') return new CelError('no such overload');
    length += item.length + separator.length;
    if (length > RESULT_MAX) return tooLong();
    parts.push(item);
  }
  return parts.join(separator);
}

const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (part) => part.toLowerCase());
const upperAscii = (text: string): string => text.replace(/[a-z]+/g, (part) => part.toUpperCase());
/** White space by Unicode, as Go trims. */
const trim = (text: string): string => text.replace(/^[\s\u0085]+|[\s\u0085]+$/gu, '');

const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
const quote = (text: string): string => `"${text.replace(/[\x07\b\f\n\r\t\v\\"]/g, (char) => ESCAPES[char] ?? char)}"`;

export const STRINGS: Library = {
  charAt: [member('string_char_at_int', '(string, int) string', charAt)],
  indexOf: [
    member('string_index_of_string', '(string, string) int', indexOf),
    member('string_index_of_string_int', '(string, string, int) int', indexOf),
  ],
  lastIndexOf: [
    member('string_last_index_of_string', '(string, string) int', lastIndexOf),
    member('string_last_index_of_string_int', '(string, string, int) int', lastIndexOf),
  ],
  lowerAscii: [member('string_lower_ascii', '(string) string', lowerAscii)],
  upperAscii: [member('string_upper_ascii', '(string) string', upperAscii)],
  trim: [member('string_trim', '(string) string', trim)],
  substring: [
    member('string_substring_int', '(string, int) string', substring),
    member('string_substring_int_int', '(string, int, int) string', substring),
  ],
  replace: [
    member('string_replace_string_string', '(string, string, string) string', replace),
    member('string_replace_string_string_int', '(string, string, string, int) string', replace),
  ],
  split: [
    member('string_split_string', '(string, string) list(string)', split),
    member('string_split_string_int', '(string, string, int) list(string)', split),
  ],
  join: [
    member('list_join', '(list(string)) string', join),
    member('list_join_string', '(list(string), string) string', join),
  ],
  format: [member('string_format', '(string, list(dyn)) string', formatString)],
  'strings.quote': [global('strings_quote', '(string) string', quote)],
};
