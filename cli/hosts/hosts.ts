/**
 * Several hosts on one machine, for `navarch up` as root: each member and worker has a network namespace with an
 * address of its own, each worker a containerd as well. What runs in them is the caller's business.
 *
 * In: a HostsPlan (plan.ts, pure). Out: namespaces, links, processes, mounts, through the Executor and /proc. Every
 * step looks first and makes what is missing, so that running it again, after `kill -9` of everything or after a
 * reboot, heals. It must never end a process that is not provably ours (pid files hold the start time; shims carry our
 * socket; whoever is in our namespaces is ours), nor give a host a way out of the machine.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor } from '../../platform/exec.js';
import { answers, removeContainers, startContainerd, stopContainerd, unmountBelow } from './containerd.js';
import type { HostsDeps } from './containerd.js';
import { ensureNetwork, namespaces, removeNetwork } from './network.js';
import type { Host, HostsPlan } from './plan.js';
import { processesInNamespace, shimsOf } from './proc.js';
import type { ProcessId } from '../../platform/process-id.js';
import { endProcesses, runningProcess, startProcess } from './processes.js';

/** Brings all hosts up: networks, folders, and for workers a containerd that answers. */
export async function createHosts(plan: HostsPlan, deps: HostsDeps): Promise<void> {
  const made = await ensureNetwork(plan, deps.executor);
  for (const host of plan.hosts) {
    for (const folder of [host.dataDir, host.runDir]) await mkdir(folder, { recursive: true });
    if (!made.has(host.name) || host.containerd === undefined) continue;
    // Containers of a namespace that has gone have lost their network, and a containerd in it is of no use either.
    await stopContainerd(host, deps);
    if ((await shimsOf(host.containerd.socket)).length > 0)
      deps.logger.warn({ host: host.name }, 'ending containers that have lost their host');
    await removeContainers(host, deps);
  }
  await Promise.all(
    plan.hosts.filter((host) => host.containerd !== undefined).map((host) => startContainerd(host, deps)),
  );
}

/**
 * Ends everything in the hosts and takes them away. Data stays: images, and what the caller keeps in the hosts'
 * `dataDir`.
 */
export async function removeHosts(plan: HostsPlan, deps: HostsDeps): Promise<void> {
  for (const host of plan.hosts) {
    if (host.containerd !== undefined) await stopContainerd(host, deps);
    // First the containers: they are found as their shims' children, and shims are in the host's network themselves.
    if (host.containerd !== undefined) await removeContainers(host, deps);
    await endProcesses(await processesInNamespace(host.namespace), deps.clock, 2000);
    await unmountBelow([host.dataDir, host.runDir], deps);
  }
  await removeNetwork(plan, deps.executor);
  await rm(plan.runDir, { recursive: true, force: true });
}

export interface HostStatus {
  readonly host: Host;
  readonly namespace: boolean;
  /** Undefined for members. */
  readonly containerd: 'running' | 'not answering' | 'stopped' | undefined;
  /** Names given to `startInHost`, of processes that are alive. */
  readonly processes: readonly string[];
}

export async function hostStatus(plan: HostsPlan, deps: Pick<HostsDeps, 'executor'>): Promise<HostStatus[]> {
  const known = await namespaces(deps.executor);
  return Promise.all(
    plan.hosts.map(async (host) => ({
      host,
      namespace: known.has(host.namespace),
      containerd: await containerdStatus(host, deps),
      processes: await runningIn(host),
    })),
  );
}

async function containerdStatus(host: Host, deps: Pick<HostsDeps, 'executor'>): Promise<HostStatus['containerd']> {
  if (host.containerd === undefined) return undefined;
  if ((await runningProcess(host.containerd.pidPath)) === undefined) return 'stopped';
  return (await answers(host, deps)) ? 'running' : 'not answering';
}

async function runningIn(host: Host): Promise<string[]> {
  const names: string[] = [];
  for (const file of await readdir(host.runDir).catch(() => [])) {
    if (!file.endsWith('.pid') || file === 'containerd.pid') continue;
    if ((await runningProcess(join(host.runDir, file))) !== undefined) names.push(file.slice(0, -'.pid'.length));
  }
  return names;
}

export interface HostProcess {
  /** Names its pid file and its log, `NAME.log` in the host's `dataDir`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const pidPathOf = (host: Host, name: string) => join(host.runDir, `${name}.pid`);

/** Starts a process in the host's network, apart from this one, unless it runs already. */
export function startInHost(
  host: Host,
  one: HostProcess,
): Promise<{ readonly id: ProcessId; readonly started: boolean }> {
  return startProcess({
    command: 'nsenter',
    args: [`--net=/run/netns/${host.namespace}`, '--', one.command, ...one.args],
    pidPath: pidPathOf(host, one.name),
    logPath: join(host.dataDir, `${one.name}.log`),
    ...(one.env === undefined ? {} : { env: one.env }),
  });
}

/** Why this machine cannot be several hosts, each reason a text for the user; none: it can. */
export async function missingForHosts(executor: Executor): Promise<string[]> {
  if (process.getuid?.() !== 0) return ['not root: network namespaces and containers need it'];
  const reasons: string[] = [];
  const tools: readonly (readonly [string, string])[] = [
    ['ip', 'iproute2'],
    ['bridge', 'iproute2'],
    ['nsenter', 'util-linux'],
    ['nft', 'nftables'],
    ['conntrack', 'conntrack'],
    ['sysctl', 'procps'],
    ['containerd', 'containerd'],
    ['ctr', 'containerd'],
    ['runc', 'runc'],
  ];
  const path = (process.env['PATH'] ?? '').split(':');
  for (const [tool, debianPackage] of tools) {
    if (!path.some((folder) => existsSync(join(folder, tool))))
      reasons.push(`${tool} is missing (Debian package ${debianPackage})`);
  }
  if (!existsSync('/usr/lib/cni/ptp'))
    reasons.push('the CNI plugins are missing (Debian package containernetworking-plugins)');
  if (reasons.length > 0) return reasons;
  const probe = `navarch-probe-${process.pid}`;
  const made = await executor.run('ip', ['netns', 'add', probe]);
  if (made.code !== 0) return [`no network namespaces: ${made.stderr.trim()}`];
  for (const [command, args, what] of [
    ['ip', ['link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p1'], 'veth links'],
    ['ip', ['link', 'add', 'p2', 'type', 'vxlan', 'id', '1', 'dstport', '8472', 'nolearning'], 'VXLAN devices'],
    ['nft', ['add', 'table', 'ip', 'navarch-probe'], 'nftables'],
  ] as const) {
    const result = await executor.run('nsenter', [`--net=/run/netns/${probe}`, '--', command, ...args]);
    if (result.code !== 0) reasons.push(`no ${what} in this kernel: ${result.stderr.trim()}`);
  }
  await executor.run('ip', ['netns', 'delete', probe]);
  return reasons;
}
