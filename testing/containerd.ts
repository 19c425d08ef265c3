/**
 * A containerd of one's own: socket, root, state and CNI below one directory, in a network namespace of the caller's
 * choice. Needs root.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../platform/clock.js';
import { BUSYBOX_PATH } from '../platform/images/busybox.js';

const run = promisify(execFile);

export interface ContainerdOptions {
  readonly directory: string;
  /** Name of a network namespace to run in; absent: the caller's. */
  readonly netns?: string;
  readonly sandboxImage: string;
  /** Image tars to import before it is ready. */
  readonly images: readonly string[];
  readonly podCIDR: string;
  readonly clock: Clock;
}

export interface Containerd {
  readonly socket: string;
  readonly pid: number;
  /** Ends it, its shims and what they run, and unmounts what they left. */
  stop(): Promise<void>;
}

const START_MS_MAX = 20_000;
const FILES = ['/usr/bin/containerd', '/usr/sbin/runc', '/usr/lib/cni/bridge', BUSYBOX_PATH];

/** Empty when this machine can run containers; otherwise standard error names what `test` skips, and why. */
export function missingForContainerd(test: string): string[] {
  const missing = [...(process.getuid?.() === 0 ? [] : ['root']), ...FILES.filter((path) => !existsSync(path))];
  if (missing.length > 0) process.stderr.write(`${test}: skipped, missing ${missing.join(', ')}\n`);
  return missing;
}

/** The configuration containerd 1.6 and later take; CNI is read from `<directory>/cni/net.d`. */
function containerdConfig(directory: string, sandboxImage: string): string {
  return [
    'version = 2',
    `root = "${directory}/root"`,
    `state = "${directory}/state"`,
    'oom_score = 0',
    '[grpc]',
    `  address = "${directory}/containerd.sock"`,
    '[plugins."io.containerd.grpc.v1.cri"]',
    `  sandbox_image = "${sandboxImage}"`,
    '  restrict_oom_score_adj = true',
    '  stream_server_address = "127.0.0.1"',
    '  stream_server_port = "0"',
    '[plugins."io.containerd.grpc.v1.cri".containerd]',
    '  snapshotter = "overlayfs"',
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    '  bin_dir = "/usr/lib/cni"',
    `  conf_dir = "${directory}/cni/net.d"`,
    '',
  ].join('\n');
}

export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { directory, netns, clock } = options;
  const socket = join(directory, 'containerd.sock');
  await mkdir(join(directory, 'cni', 'net.d'), { recursive: true });
  await writeFile(join(directory, 'containerd.toml'), containerdConfig(directory, options.sandboxImage));
  await writeFile(
    join(directory, 'cni', 'net.d', '10-bridge.conflist'),
    JSON.stringify({
      cniVersion: '0.4.0',
      name: 'navarch',
      plugins: [
        {
          type: 'bridge',
          bridge: 'nv0',
          isGateway: true,
          ipam: { type: 'host-local', dataDir: `${directory}/cni/ipam`, ranges: [[{ subnet: options.podCIDR }]] },
        },
      ],
    }),
  );
  const log = openSync(join(directory, 'containerd.log'), 'a');
  const command = ['containerd', '-c', join(directory, 'containerd.toml')];
  // Not `ip netns exec`: it remounts /sys and hides the cgroups.
  const [program = '', ...argv] = netns === undefined ? command : ['nsenter', `--net=/run/netns/${netns}`, ...command];
  const child = spawn(program, argv, { stdio: ['ignore', log, log] });
  const stop = () => stopContainerd(child, options);
  try {
    await answers(socket, child, clock);
    for (const image of options.images)
      await run('ctr', ['-a', socket, '-n', 'k8s.io', 'images', 'import', '--no-unpack', image]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, pid: child.pid ?? 0, stop };
}

async function answers(socket: string, child: ChildProcess, clock: Clock): Promise<void> {
  for (const begun_ms = clock.monotonic(); clock.monotonic() - begun_ms < START_MS_MAX;) {
    if (child.exitCode !== null) throw new Error(`containerd ended with code ${child.exitCode}`);
    const there = await new Promise<boolean>((resolve) => {
      const connection = createConnection(socket, () => {
        connection.destroy();
        resolve(true);
      });
      connection.on('error', () => resolve(false));
    });
    if (there) return;
    await clock.sleep(50);
  }
  throw new Error('containerd did not answer in time');
}

/** Shims outlive containerd, and containers their shims: those of this directory are ended by their own process ids. */
async function stopContainerd(child: ChildProcess, { directory, clock }: ContainerdOptions): Promise<void> {
  const left = await shimsAndContainers(join(directory, 'containerd.sock'));
  const ended = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.pid === undefined) resolve();
    else child.once('exit', () => resolve());
  });
  child.kill('SIGTERM');
  await ended;
  for (const pid of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      /* Ended by itself. */
    }
  }
  await clock.sleep(100);
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.toSorted((a, b) => b.length - a.length))
    await run('umount', ['-l', point]).catch(() => undefined);
}

async function shimsAndContainers(socket: string): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,args=']);
  const processes = stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [pid = '', parent = '', ...args] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), args: args.join(' ') };
    });
  const shims = new Set(
    processes.filter(({ args }) => args.includes('containerd-shim') && args.includes(socket)).map(({ pid }) => pid),
  );
  return [...shims, ...processes.filter(({ parent }) => shims.has(parent)).map(({ pid }) => pid)];
}
