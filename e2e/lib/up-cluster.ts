/**
 * A cluster started by its real door, `navarch up`, in a data directory of its own below /tmp, and everything a
 * scenario does to it from outside: read its state file, kill its processes, take it down again. Needs a build (`make
 * build`).
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, systemExecutor, type CommandResult } from '../../platform/exec.js';
import { connect } from '../../sdk/grpc/connect.js';
import type { Client } from '../../sdk/client.js';
import { Etcdctl } from './etcdctl.js';
import { until } from './until.js';

export interface UpOptions {
  /** A word for the data directory's name: says whose it is when something is left over. */
  readonly name: string;
  readonly loopback?: boolean;
  readonly members?: number;
  readonly workers?: number;
  readonly args?: readonly string[];
}

/** Ports and addresses of this run alone: several may run on one machine at the same time. */
function ownPlace(loopback: boolean): string[] {
  if (!loopback) return ['--underlay', `198.19.${process.pid % 250}.0/24`];
  const base = 20_000 + (process.pid % 100) * 100;
  return ['--api-port', String(base), '--grpc-port', String(base + 10), '--peer-port', String(base + 11)];
}

interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** Of run/state.json, what the scenarios read. */
export interface UpState {
  readonly phase: string;
  readonly message: string;
  readonly notes: readonly string[];
  readonly mode: 'hosts' | 'loopback';
  readonly supervisor: ProcessId;
  readonly processes: readonly {
    readonly name: string;
    readonly id?: ProcessId;
    readonly restarts: number;
    readonly lastExit: string;
    readonly logFile: string;
  }[];
  readonly members: readonly {
    readonly name: string;
    readonly api: string;
    readonly grpc: string;
    readonly peer: string;
  }[];
  readonly workers: readonly { readonly name: string; readonly address: string; readonly runtime: string }[];
}

/** The folder of package.json: above e2e/ in the sources, above dist/ once compiled. */
function packageRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'package.json')) && at !== dirname(at)) at = dirname(at);
  return at;
}

const ROOT = packageRoot();
export const CLI = join(ROOT, 'dist', 'cli', 'main.js');
export const EXAMPLES = join(ROOT, 'examples');
const UP_MS_MAX = 120_000;
const DOWN_MS_MAX = 90_000;

export function navarch(
  args: readonly string[],
  options: { readonly timeout_ms?: number; readonly stdin?: string } = {},
): Promise<CommandResult> {
  return systemExecutor.run(process.execPath, [CLI, ...args], { timeout_ms: 60_000, ...options });
}

async function navarchOk(args: readonly string[], timeout_ms: number): Promise<string> {
  const result = await navarch(args, { timeout_ms });
  if (result.code !== 0)
    throw new CommandError('navarch', args, { ...result, stderr: `${result.stderr}\n${result.stdout.slice(-2000)}` });
  return result.stdout;
}

/** A process and no other: to signal 0, or what is no number, would end the test's own group. */
export function killProcess(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${pid} is no process to send ${signal} to`);
  process.kill(pid, signal);
}

export class UpCluster {
  readonly dataDir: string;
  /** What `up` printed. */
  readonly output: string;
  readonly #args: readonly string[];

  private constructor(dataDir: string, args: readonly string[], output: string) {
    this.dataDir = dataDir;
    this.#args = args;
    this.output = output;
  }

  static async start(options: UpOptions): Promise<UpCluster> {
    if (!existsSync(CLI)) throw new Error('there is no build: run `make build` first');
    const dataDir = mkdtempSync(join(tmpdir(), `navarch-${options.name}-`));
    const args = [
      ...(options.loopback === true ? ['--loopback'] : []),
      ...ownPlace(options.loopback === true),
      ...(options.members === undefined ? [] : ['--members', String(options.members)]),
      ...(options.workers === undefined ? [] : ['--workers', String(options.workers)]),
      ...(options.args ?? []),
    ];
    try {
      return new UpCluster(dataDir, args, await navarchOk(['up', '--data-dir', dataDir, ...args], UP_MS_MAX));
    } catch (error) {
      const logs = lastLines(dataDir);
      await navarch(['down', '--data-dir', dataDir, '--purge', ...args], { timeout_ms: DOWN_MS_MAX });
      if (process.env['NAVARCH_KEEP'] === undefined) await rm(dataDir, { recursive: true, force: true });
      throw new Error(`${(error as Error).message}\n${logs}`, { cause: error });
    }
  }

  /** `up` once more on the same directory. */
  again(): Promise<string> {
    return navarchOk(['up', '--data-dir', this.dataDir, ...this.#args], UP_MS_MAX);
  }

  get kubeconfig(): string {
    return join(this.dataDir, 'kubeconfig');
  }

  state(): UpState {
    return JSON.parse(readFileSync(join(this.dataDir, 'run', 'state.json'), 'utf8')) as UpState;
  }

  /** Undefined while it is down. */
  pidOf(process: string): number | undefined {
    return this.state().processes.find(({ name }) => name === process)?.id?.pid;
  }

  /** Sends a signal to one of the cluster's processes; returns its process id. */
  async kill(processName: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    const pid = await until(`${processName} to run`, () => this.pidOf(processName));
    killProcess(pid, signal);
    return pid;
  }

  /** The process was started again under another id. */
  returned(processName: string, oldPid: number): Promise<number> {
    return until(`${processName} to be started again`, () => {
      const pid = this.pidOf(processName);
      return pid === undefined || pid === oldPid ? undefined : pid;
    });
  }

  etcd(): Etcdctl {
    return new Etcdctl({
      endpoints: this.state().members.map(({ grpc }) => grpc),
      ca: join(this.dataDir, 'pki', 'cluster-ca.crt'),
      certificate: join(this.dataDir, 'etcd-client.crt'),
      key: join(this.dataDir, 'etcd-client.key'),
    });
  }

  /** The SDK's client, as the administrator, on all members. */
  client(): Promise<Client> {
    return connect({ endpoints: this.state().members.map(({ grpc }) => grpc), tls: adminTls(this.kubeconfig) });
  }

  /** The member that leads now. */
  async leader(): Promise<string> {
    return until('a leader', async () => {
      for (const { Endpoint, Status } of await this.etcd().status()) {
        if (Status.leader !== 0 && Status.leader === Status.header.member_id)
          return this.state().members.find(({ grpc }) => grpc === Endpoint)?.name;
      }
      return undefined;
    });
  }

  /** Every log of the cluster. */
  wholeLogs(): string[] {
    return this.state().processes.map(({ logFile }) => readFileSync(logFile, 'utf8'));
  }

  /** The end of every log of the cluster. */
  logs(): string {
    return lastLines(this.dataDir);
  }

  /** Takes everything down; throws when `down` fails. With NAVARCH_KEEP set the data stays for a look. */
  async stop(): Promise<void> {
    const keep = process.env['NAVARCH_KEEP'] !== undefined;
    try {
      await navarchOk(['down', '--data-dir', this.dataDir, ...this.#args, ...(keep ? [] : ['--purge'])], DOWN_MS_MAX);
    } finally {
      if (!keep) await rm(this.dataDir, { recursive: true, force: true });
    }
  }
}

/** The embedded certificates of a kubeconfig written by us: one line each. */
export function adminTls(kubeconfig: string): {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
} {
  const text = readFileSync(kubeconfig, 'utf8');
  const field = (name: string) =>
    Buffer.from(new RegExp(`${name}: *"?([A-Za-z0-9+/=]+)`).exec(text)?.[1] ?? '', 'base64').toString();
  return {
    ca: field('certificate-authority-data'),
    certificate: field('client-certificate-data'),
    privateKey: field('client-key-data'),
  };
}

/** For a failure's message: the end of every log of the cluster. */
function lastLines(dataDir: string): string {
  try {
    const state = JSON.parse(readFileSync(join(dataDir, 'run', 'state.json'), 'utf8')) as UpState;
    return state.processes
      .map(({ name, logFile, lastExit }) => `--- ${name} ${lastExit}\n${readFileSync(logFile, 'utf8').slice(-1500)}`)
      .join('\n');
  } catch {
    return '';
  }
}
