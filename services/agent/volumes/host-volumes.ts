/**
 * Volumes on the host's file system: `<dataDir>/pods/<uid>/volumes/<name>`, with the hosts file and termination logs
 * beside. Names come from objects: they are checked before they become paths.
 */
import { chmod, mkdir, open, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../platform/random.js';
import { ConfigError } from '../pod-spec/env.js';
import type { SubPath, VolumePaths, Volumes } from './volumes.js';
import type { PodKey } from '../pod-spec/spec.js';
import type { Container, Pod, Volume } from '../pod-spec/types.js';
import type { MountSpec } from '../runtime/runtime.js';
import { unmountAll } from './mount.js';
import type { PlacedVolume, VolumePlugin, VolumeRequest } from './plugin.js';
import type { VolumeSources } from './sources.js';
import { bindBelow } from './sub-path.js';

const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
/** kubelet's bound on a termination message. */
const MESSAGE_BYTES_MAX = 4096;

function safe(name: string): string {
  if (!SAFE_NAME.test(name) || name.includes('..')) throw new ConfigError(`"${name}" cannot be used as a file name`);
  return name;
}

export interface HostVolumesOptions {
  readonly dataDir: string;
  readonly logRoot: string;
  readonly random: Random;
  /** Types of volumes that the worker serves, as VOLUME_PLUGINS. */
  readonly plugins: readonly VolumePlugin[];
}

export class HostVolumes implements Volumes {
  readonly #pods: string;
  readonly #logRoot: string;
  readonly #random: Random;
  readonly #plugins: readonly VolumePlugin[];

  constructor(options: HostVolumesOptions) {
    this.#pods = join(options.dataDir, 'pods');
    this.#logRoot = options.logRoot;
    this.#random = options.random;
    this.#plugins = options.plugins;
  }

  async prepare(pod: Pod, sources: VolumeSources): Promise<VolumePaths> {
    // Before anything is made, and for a pod without volumes too.
    this.#directoryOf(pod.metadata?.uid ?? '');
    const paths = new Map<string, PlacedVolume>();
    for (const volume of pod.spec?.volumes ?? []) paths.set(volume.name, await this.#prepareOne(pod, volume, sources));
    return paths;
  }

  async refresh(pod: Pod, sources: VolumeSources): Promise<void> {
    for (const volume of pod.spec?.volumes ?? []) {
      const plugin = this.#pluginOf(volume);
      await plugin.refresh?.(this.#request(plugin, pod, { volume, sources }));
    }
  }

  async ownMounts(
    pod: Pod,
    container: Container,
    attempt: number,
    podIPs: readonly string[],
    hostname: string,
  ): Promise<readonly MountSpec[]> {
    const directory = join(this.#pods, safe(pod.metadata?.uid ?? ''));
    const messages = join(directory, 'messages', safe(container.name));
    await mkdir(messages, { recursive: true });
    const message = join(messages, `${attempt}`);
    await writeFile(message, '', { mode: 0o666 });
    await chmod(message, 0o666);
    const mounts: MountSpec[] = [mount(message, container.terminationMessagePath ?? '/dev/termination-log')];
    const taken = (container.volumeMounts ?? []).some((own) => own.mountPath === '/etc/hosts');
    if (!taken && pod.spec?.hostNetwork !== true) {
      const hosts = join(directory, 'hosts');
      await writeFile(hosts, hostsFile(pod, podIPs, hostname), { mode: 0o644 });
      mounts.push(mount(hosts, '/etc/hosts'));
    }
    return mounts;
  }

  async subPaths(
    pod: Pod,
    container: Container,
    volumes: VolumePaths,
    parts: readonly SubPath[],
  ): Promise<ReadonlyMap<number, string>> {
    const made = new Map<number, string>();
    for (const { index, volume, path } of parts) {
      const found = volumes.get(volume);
      if (found === undefined) throw new ConfigError(`volume "${volume}" is not in the pod's volumes`);
      const target = join(
        this.#pods,
        safe(pod.metadata?.uid ?? ''),
        'subpaths',
        safe(volume),
        safe(container.name),
        `${index}`,
      );
      await bindBelow(
        found.hostPath,
        found.rendered === true ? await renderedPath(found.hostPath, path) : path,
        target,
      );
      made.set(index, target);
    }
    return made;
  }

  async terminationMessage(uid: string, container: string, attempt: number): Promise<string | undefined> {
    const path = join(this.#pods, safe(uid), 'messages', safe(container), `${attempt}`);
    // The container could have put a link or a pipe there, were it not a single mounted file: opened without following.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      () => undefined,
    );
    if (file === undefined) return undefined;
    try {
      const buffer = Buffer.alloc(MESSAGE_BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, MESSAGE_BYTES_MAX, 0);
      return bytesRead === 0 ? undefined : buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async release(key: PodKey): Promise<void> {
    const directory = join(this.#pods, safe(key.uid));
    await this.#releaseVolumes(directory);
    await unmountAll(directory);
    await rm(directory, { recursive: true, force: true });
    for (const name of await readdir(this.#logRoot).catch(() => [])) {
      if (name.endsWith(`_${key.uid}`)) await rm(join(this.#logRoot, name), { recursive: true, force: true });
    }
  }

  async leftovers(): Promise<readonly string[]> {
    return readdir(this.#pods).catch(() => []);
  }

  async #prepareOne(pod: Pod, volume: Volume, sources: VolumeSources): Promise<PlacedVolume> {
    const plugin = this.#pluginOf(volume);
    const request = this.#request(plugin, pod, { volume, sources });
    if (plugin.release !== undefined) await this.#noteType(pod, volume.name, plugin.type);
    return plugin.prepare(request);
  }

  #pluginOf(volume: Volume): VolumePlugin {
    const plugin = this.#plugins.find(({ type }) => volume[type] !== undefined);
    if (plugin !== undefined) return plugin;
    const { name, ...sources } = volume;
    const types = Object.keys(sources).join(', ') || 'it has no source';
    throw new ConfigError(`volume "${name}" is of a type this node does not support: ${types}`);
  }

  #request(
    plugin: VolumePlugin,
    pod: Pod,
    { volume, sources }: { readonly volume: Volume; readonly sources: VolumeSources },
  ): VolumeRequest {
    const source = volume[plugin.type];
    if (source === undefined || source === null) throw new ConfigError(`volume "${volume.name}" has no ${plugin.type}`);
    const path = join(this.#directoryOf(pod.metadata?.uid ?? ''), 'volumes', safe(volume.name));
    return { pod, source, path, sources, random: this.#random };
  }

  /** Throws ConfigError for a uid that is no file name. */
  #directoryOf(uid: string): string {
    return join(this.#pods, safe(uid));
  }

  /** Beside the volume, for the release of a pod whose object is gone by then. */
  async #noteType(pod: Pod, name: string, type: string): Promise<void> {
    const types = join(this.#directoryOf(pod.metadata?.uid ?? ''), 'volume-types');
    await mkdir(types, { recursive: true });
    await writeFile(join(types, safe(name)), type);
  }

  async #releaseVolumes(directory: string): Promise<void> {
    const types = join(directory, 'volume-types');
    for (const name of await readdir(types).catch(() => [])) {
      const type = await readFile(join(types, name), 'utf8');
      const plugin = this.#plugins.find((candidate) => candidate.type === type);
      await plugin?.release?.(join(directory, 'volumes', name));
    }
  }
}

/**
 * Rendered volumes name their files by links of our own making, through `..data`: the directory it stands for now takes
 * its place.
 */
async function renderedPath(root: string, path: string): Promise<string> {
  return join(await readlink(join(root, '..data')), path);
}

function mount(hostPath: string, containerPath: string): MountSpec {
  return { hostPath, containerPath, readOnly: false, propagation: 'None' };
}

function hostsFile(pod: Pod, podIPs: readonly string[], hostname: string): string {
  const { subdomain, hostAliases = [] } = pod.spec ?? {};
  const full =
    subdomain === undefined || hostname.includes('.')
      ? ''
      : `\t${hostname}.${subdomain}.${pod.metadata?.namespace ?? ''}.svc.cluster.local`;
  return [
    "# Managed by the node's agent.",
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...podIPs.map((ip) => `${ip}${full}\t${hostname}`),
    ...hostAliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`),
    '',
  ].join('\n');
}
