/** One containerd for each worker, in that worker's network, with folders of its own. */
import { mkdir, readFile, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../platform/clock.js';
import type { Executor } from '../../platform/exec.js';
import { CommandError, mustRun } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import { CgroupHierarchy, findMounts } from '../../services/agent/cgroups/hierarchy.js';
import { cgroupRootOf } from '../../services/agent/cgroups/pod-cgroups.js';
import { agentDataDir } from './plan.js';
import type { ContainerdPlan, Host } from './plan.js';
import { controlGroupsOf, shimsOf, withDescendants } from './proc.js';
import { endProcesses, runningProcess, startProcess, stopProcess } from './processes.js';

export interface HostsDeps {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ImageArchive {
  /** As pods name it. */
  readonly reference: string;
  /** A tar that `ctr images import` takes. */
  readonly path: string;
}

const HEALTH_MS_MAX = 15_000;
const POLL_MS = 50;
const STOP_GRACE_MS = 10_000;

function planOf(host: Host): ContainerdPlan {
  if (host.containerd === undefined) throw new Error(`${host.name} is no worker and has no containerd`);
  return host.containerd;
}

const ctr = (plan: ContainerdPlan, ...args: string[]): [string, string[]] => [
  'ctr',
  ['--address', plan.socket, '--namespace', 'k8s.io', ...args],
];

export async function answers(host: Host, deps: Pick<HostsDeps, 'executor'>): Promise<boolean> {
  return (await deps.executor.run(...ctr(planOf(host), 'version'), { timeout_ms: 2000 })).code === 0;
}

/** Starts it unless it runs, and waits until it answers. One that runs and does not answer is replaced. */
export async function startContainerd(host: Host, deps: HostsDeps): Promise<void> {
  const plan = planOf(host);
  if ((await runningProcess(plan.pidPath)) !== undefined && !(await answers(host, deps))) {
    deps.logger.warn({ host: host.name }, 'containerd runs and does not answer; starting it again');
    await stopContainerd(host, deps);
  }
  for (const folder of [plan.root, plan.state, plan.cniConfDir, plan.cniDataDir, dirname(plan.configPath)])
    await mkdir(folder, { recursive: true });
  await writeFile(plan.configPath, plan.config);
  await startProcess({
    command: 'nsenter',
    args: [`--net=/run/netns/${host.namespace}`, '--', 'containerd', '--config', plan.configPath],
    pidPath: plan.pidPath,
    logPath: plan.logPath,
  });
  const deadline = deps.clock.monotonic() + HEALTH_MS_MAX;
  while (!(await answers(host, deps))) {
    if ((await runningProcess(plan.pidPath)) === undefined)
      throw new Error(`containerd of ${host.name} ended: ${await lastLine(plan.logPath)} (${plan.logPath})`);
    if (deps.clock.monotonic() > deadline)
      throw new Error(
        `containerd of ${host.name} does not answer after ${HEALTH_MS_MAX / 1000} s; see ${plan.logPath}`,
      );
    await deps.clock.sleep(POLL_MS);
  }
}

async function lastLine(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1) ?? '';
}

/** Containers and their shims live on; the next containerd finds them again. */
export async function stopContainerd(host: Host, deps: Pick<HostsDeps, 'clock'>): Promise<void> {
  await stopProcess(planOf(host).pidPath, deps.clock, STOP_GRACE_MS);
}

/** Imports what is not there yet, or has changed since it was. Returns the references that were imported. */
export async function importImages(host: Host, images: readonly ImageArchive[], deps: HostsDeps): Promise<string[]> {
  const plan = planOf(host);
  const notePath = join(plan.root, 'imported.json');
  const note = await readFile(notePath, 'utf8').then(
    (text) => new Map(Object.entries(JSON.parse(text) as Record<string, string>)),
    () => new Map<string, string>(),
  );
  const present = new Set((await mustRun(deps.executor, ...ctr(plan, 'images', 'list', '--quiet'))).split('\n'));
  const imported: string[] = [];
  for (const { reference, path } of images) {
    const { size, mtimeMs } = await stat(path);
    const version = `${size} ${mtimeMs}`;
    if (present.has(reference) && note.get(reference) === version) continue;
    await mustRun(deps.executor, ...ctr(plan, 'images', 'import', path), { timeout_ms: 120_000 });
    if (!(await mustRun(deps.executor, ...ctr(plan, 'images', 'list', '--quiet'))).split('\n').includes(reference)) {
      throw new Error(`${path} was imported into ${host.name}, but holds no image called ${reference}`);
    }
    note.set(reference, version);
    imported.push(reference);
  }
  if (imported.length > 0) await writeFile(notePath, JSON.stringify(Object.fromEntries(note)));
  return imported;
}

/**
 * Ends every container of this worker, takes its mounts and control groups away, and what containerd kept of its run.
 */
export async function removeContainers(host: Host, deps: HostsDeps): Promise<void> {
  const plan = planOf(host);
  const shims = await shimsOf(plan.socket);
  const processes = await withDescendants(shims);
  const groups = new Set<string>();
  for (const id of processes)
    if (!shims.some((shim) => shim.pid === id.pid))
      for (const group of await controlGroupsOf(id.pid)) groups.add(group);
  const stray = await strayFiles(plan);
  await endProcesses(processes, deps.clock, 0);
  await unmountBelow([plan.state, plan.root, host.dataDir, host.runDir], deps);
  // Deepest first, then the groups above them; one that others use too is not empty: it does not go, and need not.
  const above = new Set([...groups].map((group) => dirname(group)));
  for (const group of [...groups, ...above].sort((a, b) => b.length - a.length))
    await rmdir(group).catch(() => undefined);
  await removeCgroups(host);
  for (const path of stray) await rm(path, { recursive: true, force: true });
  await rm(plan.state, { recursive: true, force: true });
  // Nobody told the CNI plugins that these pods ended: their addresses are free again.
  await rm(plan.cniDataDir, { recursive: true, force: true });
}

/** The groups that this worker's agent made for pods; and the one above all workers, once the last has gone. */
async function removeCgroups(host: Host): Promise<void> {
  const mounts = await findMounts();
  if (mounts === undefined) return;
  const hierarchy = new CgroupHierarchy(mounts);
  const root = cgroupRootOf(agentDataDir(host));
  await hierarchy.remove(root);
  if ((await hierarchy.children(dirname(root))).length === 0) await hierarchy.remove(dirname(root));
}

/**
 * What is left outside our folders when containers are killed: a shim's socket, whose path is in its bundle's file
 * `address`, and runc's record of a container that was made without the CRI's options (`ctr run`).
 */
async function strayFiles(plan: ContainerdPlan): Promise<string[]> {
  const tasks = join(plan.state, 'io.containerd.runtime.v2.task');
  const found: string[] = [];
  for (const namespace of await readdir(tasks).catch(() => [])) {
    for (const id of await readdir(join(tasks, namespace)).catch(() => [])) {
      const address = await readFile(join(tasks, namespace, id, 'address'), 'utf8').catch(() => '');
      const socket = /^unix:\/\/(\/run\/containerd\/s\/[0-9a-f]+)$/.exec(address.trim())?.[1];
      if (socket !== undefined) found.push(socket);
      // Another containerd may have a container of the same name: the record names the bundle.
      const record = join('/run/containerd/runc', namespace, id);
      const text = await readFile(join(record, 'state.json'), 'utf8').catch(() => '');
      if (text.includes(join(tasks, namespace, id))) found.push(record);
      // What libcni remembers for the plugins' DEL, which nobody will call.
      for (const attachment of [`navarch-${id}-eth0`, `cni-loopback-${id}-lo`])
        found.push(join('/var/lib/cni/results', attachment));
    }
  }
  return found;
}

/**
 * Unmounts all that is mounted in these folders, deepest first. Lazily: who still holds a file keeps it until the end.
 */
export async function unmountBelow(folders: readonly string[], deps: Pick<HostsDeps, 'executor'>): Promise<void> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = table
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    );
  const ours = points.filter((point) => folders.some((folder) => point.startsWith(`${folder}/`)));
  for (const point of ours.toReversed()) {
    const result = await deps.executor.run('umount', ['-l', '--', point]);
    if (result.code !== 0 && !/not mounted|no mount point/.test(result.stderr))
      throw new CommandError('umount', ['-l', '--', point], result);
  }
}
