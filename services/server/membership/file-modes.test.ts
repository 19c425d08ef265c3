/**
 * Issue 6, row 8: LevelDB's files are 0600 in directories of 0700, new ones, rotated ones, and those that were there.
 */
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemFolder } from '../../../platform/disk/system-disk.js';
import { keepPrivate } from './file-modes.js';

let directory: string;
let umask: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'modes-'));
  umask = process.umask(0o022);
});
afterEach(async () => {
  process.umask(umask);
  await rm(directory, { recursive: true, force: true });
});

async function open(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(path, { recursive: true })) {
    const { mode } = await lstat(join(path, name));
    if ((mode & 0o077) !== 0) found.push(name);
  }
  return found;
}

it('closes what is there, and what LevelDB makes, compacts and rotates', async () => {
  const data = join(directory, 'data');
  await mkdir(join(data, 'old'), { recursive: true, mode: 0o755 });
  await writeFile(join(data, 'old', '000003.log'), 'secret', { mode: 0o644 });
  await keepPrivate(data);
  expect(await open(data)).toEqual([]);
  for (let round = 0; round < 3; round++) {
    const disk = await systemFolder(data).openDisk('level', { writeBuffer_bytes: 64 * 1024 });
    for (let i = 0; i < 300; i += 10) {
      const keys = Array.from({ length: 10 }, (_none, n) => Buffer.from(`${round}/${i + n}`));
      await disk.write(keys.map((key) => ({ type: 'put', key, value: Buffer.alloc(1000, 'x') })));
    }
    await disk.reclaim?.();
    await disk.close();
  }
  expect((await readdir(join(data, 'level'))).filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(0);
  expect(await open(data)).toEqual([]);
});

it('follows no link', async () => {
  const outside = join(directory, 'outside');
  await writeFile(outside, '');
  await chmod(outside, 0o644);
  await mkdir(join(directory, 'data'));
  await symlink(outside, join(directory, 'data', 'link'));
  await keepPrivate(join(directory, 'data'));
  expect((await lstat(outside)).mode & 0o777).toBe(0o644);
});

it('does without a directory that is not there yet', async () => {
  await expect(keepPrivate(join(directory, 'none'))).resolves.toBeUndefined();
});
