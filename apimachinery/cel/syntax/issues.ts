/** What is wrong with an expression, printed with the place in its text. */

export interface Issue {
  /** Offset in the text, in UTF-16 units. */
  readonly at: number;
  readonly message: string;
}

/** Stops parsing: what follows cannot be understood. */
export class SyntaxIssue extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** An answer with an issue for each character of a long rule would be many times its size. */
const ISSUES_MAX = 20;
const LINE_MAX = 250;

/** `ERROR: <input>:1:5: undefined field 'x'`, the line and a caret under the place, for each issue. */
export function formatIssues(source: string, issues: readonly Issue[]): string {
  return [...issues]
    .sort((a, b) => a.at - b.at)
    .slice(0, ISSUES_MAX)
    .map((issue) => formatIssue(source, issue))
    .join('\n');
}

function formatIssue(source: string, { at, message }: Issue): string {
  const before = source.slice(0, at);
  const start = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  const end = source.indexOf('\n', at);
  const text = source.slice(start, end === -1 ? undefined : end).replaceAll('\t', ' ');
  const column = at - start;
  // A text that is empty has no first column.
  const shown = source === '' ? 0 : column + 1;
  const head = `ERROR: <input>:${line}:${shown}: ${message.slice(0, LINE_MAX)}`;
  return text.length > LINE_MAX ? head : `${head}\n | ${text}\n | ${'.'.repeat(column)}^`;
}
