/**
 * Scripts of commands with their expected output, in the datadriven format: comments, a command line, input lines,
 * `----`, the output up to a blank line (or between doubled `----` lines).
 */

export interface Argument {
  readonly key: string;
  /** Values of `key=value` or `key=(a,b)`; empty for a bare word. */
  readonly values: readonly string[];
}

export interface Directive {
  /** Line number of the command, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
  /** Where the expected output stands: from this line, up to but without the other; both from 0. */
  readonly place: { readonly from: number; readonly to: number };
}

export function parseScript(text: string): Directive[] {
  const lines = text.split('\n');
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = (lines[at] ?? '').trim();
    if (line === '' || line.startsWith('#')) {
      at++;
      continue;
    }
    const start = at;
    let commandLine = line;
    while (commandLine.endsWith('\\'))
      commandLine = `${commandLine.slice(0, -1).trimEnd()} ${(lines[++at] ?? '').trim()}`;
    at++;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== '----') input.push(lines[at++] ?? '');
    at++;
    const output = readOutput(lines, at);
    const place = { from: at, to: output.next };
    at = output.next;
    const [command = '', ...args] = tokens(commandLine);
    directives.push({
      line: start + 1,
      command,
      args: args.map(parseArgument),
      input: input.join('\n').trim(),
      expected: output.text,
      place,
    });
  }
  return directives;
}

function readOutput(lines: readonly string[], from: number): { text: string; next: number } {
  const output: string[] = [];
  let at = from;
  if (lines[at] === '----') {
    at++;
    while (at < lines.length && !(lines[at] === '----' && lines[at + 1] === '----')) output.push(lines[at++] ?? '');
    return { text: output.join('\n'), next: at + 2 };
  }
  while (at < lines.length && (lines[at] ?? '').trim() !== '') output.push(lines[at++] ?? '');
  return { text: output.join('\n'), next: at };
}

/** Words, where spaces within parentheses do not separate. */
function tokens(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (const char of line) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (/\s/.test(char) && depth === 0) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += char;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

function parseArgument(word: string): Argument {
  const equals = word.indexOf('=');
  if (equals < 0) return { key: word, values: [] };
  const value = word.slice(equals + 1);
  const list = value.startsWith('(') && value.endsWith(')') ? value.slice(1, -1).split(',') : [value];
  return { key: word.slice(0, equals), values: list.map((item) => item.trim()).filter((item) => item !== '') };
}

/** The script with other outputs, one for each directive in order. */
export function replaceOutputs(text: string, outputs: readonly string[]): string {
  const lines = text.split('\n');
  const parts: string[] = [];
  let at = 0;
  for (const [i, { place }] of parseScript(text).entries()) {
    const output = outputs[i] ?? '';
    parts.push(...lines.slice(at, place.from));
    // A blank line would end the output.
    parts.push(...(/(^|\n)\n/.test(output) ? ['----', output, '----', '----'] : [output]));
    at = place.to;
  }
  return [...parts, ...lines.slice(at)].join('\n');
}

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL|NONE) /;

/** What counts: everything but the lines that are only the original's log output. `ok` stands for no output at all. */
export function comparable(output: string): string {
  const kept = output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !LOG_LINE.test(line));
  return kept.length === 0 ? 'ok' : kept.join('\n');
}
