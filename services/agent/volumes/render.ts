/** What the files of a ConfigMap, Secret, downward API or projected volume are: pure, from the pod and its sources. */
import type { ObjectReference } from '../../../apimachinery/node-objects/references.js';
import { tokenNeedOf } from '../../../apimachinery/node-objects/tokens.js';
import type { TokenNeed } from '../../../apimachinery/node-objects/tokens.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { ConfigError, fieldValue } from '../pod-spec/env.js';
import type { PodSources } from '../pod-spec/env.js';
import { resourceField } from '../pod-spec/resources.js';
import { containersOf, specOf } from '../pod-spec/spec.js';
import type { DownwardFile, KeyToPath, Pod, Volume, VolumeProjection } from '../pod-spec/types.js';

interface VolumeFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

/** Relative path -> file. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

export interface VolumeSources extends PodSources {
  /** Any object that the pod refers to. */
  object(reference: ObjectReference): KubeObject | undefined;
  /** A token fetched before; rendering is not asynchronous. */
  token(need: TokenNeed): string | undefined;
}

const MODE_DEFAULT = 0o644;

/** Paths come from users: relative, without `..`, and not where the atomic writer keeps its own names. */
function checkPath(path: string): string {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts.includes('') || path.startsWith('..')) {
    throw new ConfigError(`invalid path "${path}" in volume: must be relative, not start with ".." and not contain ".."`);
  }
  return path;
}

function keyed(
  what: string, entries: ReadonlyMap<string, Uint8Array>, items: readonly KeyToPath[] | undefined, options: { readonly mode: number; readonly optional: boolean },
): [string, VolumeFile][] {
  if (items === undefined || items.length === 0) {
    return [...entries].map(([path, data]) => [checkPath(path), { data, mode: options.mode }]);
  }
  const files: [string, VolumeFile][] = [];
  for (const item of items) {
    const data = entries.get(item.key);
    if (data !== undefined) files.push([checkPath(item.path), { data, mode: item.mode ?? options.mode }]);
    else if (!options.optional) throw new ConfigError(`${what} references non-existent config key: ${item.key}`);
  }
  return files;
}

const utf8 = (text: string) => Buffer.from(text, 'utf8');
const base64 = (text: string) => Buffer.from(text, 'base64');

function configMapEntries(pod: Pod, name: string, optional: boolean, sources: PodSources): ReadonlyMap<string, Uint8Array> {
  const object = sources.configMap(pod.metadata?.namespace ?? '', name);
  if (object === undefined && !optional) throw new ConfigError(`configmap "${name}" not found`);
  const text = Object.entries(object?.data ?? {}).map(([key, value]): [string, Uint8Array] => [key, utf8(value)]);
  const binary = Object.entries(object?.binaryData ?? {}).map(([key, value]): [string, Uint8Array] => [key, base64(value)]);
  return new Map([...text, ...binary]);
}

function secretEntries(pod: Pod, name: string, optional: boolean, sources: PodSources): ReadonlyMap<string, Uint8Array> {
  const object = sources.secret(pod.metadata?.namespace ?? '', name);
  if (object === undefined && !optional) throw new ConfigError(`secret "${name}" not found`);
  return new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, base64(value)]));
}

function downward(pod: Pod, items: readonly DownwardFile[] | undefined, mode: number, sources: PodSources): [string, VolumeFile][] {
  return (items ?? []).map((item) => {
    let value = '';
    if (item.fieldRef !== undefined) value = fieldValue(pod, item.fieldRef.fieldPath, sources);
    else if (item.resourceFieldRef !== undefined) {
      const { containerName, resource, divisor } = item.resourceFieldRef;
      const found = containersOf(specOf(pod)).find(({ container }) => container.name === containerName);
      if (found === undefined) throw new ConfigError(`container "${containerName ?? ''}" of resourceFieldRef not found`);
      value = resourceField(found.container, resource, divisor, sources.allocatable);
    }
    return [checkPath(item.path), { data: utf8(value), mode: item.mode ?? mode }];
  });
}

function projection(pod: Pod, source: VolumeProjection, mode: number, sources: VolumeSources): [string, VolumeFile][] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined) {
    const name = configMap.name ?? '';
    const optional = configMap.optional === true;
    return keyed(`configmap "${name}"`, configMapEntries(pod, name, optional, sources), configMap.items, { mode, optional });
  }
  if (secret !== undefined) {
    const name = secret.name ?? '';
    const optional = secret.optional === true;
    return keyed(`secret "${name}"`, secretEntries(pod, name, optional, sources), secret.items, { mode, optional });
  }
  if (downwardAPI !== undefined) return downward(pod, downwardAPI.items, mode, sources);
  if (serviceAccountToken === undefined) return [];
  const token = sources.token(tokenNeedOf(serviceAccountToken));
  if (token === undefined) throw new ConfigError('no service account token yet');
  const runsAs = pod.spec?.securityContext?.runAsUser;
  // Readable for root and the pod's group; without either named, for whoever the container runs as.
  const tokenMode = runsAs === undefined && pod.spec?.securityContext?.fsGroup === undefined ? 0o644 : 0o640;
  return [[checkPath(serviceAccountToken.path), { data: utf8(token), mode: tokenMode }]];
}

/** The files of a volume; undefined for volumes that are not made of files. Throws ConfigError when something is missing. */
export function renderVolume(pod: Pod, volume: Volume, sources: VolumeSources): VolumeFiles | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    const name = configMap.name ?? '';
    const options = { mode: configMap.defaultMode ?? MODE_DEFAULT, optional: configMap.optional === true };
    return new Map(keyed(`configmap "${name}"`, configMapEntries(pod, name, options.optional, sources), configMap.items, options));
  }
  if (secret !== undefined) {
    const name = secret.secretName ?? '';
    const options = { mode: secret.defaultMode ?? MODE_DEFAULT, optional: secret.optional === true };
    return new Map(keyed(`secret "${name}"`, secretEntries(pod, name, options.optional, sources), secret.items, options));
  }
  if (downwardAPI !== undefined) return new Map(downward(pod, downwardAPI.items, downwardAPI.defaultMode ?? MODE_DEFAULT, sources));
  if (projected === undefined) return undefined;
  return new Map((projected.sources ?? []).flatMap((source) => projection(pod, source, projected.defaultMode ?? MODE_DEFAULT, sources)));
}
