/** The files that ConfigMaps, Secrets and the downward API come to: pure, from the pod and its sources. */
import { ConfigError, fieldValue } from '../pod-spec/env.js';
import { resourceField } from '../pod-spec/resources.js';
import { containersOf, specOf } from '../pod-spec/spec.js';
import type { DownwardFile, KeyToPath, Pod } from '../pod-spec/types.js';
import type { VolumeSources } from './sources.js';

interface VolumeFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

/** Relative path -> file. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

export type FileEntry = [path: string, file: VolumeFile];

export interface RenderContext {
  readonly pod: Pod;
  readonly sources: VolumeSources;
  /** Of files that name none. */
  readonly mode: number;
}

export const MODE_DEFAULT = 0o644;

/** Paths come from users: relative, without `..`, and not where the atomic writer keeps its own names. */
export function checkPath(path: string): string {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts.includes('') || path.startsWith('..')) {
    throw new ConfigError(
      `invalid path "${path}" in volume: must be relative, not start with ".." and not contain ".."`,
    );
  }
  return path;
}

interface Keyed {
  readonly name?: string;
  readonly items?: KeyToPath[] | null;
  readonly optional?: boolean;
}

/** All keys, or the named ones at their paths. `what` is how messages name the object. */
function keyedFiles(
  { items, optional }: Keyed,
  entries: ReadonlyMap<string, Uint8Array>,
  { what, mode }: { readonly what: string; readonly mode: number },
): FileEntry[] {
  if (items === undefined || items === null || items.length === 0)
    return [...entries].map(([path, data]) => [checkPath(path), { data, mode }]);
  const files: FileEntry[] = [];
  for (const item of items) {
    const data = entries.get(item.key);
    if (data !== undefined) files.push([checkPath(item.path), { data, mode: item.mode ?? mode }]);
    else if (optional !== true) throw new ConfigError(`${what} references non-existent config key: ${item.key}`);
  }
  return files;
}

export const utf8 = (text: string) => Buffer.from(text, 'utf8');
const base64 = (text: string) => Buffer.from(text, 'base64');

export function configMapFiles(source: Keyed, { pod, sources, mode }: RenderContext): FileEntry[] {
  const { name = '', optional } = source;
  const object = sources.configMap(pod.metadata?.namespace ?? '', name);
  if (object === undefined && optional !== true) throw new ConfigError(`configmap "${name}" not found`);
  const text = Object.entries(object?.data ?? {}).map(([key, value]): [string, Uint8Array] => [key, utf8(value)]);
  const binary = Object.entries(object?.binaryData ?? {}).map(([key, value]): [string, Uint8Array] => [
    key,
    base64(value),
  ]);
  return keyedFiles(source, new Map([...text, ...binary]), { what: `configmap "${name}"`, mode });
}

export function secretFiles(source: Keyed, { pod, sources, mode }: RenderContext): FileEntry[] {
  const { name = '', optional } = source;
  const object = sources.secret(pod.metadata?.namespace ?? '', name);
  if (object === undefined && optional !== true) throw new ConfigError(`secret "${name}" not found`);
  const entries = new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, base64(value)]));
  return keyedFiles(source, entries, { what: `secret "${name}"`, mode });
}

export function downwardFiles(
  { items }: { readonly items?: DownwardFile[] | null },
  { pod, sources, mode }: RenderContext,
): FileEntry[] {
  return (items ?? []).map((item) => {
    let value = '';
    if (item.fieldRef !== undefined) value = fieldValue(pod, item.fieldRef.fieldPath, sources);
    else if (item.resourceFieldRef !== undefined) {
      const { containerName, resource, divisor } = item.resourceFieldRef;
      const found = containersOf(specOf(pod)).find(({ container }) => container.name === containerName);
      if (found === undefined)
        throw new ConfigError(`container "${containerName ?? ''}" of resourceFieldRef not found`);
      value = resourceField(found.container, resource, divisor, sources.allocatable);
    }
    return [checkPath(item.path), { data: utf8(value), mode: item.mode ?? mode }];
  });
}
