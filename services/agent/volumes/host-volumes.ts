/**
 * Volumes on the host's file system: `<dataDir>/pods/<uid>/volumes/<name>`, with the hosts file and termination logs
 * beside. Names come from objects: they are checked before they become paths.
 */
import { chmod, chown, lstat, mkdir, open, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { approximate } from '../../../apimachinery/int64.js';
import type { Random } from '../../../platform/random.js';
import { ConfigError } from '../pod-spec/env.js';
import type { SubPath, VolumePaths, Volumes } from './volumes.js';
import { quantityOf } from '../pod-spec/resources.js';
import type { PodKey } from '../pod-spec/spec.js';
import type { Container, Pod, Volume } from '../pod-spec/types.js';
import type { MountSpec } from '../runtime/runtime.js';
import { writeAtomically } from './atomic-writer.js';
import { mountTmpfs, unmountAll } from './mount.js';
import { bindBelow } from './sub-path.js';
import { renderVolume } from './render.js';
import type { VolumeFiles, VolumeSources } from './render.js';

const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
/** kubelet's bound on a termination message. */
const MESSAGE_BYTES_MAX = 4096;

function safe(name: string): string {
  if (!SAFE_NAME.test(name) || name.includes('..')) throw new ConfigError(`"${name}" cannot be used as a file name`);
  return name;
}

type PlacedVolume = VolumePaths extends ReadonlyMap<string, infer Placed> ? Placed : never;

export interface HostVolumesOptions {
  readonly dataDir: string;
  readonly logRoot: string;
  readonly random: Random;
}

export class HostVolumes implements Volumes {
  readonly #pods: string;
  readonly #logRoot: string;
  readonly #random: Random;

  constructor(options: HostVolumesOptions) {
    this.#pods = join(options.dataDir, 'pods');
    this.#logRoot = options.logRoot;
    this.#random = options.random;
  }

  async prepare(pod: Pod, sources: VolumeSources): Promise<VolumePaths> {
    const root = join(this.#pods, safe(pod.metadata?.uid ?? ''), 'volumes');
    const paths = new Map<string, PlacedVolume>();
    for (const volume of pod.spec?.volumes ?? []) paths.set(volume.name, await this.#prepareOne(pod, volume, join(root, safe(volume.name)), sources));
    return paths;
  }

  async ownMounts(pod: Pod, container: Container, attempt: number, podIPs: readonly string[], hostname: string): Promise<readonly MountSpec[]> {
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

  async subPaths(pod: Pod, container: Container, volumes: VolumePaths, parts: readonly SubPath[]): Promise<ReadonlyMap<number, string>> {
    const made = new Map<number, string>();
    for (const { index, volume, path } of parts) {
      const found = volumes.get(volume);
      if (found === undefined) throw new ConfigError(`volume "${volume}" is not in the pod's volumes`);
      const target = join(this.#pods, safe(pod.metadata?.uid ?? ''), 'subpaths', safe(volume), safe(container.name), `${index}`);
      await bindBelow(found.hostPath, found.rendered === true ? await renderedPath(found.hostPath, path) : path, target);
      made.set(index, target);
    }
    return made;
  }

  async terminationMessage(uid: string, container: string, attempt: number): Promise<string | undefined> {
    const path = join(this.#pods, safe(uid), 'messages', safe(container), `${attempt}`);
    // The container could have put a link or a pipe there, were it not a single mounted file: opened without following.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
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
    await unmountAll(directory);
    await rm(directory, { recursive: true, force: true });
    for (const name of await readdir(this.#logRoot).catch(() => [])) {
      if (name.endsWith(`_${key.uid}`)) await rm(join(this.#logRoot, name), { recursive: true, force: true });
    }
  }

  async leftovers(): Promise<readonly string[]> {
    return readdir(this.#pods).catch(() => []);
  }

  async #prepareOne(pod: Pod, volume: Volume, path: string, sources: VolumeSources): Promise<PlacedVolume> {
    if (volume.hostPath !== undefined) return { hostPath: await hostPath(volume.hostPath.path, volume.hostPath.type ?? ''), readOnly: false };
    let files: VolumeFiles | undefined;
    try {
      files = renderVolume(pod, volume, sources);
    } catch (error) {
      // What it was made of is not to be had now; what it holds from before stays in use, as in a container that runs.
      if (error instanceof ConfigError && (await readlink(join(path, '..data')).catch(() => undefined)) !== undefined) return { hostPath: path, readOnly: true, rendered: true };
      throw error;
    }
    const fsGroup = pod.spec?.securityContext?.fsGroup;
    const gid = fsGroup === undefined ? undefined : approximate(fsGroup);
    if (files === undefined && volume.emptyDir === undefined) throw new ConfigError(`volume "${volume.name}" is of a type this node does not support`);
    await mkdir(path, { recursive: true });
    if (files === undefined) {
      await emptyDirectory(path, volume, gid);
      return { hostPath: path, readOnly: false };
    }
    const secret = volume.secret !== undefined || (volume.projected?.sources ?? []).some((source) => source.secret !== undefined || source.serviceAccountToken !== undefined);
    if (secret) await mountTmpfs(path, { mode: '0755' });
    await writeAtomically(path, files, this.#random, gid);
    return { hostPath: path, readOnly: true, rendered: true };
  }
}

/** Rendered volumes name their files by links of our own making, through `..data`: the directory it stands for now takes its place. */
async function renderedPath(root: string, path: string): Promise<string> {
  return join(await readlink(join(root, '..data')), path);
}

function mount(hostPath: string, containerPath: string): MountSpec {
  return { hostPath, containerPath, readOnly: false, propagation: 'None' };
}

async function emptyDirectory(path: string, volume: Volume, gid: number | undefined): Promise<void> {
  const limit = quantityOf(volume.emptyDir?.sizeLimit);
  if (volume.emptyDir?.medium === 'Memory') await mountTmpfs(path, { mode: '0777', ...(limit === undefined ? {} : { size_bytes: Math.floor(limit) }) });
  await chmod(path, gid === undefined ? 0o777 : 0o2777);
  if (gid !== undefined) await chown(path, -1, gid);
}

/** Checks, and where its type says so makes, what a hostPath volume names (core/v1 HostPathVolumeSource). */
async function hostPath(path: string, type: string): Promise<string> {
  if (!path.startsWith('/') || path.split('/').includes('..')) throw new ConfigError(`hostPath "${path}" must be absolute and without ".."`);
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
  if (type === '') {
    // Runtimes refuse to mount what is not there; a directory is what is most often meant.
    if ((await lstat(path).catch(() => undefined)) === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }
  const found = await stat(path).catch(() => undefined);
  const fits = found !== undefined && (
    type.startsWith('Directory') ? found.isDirectory() : type.startsWith('File') ? found.isFile()
      : type === 'Socket' ? found.isSocket() : type === 'CharDevice' ? found.isCharacterDevice() : type === 'BlockDevice' && found.isBlockDevice());
  if (!fits) throw new ConfigError(`hostPath type check failed: ${path} is not a ${type}`);
  return path;
}

function hostsFile(pod: Pod, podIPs: readonly string[], hostname: string): string {
  const { subdomain, hostAliases = [] } = pod.spec ?? {};
  const full = subdomain === undefined || hostname.includes('.') ? '' : `\t${hostname}.${subdomain}.${pod.metadata?.namespace ?? ''}.svc.cluster.local`;
  return [
    '# Managed by the node\'s agent.', '127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback',
    ...podIPs.map((ip) => `${ip}${full}\t${hostname}`),
    ...hostAliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`), '',
  ].join('\n');
}
