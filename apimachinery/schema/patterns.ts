/** Patterns of schemas, compiled once. They come from users and run in linear time (re2js). */
import { RE2JS } from 're2js';

export interface Pattern {
  test(text: string): boolean;
}

const PATTERNS_MAX = 1000;
const patterns = new Map<string, Pattern>();

/** Patterns of CRDs were checked when the CRD was made, so a broken one matches nothing. */
export function patternOf(source: string): Pattern {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    pattern = compilePattern(source);
    if (patterns.size >= PATTERNS_MAX) patterns.clear();
    patterns.set(source, pattern);
  }
  return pattern;
}

function compilePattern(source: string): Pattern {
  try {
    const compiled = RE2JS.compile(source);
    // Not by a matcher: where only yes or no is asked the automaton answers, at a fiftieth of the cost.
    return { test: (text) => compiled.test(text) };
  } catch {
    return { test: () => false };
  }
}

/** Code points. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
