/** Volumes that are files made by the agent from objects: written all at once, and again when an object changes. */
import { mkdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeType } from '../../../../apimachinery/node-objects/table.js';
import { approximate } from '../../../../apimachinery/int64.js';
import { ConfigError } from '../../pod-spec/env.js';
import type { Pod, Volume } from '../../pod-spec/types.js';
import { writeAtomically } from '../atomic-writer.js';
import type { VolumeFiles } from '../files.js';
import { mountTmpfs } from '../mount.js';
import type { PlacedVolume, VolumePlugin, VolumeRequest } from '../plugin.js';
import type { VolumeSources } from '../sources.js';

export interface RenderedVolume<T extends VolumeType> {
  readonly type: T;
  /** Pure. Throws ConfigError when something is missing. */
  files(source: NonNullable<Volume[T]>, pod: Pod, sources: VolumeSources): VolumeFiles;
  /** Whether the files must not touch a disk. */
  secret(source: NonNullable<Volume[T]>): boolean;
}

export type RenderedPlugin<T extends VolumeType> = VolumePlugin<T> & RenderedVolume<T>;

export function renderedPlugin<T extends VolumeType>(volume: RenderedVolume<T>): RenderedPlugin<T> {
  return {
    ...volume,
    prepare: (request) => write(volume, request),
    refresh: async (request) => void (await write(volume, request)),
  };
}

async function write<T extends VolumeType>(
  volume: RenderedVolume<T>,
  request: VolumeRequest<T>,
): Promise<PlacedVolume> {
  const { pod, source, path, sources, random } = request;
  const placed = { hostPath: path, readOnly: true, rendered: true };
  let files: VolumeFiles;
  try {
    files = volume.files(source, pod, sources);
  } catch (error) {
    // Its source is unavailable: keep the last rendered content, as in a container that runs.
    if (error instanceof ConfigError && (await readlink(join(path, '..data')).catch(() => undefined)) !== undefined)
      return placed;
    throw error;
  }
  const fsGroup = pod.spec?.securityContext?.fsGroup;
  await mkdir(path, { recursive: true });
  if (volume.secret(source)) await mountTmpfs(path, { mode: '0755' });
  await writeAtomically(path, files, random, fsGroup === undefined ? undefined : approximate(fsGroup));
  return placed;
}
