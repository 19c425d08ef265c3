/** For end-to-end tests on machines without a registry: an image made of the machine's own static busybox. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const IMAGE = 'navarch.test/busybox:1';

/** An image of busybox alone, in the layout of `docker save`; returns the archive's path. */
export function buildImage(folder: string): string {
  const work = join(folder, 'image');
  mkdirSync(join(work, 'rootfs/bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(work, 'rootfs/bin/busybox'));
  execFileSync('tar', ['-C', join(work, 'rootfs'), '-cf', join(work, 'layer.tar'), '.']);
  const diff = createHash('sha256')
    .update(readFileSync(join(work, 'layer.tar')))
    .digest('hex');
  writeFileSync(
    join(work, 'config.json'),
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/bin/busybox', 'sleep', '600'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${diff}`] },
    }),
  );
  writeFileSync(
    join(work, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }]),
  );
  execFileSync('tar', ['-C', work, '-cf', join(folder, 'image.tar'), 'manifest.json', 'config.json', 'layer.tar']);
  return join(folder, 'image.tar');
}
