/**
 * `navarch server`, on a store elsewhere or as a cluster's only member, and `navarch agent` with hollow pods, each a
 * process of its own on loopback.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../platform/exec.js';
import { freePorts } from '../../platform/free-ports.js';
import { Child } from './child.js';
import { Rest } from './rest.js';
import { until } from './until.js';
import { CLI, navarch } from './up-cluster.js';

const HOST = '127.0.0.1';

export interface ServerPlace {
  readonly name: string;
  /** Above its data directory. */
  readonly directory: string;
  /** Made before. */
  readonly pkiDir: string;
  /** More flags, such as those that name the store. */
  readonly args: readonly string[];
}

export class ServerProcess {
  readonly name: string;
  readonly api: string;
  readonly grpc: string;
  readonly dataDir: string;
  /** Without credentials: health checks alone. */
  readonly #rest: Rest;
  readonly #args: readonly string[];
  #child: Child | undefined;

  private constructor(options: ServerPlace, [api = 0, grpc = 0, peer = 0]: readonly number[]) {
    const { name, directory, pkiDir, args } = options;
    const dataDir = join(directory, name);
    this.name = name;
    this.dataDir = dataDir;
    this.api = `https://${HOST}:${api}`;
    this.grpc = `${HOST}:${grpc}`;
    this.#rest = new Rest(this.api, { ca: readFileSync(join(pkiDir, 'cluster-ca.crt'), 'utf8') });
    this.#args = [
      CLI,
      'server',
      '--name',
      name,
      '--data-dir',
      dataDir,
      '--pki-dir',
      pkiDir,
      '--advertise-address',
      HOST,
      '--listen-address',
      HOST,
      '--api-port',
      String(api),
      '--grpc-port',
      String(grpc),
      '--peer-port',
      String(peer),
      '--node-grace',
      '8',
      '--default-toleration',
      '5',
      ...args,
    ];
  }

  /** Chooses its ports; `start` starts it. */
  static async at(place: ServerPlace): Promise<ServerProcess> {
    return new ServerProcess(place, await freePorts(3));
  }

  launch(): void {
    this.#child = new Child(process.execPath, this.#args);
  }

  async start(): Promise<void> {
    this.launch();
    await this.whenReady();
  }

  async whenReady(): Promise<void> {
    await until(`${this.name} to be ready`, async () => (await this.#rest.get('/readyz')).code === 200, {
      show: () => Promise.resolve(this.log),
    });
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.code === undefined;
  }

  get log(): string {
    return this.#child?.stderr ?? '';
  }

  /** Its exit code, when it ends by itself. */
  ended(): Promise<number> {
    return this.#child?.ended() ?? Promise.resolve(0);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#child?.stop(signal);
  }
}

/** A worker whose pods only pretend. */
export function hollowWorker(
  directory: string,
  name: string,
  options: { readonly servers: readonly string[]; readonly token: string },
): Child {
  return new Child(process.execPath, [
    CLI,
    'agent',
    '--name',
    name,
    '--data-dir',
    join(directory, name),
    '--runtime',
    'hollow',
    '--server',
    options.servers.join(','),
    '--token',
    options.token,
  ]);
}

/** What a command of ours prints; throws with its message unless it exits 0. */
export async function printed(...args: readonly string[]): Promise<string> {
  const result = await navarch(args);
  if (result.code !== 0) throw new CommandError('navarch', args, result);
  return result.stdout;
}
