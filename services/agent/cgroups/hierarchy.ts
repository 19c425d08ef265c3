/**
 * The machine's control groups, v1 or v2: makes a group with limits, removes a tree of them. Paths are relative to the
 * mounts, begin with '/' and are ours: never made of what an object says.
 */
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CPU_PERIOD_US, weightOf, type GroupLimits } from './limits.js';

/**
 * Where groups are mounted. v2 has one tree with all controllers; v1 one for each controller, and maybe a v2 tree
 * without any.
 */
export type CgroupMounts =
  | { readonly version: 2; readonly root: string }
  | { readonly version: 1; readonly cpu: string; readonly memory: string | undefined; readonly all: readonly string[] };

/** From /proc/self/mountinfo. Undefined: this machine has no control groups that limit anything. */
export function parseMounts(mountinfo: string): CgroupMounts | undefined {
  const v1 = new Map<string, string>();
  let v2: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4] ?? '';
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') v2 ??= point;
    if (type === 'cgroup') for (const option of options.split(',')) if (!v1.has(option)) v1.set(option, point);
  }
  const cpu = v1.get('cpu');
  if (cpu !== undefined) {
    const controllers = [...v1].filter(([option]) => option !== 'rw' && option !== 'ro').map(([, point]) => point);
    return {
      version: 1,
      cpu,
      memory: v1.get('memory'),
      all: [...new Set([...controllers, ...(v2 === undefined ? [] : [v2])])],
    };
  }
  return v2 === undefined ? undefined : { version: 2, root: v2 };
}

export async function findMounts(): Promise<CgroupMounts | undefined> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
}

export class CgroupHierarchy {
  readonly #mounts: CgroupMounts;

  constructor(mounts: CgroupMounts) {
    this.#mounts = mounts;
  }

  /**
   * Makes the group and those above it. Rejects when the kernel refuses: a limit that is not there must not pass for
   * one.
   */
  async set(path: string, limits: GroupLimits): Promise<void> {
    const mounts = this.#mounts;
    if (mounts.version === 2) {
      await this.#makeV2(mounts.root, path);
      const group = join(mounts.root, path);
      await writeFile(join(group, 'cpu.weight'), String(weightOf(limits.cpuShares)));
      await writeFile(join(group, 'cpu.max'), `${limits.cpuQuota_us ?? 'max'} ${CPU_PERIOD_US}`);
      await writeFile(join(group, 'memory.max'), String(limits.memory_bytes ?? 'max'));
      return;
    }
    const cpu = join(mounts.cpu, path);
    await mkdir(cpu, { recursive: true });
    await writeFile(join(cpu, 'cpu.shares'), String(limits.cpuShares));
    // A kernel without bandwidth control has no such file, and limits nothing there.
    await writeFile(join(cpu, 'cpu.cfs_period_us'), String(CPU_PERIOD_US)).catch(ignoreMissing);
    await writeFile(join(cpu, 'cpu.cfs_quota_us'), String(limits.cpuQuota_us ?? -1)).catch(ignoreMissing);
    if (mounts.memory === undefined) return;
    const memory = join(mounts.memory, path);
    await mkdir(memory, { recursive: true });
    await writeFile(join(memory, 'memory.limit_in_bytes'), String(limits.memory_bytes ?? -1));
  }

  /** Names of the groups directly below. */
  async children(path: string): Promise<string[]> {
    const mounts = this.#mounts;
    return childrenOf(join(mounts.version === 2 ? mounts.root : mounts.cpu, path));
  }

  /** Removes the group and all below it, in every hierarchy. False when processes are left in it. */
  async remove(path: string): Promise<boolean> {
    const mounts = this.#mounts;
    const roots = mounts.version === 2 ? [mounts.root] : mounts.all;
    const gone = await Promise.all(roots.map((root) => removeTree(join(root, path))));
    return gone.every(Boolean);
  }

  async #makeV2(root: string, path: string): Promise<void> {
    const chain = ['/'];
    for (let at = path; at !== '/' && at !== '.'; at = dirname(at)) chain.splice(1, 0, at);
    for (const at of chain) {
      await mkdir(join(root, at), { recursive: true });
      // Controllers are handed down from each group to the next, and by the last one to the containers.
      await writeFile(join(root, at, 'cgroup.subtree_control'), '+cpu +memory').catch(ignoreMissing);
    }
  }
}

/** A file that a group does not have cannot be made either: EACCES. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'EACCES') throw error;
}

async function childrenOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function removeTree(directory: string): Promise<boolean> {
  for (const name of await childrenOf(directory)) await removeTree(join(directory, name));
  return rmdir(directory).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}
