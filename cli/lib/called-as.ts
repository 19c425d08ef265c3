/** What a person types to call this program again, the way it was called: a hint that a clone does not know is none. */
import { basename, dirname, isAbsolute, relative } from 'node:path';

/** Put into a POSIX shell as it is, it is one word. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** `script`: as the process was given it (`process.argv[1]`), a link not followed. */
export function calledAs(script: string = process.argv[1] ?? '', cwd: string = process.cwd()): string {
  if (basename(script) === 'navarch') return isLocal(script) ? 'npx navarch' : 'navarch';
  const path = relative(cwd, script);
  return `node ${shellWord(path.startsWith('..') || isAbsolute(path) ? script : path)}`;
}

/** A project's own, which no shell finds by its name alone. */
const isLocal = (script: string) => dirname(script).endsWith('/node_modules/.bin');
