/** Regular expressions by RE2's syntax and in its linear time: `matches`, and Kubernetes' find and findAll. */
import type { RE2JS } from 're2js';
import { compileUnits, regexOf, textLengthMax } from '../../regex.js';
import type { Library, Overload } from '../check/declare.js';
import { global, member } from '../check/declare.js';
import { ArrayList, CelError } from '../values/values.js';
import type { Value } from '../values/values.js';

export function patternOf(pattern: string): RE2JS | CelError {
  const regex = regexOf(pattern);
  return regex.kind === 'good' ? regex.compiled : new CelError(`error parsing regexp: ${regex.why}`);
}

/** An automaton that may look at the whole text. */
function automatonFor(text: string, pattern: string): RE2JS | CelError {
  const compiled = patternOf(pattern);
  if (compiled instanceof CelError) return compiled;
  const longest = textLengthMax(compiled);
  return text.length <= longest
    ? compiled
    : new CelError(`a text of ${text.length} characters is too long for this regexp: at most ${longest}`);
}

function matches(text: string, pattern: string): Value {
  const compiled = automatonFor(text, pattern);
  return compiled instanceof CelError ? compiled : compiled.test(text);
}

/** All matches, or the first `limit` of them; a negative limit is none. */
function findAll(text: string, pattern: string, limit = -1n): Value {
  const compiled = automatonFor(text, pattern);
  if (compiled instanceof CelError) return compiled;
  const found: string[] = [];
  const matcher = compiled.matcher(text);
  while ((limit < 0n || found.length < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return new ArrayList(found);
}

function find(text: string, pattern: string): Value {
  const compiled = automatonFor(text, pattern);
  if (compiled instanceof CelError) return compiled;
  const matcher = compiled.matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

/**
 * To look at a character may take half a microsecond: for places of matches an automaton is followed state by state.
 */
const CHARACTER_UNITS = 3;

const effort = (text: Value, pattern: Value): number =>
  (typeof text === 'string' ? text.length * CHARACTER_UNITS : 0) +
  (typeof pattern === 'string' ? compileUnits(pattern) : 0);

/** A call of the function may take long on a small object. */
const laborious = (overload: Overload): Overload => ({ ...overload, effort });

export const REGEX: Library = {
  matches: [
    member('matches_string', '(string, string) bool', matches),
    global('matches', '(string, string) bool', matches),
  ].map(laborious),
  find: [laborious(member('string_find_string', '(string, string) string', find))],
  findAll: [
    member('string_find_all_string', '(string, string) list(string)', findAll),
    member('string_find_all_string_int', '(string, string, int) list(string)', findAll),
  ].map(laborious),
};
