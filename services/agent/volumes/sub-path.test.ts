import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountsBelow, unmountAll } from './mount.js';
import { bindBelow } from './sub-path.js';

let directory = '';
let volume = '';
let target = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-subpath-'));
  volume = join(directory, 'volume');
  target = join(directory, 'targets', '0');
  mkdirSync(join(volume, 'real', 'deep'), { recursive: true });
  writeFileSync(join(volume, 'real', 'file'), 'inside');
  mkdirSync(join(directory, 'outside'));
  writeFileSync(join(directory, 'outside', 'secret'), 'outside');
});

afterEach(async () => {
  await unmountAll(directory);
  rmSync(directory, { recursive: true, force: true });
});

describe('a subPath (CVE-2017-1002101, CVE-2021-25741)', () => {
  it.each([
    ['a link out of the volume', 'link', '../outside'],
    ['an absolute link', 'link', '/etc'],
    ['a link within the volume', 'link', 'real'],
    ['a link to nothing', 'link', 'nowhere'],
  ])('%s is refused, at the end and on the way', async (_what, name, to) => {
    symlinkSync(to, join(volume, name));
    await expect(bindBelow(volume, name, target)).rejects.toThrow('is a symbolic link');
    await expect(bindBelow(volume, `${name}/below`, target)).rejects.toThrow('is a symbolic link');
    expect(existsSync(join(directory, 'outside', 'below'))).toBe(false);
    expect(await mountsBelow(directory)).toEqual([]);
  });

  it('below a file, and what is neither file nor directory: refused', async () => {
    await expect(bindBelow(volume, 'real/file/x', target)).rejects.toThrow('is not a directory');
    execFileSync('mkfifo', [join(volume, 'pipe')]);
    await expect(bindBelow(volume, 'pipe', target)).rejects.toThrow('neither a file nor a directory');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is the directory that was opened, whatever its name leads to later',
    async () => {
      await bindBelow(volume, './real//deep', target);
      writeFileSync(join(volume, 'real', 'deep', 'mine'), 'mine');
      renameSync(join(volume, 'real', 'deep'), join(volume, 'moved'));
      symlinkSync('../../outside', join(volume, 'real', 'deep'));
      expect(readFileSync(join(target, 'mine'), 'utf8')).toBe('mine');
      expect(existsSync(join(target, 'secret'))).toBe(false);
      // The next container of the pod gets a fresh look, in place of the old mount.
      await expect(bindBelow(volume, 'real/deep', target)).rejects.toThrow('is a symbolic link');
      chmodSync(volume, 0o2777);
      await bindBelow(volume, 'made/new', target);
      expect(await mountsBelow(directory)).toEqual([target]);
      expect(existsSync(join(volume, 'made', 'new'))).toBe(true);
      expect([statSync(join(volume, 'made')).mode & 0o7777, statSync(target).mode & 0o7777]).toEqual([0o2777, 0o2777]);
    },
  );

  it.skipIf(process.getuid?.() !== 0)('may be a file', async () => {
    await bindBelow(volume, 'real/file', target);
    expect(readFileSync(target, 'utf8')).toBe('inside');
  });
});
