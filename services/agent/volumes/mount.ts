/** tmpfs mounts, by mount(8) and umount(8): Secrets and memory volumes never touch a disk. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Mount points at or below `root`, the deepest first. */
export async function mountsBelow(root: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = table.split('\n').map((line) => unescape(line.split(' ')[4] ?? ''));
  return points
    .filter((point) => point === root || point.startsWith(`${root}/`))
    .toSorted((a, b) => b.length - a.length);
}

/** The kernel writes blanks and the like as octal. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export async function mountTmpfs(
  path: string,
  options: { readonly size_bytes?: number; readonly mode: string },
): Promise<void> {
  if ((await mountsBelow(path)).includes(path)) return;
  const size = options.size_bytes === undefined ? '' : `,size=${options.size_bytes}`;
  await run('mount', ['-t', 'tmpfs', '-o', `mode=${options.mode},nosuid,nodev${size}`, 'tmpfs', path]);
}

export async function unmountAll(root: string): Promise<void> {
  for (const point of await mountsBelow(root)) await run('umount', [point]);
}
