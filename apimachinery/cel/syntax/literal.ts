/** Strings and bytes as an expression writes them: escapes, raw, triple quotes. */
import { SyntaxIssue } from './issues.js';

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  "'": "'",
  '`': '`',
  '\\': '\\',
  '?': '?',
};
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.)|$)/gsu;

/** `prefix`: r, b or both in lower case. `quoted`: with its quotes. */
export function decodeString(prefix: string, quoted: string, at: number): string | Uint8Array {
  const width = quoted.startsWith('"""') || quoted.startsWith("'''") ? 3 : 1;
  const body = quoted.slice(width, -width).replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  if (prefix.includes('b')) return prefix.includes('r') ? Buffer.from(body) : bytesOf(body, at);
  return prefix.includes('r')
    ? body
    : body.replace(ESCAPE, (escape: string, ...groups: unknown[]) => charOf(escape, groups, at));
}

function charOf(escape: string, groups: readonly unknown[], at: number): string {
  const [hex, upperHex, unicode, wide, octal, other] = groups.slice(0, 6) as (string | undefined)[];
  if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
  const digits = hex ?? upperHex ?? unicode ?? wide;
  if (digits !== undefined) {
    const code = Number.parseInt(digits, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      throw new SyntaxIssue(at, 'Syntax error: unable to unescape string');
    return String.fromCodePoint(code);
  }
  const simple = other !== undefined && Object.hasOwn(SIMPLE, other) ? SIMPLE[other] : undefined;
  if (simple === undefined) throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${escape}'`);
  return simple;
}

/** In bytes, \x and octal escapes are bytes; other characters are their UTF-8. */
function bytesOf(body: string, at: number): Uint8Array {
  const parts: Buffer[] = [];
  let last = 0;
  for (const match of body.matchAll(ESCAPE)) {
    parts.push(Buffer.from(body.slice(last, match.index)));
    last = match.index + match[0].length;
    const byte = match[1] ?? match[2];
    if (byte !== undefined) parts.push(Buffer.from([Number.parseInt(byte, 16)]));
    else if (match[5] !== undefined) parts.push(Buffer.from([Number.parseInt(match[5], 8)]));
    else parts.push(Buffer.from(charOf(match[0], match.slice(1), at)));
  }
  parts.push(Buffer.from(body.slice(last)));
  return Buffer.concat(parts);
}
