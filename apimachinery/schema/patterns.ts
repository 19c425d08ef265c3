/**
 * Patterns of schemas, held against texts. They come from users: what they cost, and how long a text may be, is limited
 * (../regex.ts).
 */
import { compileUnits, regexOf, textLengthMax } from '../regex.js';

/** Characters of a text that a pattern looks at in one unit of Work. */
const UNIT_CHARS = 2;

export type PatternVerdict =
  | { readonly kind: 'matches' | 'differs' }
  | { readonly kind: 'too-long'; readonly longest: number };

/** What the verdict takes, in units of Work. */
export const patternUnits = (source: string, text: string): number => text.length / UNIT_CHARS + compileUnits(source);

/**
 * Patterns of CRDs were checked when the CRD was made, so a broken one matches nothing. A text that is too long to look
 * at cannot be said to match.
 */
export function patternVerdict(source: string, text: string): PatternVerdict {
  const regex = regexOf(source);
  if (regex.kind === 'bad') return { kind: 'differs' };
  const longest = textLengthMax(regex.compiled);
  if (text.length > longest) return { kind: 'too-long', longest };
  // Not by a matcher: where only yes or no is asked the automaton answers, at a fiftieth of the cost.
  return { kind: regex.compiled.test(text) ? 'matches' : 'differs' };
}

/** Code points. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
