/**
 * The make-believe hosts of `navarch up` on one machine, as data: every name, address and path that will be made, and
 * nothing done yet. The same data directory always gives the same plan, so that a later run, or `down`, finds
 * everything.
 */
import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { join, resolve } from 'node:path';

export interface HostsOptions {
  /** Holds what must survive: each host has a folder of its own in it. */
  readonly dataDir: string;
  readonly members: number;
  readonly workers: number;
  /** Addresses of the hosts, a /24: `198.18.0.0/24` unless told (RFC 2544's range, which no network routes). */
  readonly underlay?: string;
  /** The image of a pod's sandbox; it is imported, never pulled. */
  readonly sandboxImage: string;
  /** `overlayfs` unless told; `native` where the data directory lies on an overlay itself. */
  readonly snapshotter?: 'overlayfs' | 'native';
  /** Whether this process may lower OOM scores (CAP_SYS_RESOURCE); false unless told. */
  readonly lowersOomScores?: boolean;
}

/** Everything about one worker's containerd. */
export interface ContainerdPlan {
  readonly configPath: string;
  readonly config: string;
  readonly root: string;
  readonly state: string;
  /** Kept short: a socket's path ends at 107 bytes. */
  readonly socket: string;
  readonly logPath: string;
  readonly pidPath: string;
  /** For the overlay's CniOptions. */
  readonly cniConfDir: string;
  readonly cniDataDir: string;
}

export interface Host {
  readonly name: string;
  readonly role: 'member' | 'worker';
  readonly namespace: string;
  readonly address: string;
  /** The machine's end of the link; inside the namespace it is `eth0`. */
  readonly link: string;
  /** What must survive. */
  readonly dataDir: string;
  /** What must not survive a reboot: sockets, pid files. */
  readonly runDir: string;
  readonly containerd: ContainerdPlan | undefined;
}

export interface HostsPlan {
  readonly id: string;
  readonly bridge: string;
  /** The machine's own address among the hosts, with its prefix: `198.18.0.1/24`. */
  readonly bridgeAddress: string;
  readonly bits: number;
  readonly runDir: string;
  readonly hosts: readonly Host[];
}

/** Of the worker's agent. */
export const agentDataDir = (host: Pick<Host, 'dataDir'>): string => join(host.dataDir, 'agent');

const MEMBERS_MAX = 9;
const WORKERS_MAX = 200;
const FIRST_MEMBER = 11;
const FIRST_WORKER = 21;
const SOCKET_PATH_BYTES_MAX = 107;

/** Throws with a message for the user when the options make no sense. */
export function planHosts(options: HostsOptions): HostsPlan {
  const { members, workers } = options;
  if (!Number.isInteger(members) || members < 0 || members > MEMBERS_MAX)
    throw new Error(`members must be 0 to ${MEMBERS_MAX}, not ${members}`);
  if (!Number.isInteger(workers) || workers < 0 || workers > WORKERS_MAX)
    throw new Error(`workers must be 0 to ${WORKERS_MAX}, not ${workers}`);
  const underlay = options.underlay ?? '198.18.0.0/24';
  const prefix = underlay.endsWith('.0/24') && isIPv4(underlay.slice(0, -3)) ? underlay.slice(0, -4) : undefined;
  if (prefix === undefined)
    throw new Error(`the hosts' network must be a /24 such as 198.18.0.0/24, not ${JSON.stringify(underlay)}`);
  const dataDir = resolve(options.dataDir);
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 6);
  const runDir = `/run/navarch-${id}`;
  const host = (role: Host['role'], index: number): Host => {
    const short = `${role === 'member' ? 'm' : 'w'}${index + 1}`;
    const folders = { dataDir: join(dataDir, short), runDir: join(runDir, short) };
    return {
      name: `${role}-${index + 1}`,
      role,
      ...folders,
      namespace: `navarch-${id}-${short}`,
      address: `${prefix}${(role === 'member' ? FIRST_MEMBER : FIRST_WORKER) + index}`,
      link: `nv${id}${short}`,
      containerd: role === 'worker' ? planContainerd(folders, options) : undefined,
    };
  };
  return {
    id,
    runDir,
    bits: 24,
    bridge: `nv-${id}`,
    bridgeAddress: `${prefix}1/24`,
    hosts: [
      ...Array.from({ length: members }, (_, index) => host('member', index)),
      ...Array.from({ length: workers }, (_, index) => host('worker', index)),
    ],
  };
}

function planContainerd(
  folders: { readonly dataDir: string; readonly runDir: string },
  options: HostsOptions,
): ContainerdPlan {
  const plan = {
    configPath: join(folders.dataDir, 'containerd.toml'),
    root: join(folders.dataDir, 'containerd'),
    state: join(folders.runDir, 'state'),
    socket: join(folders.runDir, 'containerd.sock'),
    logPath: join(folders.dataDir, 'containerd.log'),
    pidPath: join(folders.runDir, 'containerd.pid'),
    cniConfDir: join(folders.dataDir, 'cni/conf'),
    cniDataDir: join(folders.dataDir, 'cni/leases'),
  };
  if (Buffer.byteLength(`${plan.socket}.ttrpc`) > SOCKET_PATH_BYTES_MAX)
    throw new Error(`the path of a socket is too long: ${plan.socket}`);
  return { ...plan, config: containerdConfig(plan, options) };
}

function containerdConfig(
  plan: Pick<ContainerdPlan, 'root' | 'state' | 'socket' | 'cniConfDir'>,
  options: HostsOptions,
): string {
  const text = (value: string) => JSON.stringify(value);
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${text(plan.root)}
state = ${text(plan.state)}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = ${text(plan.socket)}

[plugins."io.containerd.internal.v1.opt"]
  path = ${text(join(plan.root, 'opt'))}

[${cri}]
  # Without CAP_SYS_RESOURCE runc cannot lower a score, and would fail.
  restrict_oom_score_adj = ${options.lowersOomScores !== true}
  sandbox_image = ${text(options.sandboxImage)}
  # Pods' namespaces are mounted below state, where they are found and taken away with it.
  netns_mounts_under_state_dir = true

[${cri}.containerd]
  snapshotter = ${text(options.snapshotter ?? 'overlayfs')}

[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[${cri}.containerd.runtimes.runc.options]
  # runc's records go with the rest of the state, instead of lying about for the whole machine.
  Root = ${text(join(plan.state, 'runc'))}

[${cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = ${text(plan.cniConfDir)}
`;
}
