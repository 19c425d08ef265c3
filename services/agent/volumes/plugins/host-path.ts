import { lstat, mkdir, open, stat } from 'node:fs/promises';
import { ConfigError } from '../../pod-spec/env.js';
import type { VolumePlugin } from '../plugin.js';

export const hostPathPlugin: VolumePlugin<'hostPath'> = {
  type: 'hostPath',
  prepare: async ({ source: { path, type = '' } }) => ({ hostPath: await hostPath(path, type), readOnly: false }),
};

/** Checks, and where its type says so makes, what a hostPath volume names (core/v1 HostPathVolumeSource). */
async function hostPath(path: string, type: string): Promise<string> {
  if (!path.startsWith('/') || path.split('/').includes('..'))
    throw new ConfigError(`hostPath "${path}" must be absolute and without ".."`);
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
  if (type === '') {
    // Runtimes refuse to mount what is not there; a directory is what is most often meant.
    if ((await lstat(path).catch(() => undefined)) === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }
  const found = await stat(path).catch(() => undefined);
  const fits =
    found !== undefined &&
    (type.startsWith('Directory')
      ? found.isDirectory()
      : type.startsWith('File')
        ? found.isFile()
        : type === 'Socket'
          ? found.isSocket()
          : type === 'CharDevice'
            ? found.isCharacterDevice()
            : type === 'BlockDevice' && found.isBlockDevice());
  if (!fits) throw new ConfigError(`hostPath type check failed: ${path} is not a ${type}`);
  return path;
}
