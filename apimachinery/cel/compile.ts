/** An expression from text to a program, once. */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import type { Checked } from './check/checker.js';
import { checkWork } from './check/checker.js';
import type { Library } from './check/declare.js';
import type { CelType } from './values/types.js';
import { literalIssuesWork } from './literals.js';
import { FUNCTIONS } from './lib/index.js';
import { SyntaxIssue, formatIssues } from './syntax/issues.js';
import { parse } from './syntax/parser.js';

export type Compiled =
  | { readonly kind: 'good'; readonly checked: Checked }
  /** `issues` is text of several lines, as kubectl shows it. */
  | { readonly kind: 'bad'; readonly issues: string };

/** What an expression may use beside its variables. */
export interface Extras {
  readonly functions?: Library;
  readonly messages?: (name: string) => CelType | undefined;
}

export function compile(source: string, variables: Readonly<Record<string, CelType>>, extras: Extras = {}): Compiled {
  return finish(compileWork(source, variables, extras));
}

/** Of parsing, for each character. */
const CHARACTER_UNITS = 3;

/** The same in slices; parsing is one. */
export function* compileWork(
  source: string,
  variables: Readonly<Record<string, CelType>>,
  { functions, messages }: Extras = {},
): Work<Compiled> {
  const units = CHARACTER_UNITS * source.length;
  let checked: Checked;
  try {
    const parsed = parse(source);
    yield units;
    checked = yield* checkWork(parsed, {
      functions: functions === undefined ? FUNCTIONS : { ...FUNCTIONS, ...functions },
      variables,
      ...(messages === undefined ? {} : { messages }),
    });
  } catch (error) {
    if (!(error instanceof SyntaxIssue)) throw error;
    return { kind: 'bad', issues: formatIssues(source, [{ at: error.at, message: error.message }]) };
  }
  const issues = checked.issues.length > 0 ? checked.issues : yield* literalIssuesWork(checked);
  return issues.length > 0 ? { kind: 'bad', issues: formatIssues(source, issues) } : { kind: 'good', checked };
}
