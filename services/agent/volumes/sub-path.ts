/**
 * Parts of volumes, mounted so that no link can lead out of them. A container that writes to the volume may change it
 * while we look (CVE-2017-1002101, CVE-2021-25741), so nothing is looked up twice: each component is opened relative to
 * the directory before it (through /proc/self/fd) without following links, and the file that was opened last is what is
 * bound, by its descriptor.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, mkdir, open, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError } from '../pod-spec/env.js';
import { unmountAll } from './mount.js';

/** open(2)'s O_PATH, which Node does not name: a file's place, without reading it or waking a pipe or device. */
const O_PATH = 0o10_000_000;

interface Opened {
  readonly file: FileHandle;
  readonly directory: boolean;
}

/**
 * Opens `path` below `root`, making directories that are missing. Throws ConfigError for a link, and for what is
 * neither file nor directory.
 */
async function openBelow(root: string, path: string): Promise<Opened> {
  let at: Opened = { file: await open(root, O_PATH | constants.O_DIRECTORY), directory: true };
  // Who may use the volume may use its parts.
  const mode = (await at.file.stat()).mode & 0o7777;
  for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
    const { file, directory } = at;
    try {
      if (!directory) throw new ConfigError(`subPath "${path}": what is before "${name}" is not a directory`);
      at = await openIn(file, name, { path, mode });
    } finally {
      await file.close();
    }
  }
  return at;
}

async function openIn(
  directory: FileHandle,
  name: string,
  { path, mode }: { readonly path: string; readonly mode: number },
): Promise<Opened> {
  const place = `/proc/self/fd/${directory.fd}/${name}`;
  const flags = O_PATH | constants.O_NOFOLLOW;
  const file = await open(place, flags).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    // Somebody may be quicker; what is there then is looked at like anything else.
    const made = await mkdir(place, { mode: 0o700 }).then(
      () => true,
      (failure: NodeJS.ErrnoException) => {
        if (failure.code !== 'EEXIST') throw failure;
        return false;
      },
    );
    const opened = await open(place, flags);
    // Of what was opened, by its descriptor: the name may lead elsewhere by now.
    if (made && (await opened.stat()).isDirectory()) await chmod(`/proc/self/fd/${opened.fd}`, mode);
    return opened;
  });
  const found = await file.stat();
  if (found.isDirectory() || found.isFile()) return { file, directory: found.isDirectory() };
  await file.close();
  const what = found.isSymbolicLink() ? 'a symbolic link' : 'neither a file nor a directory';
  throw new ConfigError(
    `subPath "${path}": "${name}" is ${what}; only real files and directories of the volume are mounted`,
  );
}

/** Binds `path` of the volume at `root` to `target`, in place of what an earlier container had there. */
export async function bindBelow(root: string, path: string, target: string): Promise<void> {
  const { file, directory } = await openBelow(root, path);
  try {
    await unmountAll(target);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    if (directory) await mkdir(target, { recursive: true });
    else await writeFile(target, '', { flag: 'a' });
    await bind(file.fd, target);
  } finally {
    await file.close();
  }
}

/**
 * mount(8) inherits the descriptor as its number 3, and must not resolve the name of it: the kernel goes where it
 * points.
 */
function bind(fd: number, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('mount', ['--no-canonicalize', '--bind', '/proc/self/fd/3', target], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
    });
    let errors = '';
    child.stderr?.on('data', (text: Buffer) => {
      errors += text.toString('utf8');
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`mount ended with exit code ${code ?? -1}: ${errors.trim()}`)),
    );
  });
}
