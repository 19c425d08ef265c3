/** An expression from text to a program, once. */
import type { Checked } from './check/checker.js';
import { check } from './check/checker.js';
import type { CelType } from './check/types.js';
import { literalIssues } from './check/literals.js';
import { FUNCTIONS } from './lib/index.js';
import { SyntaxIssue, formatIssues } from './syntax/issues.js';
import { parse } from './syntax/parser.js';

export type Compiled =
  | { readonly kind: 'good'; readonly checked: Checked }
  /** `issues` is text of several lines, as kubectl shows it. */
  | { readonly kind: 'bad'; readonly issues: string };

export function compile(source: string, variables: Readonly<Record<string, CelType>>): Compiled {
  let checked: Checked;
  try {
    checked = check(parse(source), { functions: FUNCTIONS, variables });
  } catch (error) {
    if (!(error instanceof SyntaxIssue)) throw error;
    return { kind: 'bad', issues: formatIssues(source, [{ at: error.at, message: error.message }]) };
  }
  const issues = checked.issues.length > 0 ? checked.issues : literalIssues(checked);
  return issues.length > 0 ? { kind: 'bad', issues: formatIssues(source, issues) } : { kind: 'good', checked };
}
