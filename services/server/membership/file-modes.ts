/** A member's data is its owner's alone: log and state hold the cluster's Secrets. */
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const OTHERS = 0o077;

export function makeFilesPrivate(): void {
  process.umask(OTHERS);
}

/**
 * What the process makes from now on, LevelDB's files too, is readable by nobody else; what lies in the directory
 * already, from earlier versions or a copy, is made so. Links are left alone: what they point to is not ours.
 */
export async function keepPrivate(directory: string): Promise<void> {
  makeFilesPrivate();
  await tighten(directory);
}

async function tighten(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || !(found.isDirectory() || found.isFile())) return;
  if ((found.mode & OTHERS) !== 0) await chmod(path, found.mode & 0o700);
  if (!found.isDirectory()) return;
  for (const name of await readdir(path)) await tighten(join(path, name));
}
