/** Regular expressions by RE2's syntax and in its linear time: `matches`, and Kubernetes' find and findAll. */
import { RE2JS } from 're2js';
import type { Library } from '../check/declare.js';
import { member } from '../check/declare.js';
import { ArrayList, CelError } from '../values/values.js';
import type { Value } from '../values/values.js';

const PATTERNS_MAX = 1000;
const patterns = new Map<string, RE2JS | CelError>();

/** Compiled once for each pattern. */
export function patternOf(pattern: string): RE2JS | CelError {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    try {
      compiled = RE2JS.compile(pattern);
    } catch (error) {
      compiled = new CelError(`error parsing regexp: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)}`);
    }
    if (patterns.size >= PATTERNS_MAX) patterns.clear();
    patterns.set(pattern, compiled);
  }
  return compiled;
}

export function matches(text: string, pattern: string): Value {
  const compiled = patternOf(pattern);
  return compiled instanceof CelError ? compiled : compiled.test(text);
}

/** All matches, or the first `limit` of them; a negative limit is none. */
function findAll(text: string, pattern: string, limit = -1n): Value {
  const compiled = patternOf(pattern);
  if (compiled instanceof CelError) return compiled;
  const found: string[] = [];
  const matcher = compiled.matcher(text);
  while ((limit < 0n || found.length < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return new ArrayList(found);
}

function find(text: string, pattern: string): Value {
  const compiled = patternOf(pattern);
  if (compiled instanceof CelError) return compiled;
  const matcher = compiled.matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

export const REGEX: Library = {
  find: [member('string_find_string', '(string, string) string', find)],
  findAll: [
    member('string_find_all_string', '(string, string) list(string)', findAll),
    member('string_find_all_string_int', '(string, string, int) list(string)', findAll),
  ],
};
