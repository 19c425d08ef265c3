/**
 * Writes the files of a volume so that a reader sees the old set or the new, never a mixture (kubelet's layout):
 * `..data` is a symbolic link to a directory with a fresh name, replaced by rename; each top-level name links through
 * it.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Random } from '../../../platform/random.js';
import type { VolumeFiles } from './files.js';

const DATA = '..data';

/** Returns false when the volume held exactly this already. `gid`: owner group of the files (fsGroup). */
export async function writeAtomically(
  directory: string,
  files: VolumeFiles,
  random: Random,
  gid?: number,
): Promise<boolean> {
  const current = await readlink(join(directory, DATA)).catch(() => undefined);
  if (current !== undefined && (await holds(join(directory, current), files))) return false;
  const fresh = `..${random.uuid()}`;
  await writeTree(join(directory, fresh), files, gid);
  await symlink(fresh, join(directory, `${DATA}_tmp`)).catch(async () => {
    await unlink(join(directory, `${DATA}_tmp`));
    await symlink(fresh, join(directory, `${DATA}_tmp`));
  });
  await rename(join(directory, `${DATA}_tmp`), join(directory, DATA));
  await linkNames(directory, files);
  for (const name of await readdir(directory)) {
    if (name.startsWith('..') && name !== DATA && name !== fresh)
      await rm(join(directory, name), { recursive: true, force: true });
  }
  return true;
}

async function writeTree(root: string, files: VolumeFiles, gid: number | undefined): Promise<void> {
  await mkdir(root, { mode: 0o755 });
  await chmod(root, 0o755);
  for (const [path, file] of files) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, file.data, { flag: 'wx', mode: 0o600 });
    if (gid !== undefined) await chown(target, -1, gid);
    // A group that is to own the files must be able to read them.
    await chmod(target, gid === undefined ? file.mode : file.mode | 0o040);
  }
}

async function linkNames(directory: string, files: VolumeFiles): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(directory)) {
    if (!name.startsWith('..') && !wanted.has(name)) await rm(join(directory, name), { force: true });
  }
  for (const name of wanted) {
    const link = join(directory, name);
    const there = await lstat(link).catch(() => undefined);
    if (there?.isSymbolicLink() === true) continue;
    await symlink(join(DATA, name), link);
  }
}

async function holds(root: string, files: VolumeFiles): Promise<boolean> {
  const names = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (names === undefined || names.filter((entry) => entry.isFile()).length !== files.size) return false;
  for (const [path, file] of files) {
    const data = await readFile(join(root, path)).catch(() => undefined);
    if (data === undefined || !data.equals(file.data)) return false;
  }
  return true;
}
