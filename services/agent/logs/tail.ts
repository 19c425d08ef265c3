/**
 * The last words of a container, for a termination message that falls back to its log (core/v1
 * TerminationMessagePolicy).
 */
import { open } from 'node:fs/promises';
import { parseLogLine } from './cri-log.js';

/** kubelet's bounds on what a termination message takes from a log. */
const LINES_MAX = 80;
const MESSAGE_BYTES_MAX = 2048;
const READ_BYTES_MAX = 64 << 10;

/** '' when there is no such file, or nothing in it. */
export async function lastWords(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(size - READ_BYTES_MAX, 0);
    const buffer = Buffer.alloc(Math.min(size, READ_BYTES_MAX));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    return textOf(buffer.subarray(0, bytesRead), start > 0);
  } finally {
    await file.close();
  }
}

/** `cut`: the first line may lack its beginning. */
function textOf(bytes: Buffer, cut: boolean): string {
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .map((line) => Buffer.from(line, 'latin1'));
  const parts = lines.slice(cut ? 1 : 0).flatMap((line) => {
    const parsed = parseLogLine(line);
    return parsed === undefined
      ? []
      : [parsed.partial ? parsed.content : Buffer.concat([parsed.content, Buffer.from('\n')])];
  });
  const words = Buffer.concat(parts.slice(-LINES_MAX));
  const from = Math.max(words.length - MESSAGE_BYTES_MAX, 0);
  // A cut inside a character would leave a replacement sign at the front.
  let begin = from;
  while (begin > 0 && begin < words.length && ((words[begin] ?? 0) & 0xc0) === 0x80) begin++;
  return words.toString('utf8', begin);
}
