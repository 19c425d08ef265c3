/**
 * One of the make-believe hosts that `navarch up` makes as root, seen from the machine: cut off and connected again,
 * its containers counted.
 */
import { join } from 'node:path';
import { mustRun, systemExecutor } from '../../platform/exec.js';

interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link_index?: number;
  readonly addr_info?: readonly { readonly local: string }[];
}

async function links(args: readonly string[]): Promise<readonly Link[]> {
  return JSON.parse(await mustRun(systemExecutor, 'ip', ['-json', ...args])) as readonly Link[];
}

export class WorkerHost {
  readonly namespace: string;
  /** The machine's end of the host's cable. */
  readonly #link: string;

  private constructor(namespace: string, link: string) {
    this.namespace = namespace;
    this.#link = link;
  }

  /** The host with this address; throws when there is none. */
  static async withAddress(address: string): Promise<WorkerHost> {
    const spaces = JSON.parse((await mustRun(systemExecutor, 'ip', ['-json', 'netns', 'list'])) || '[]') as readonly {
      readonly name: string;
    }[];
    for (const { name } of spaces.filter((space) => space.name.startsWith('navarch-'))) {
      const cable = (await links(['-n', name, 'address', 'show', 'dev', 'eth0'])).find(({ addr_info: list = [] }) =>
        list.some(({ local }) => local === address),
      );
      const end =
        cable === undefined
          ? undefined
          : (await links(['link', 'show'])).find(({ ifindex }) => ifindex === cable.link_index);
      if (end !== undefined) return new WorkerHost(name, end.ifname);
    }
    throw new Error(`no host has the address ${address}`);
  }

  async cutOff(): Promise<void> {
    await mustRun(systemExecutor, 'ip', ['link', 'set', this.#link, 'down']);
  }

  async connect(): Promise<void> {
    await mustRun(systemExecutor, 'ip', ['link', 'set', this.#link, 'up']);
  }

  /** Running containers, sandboxes too, by containerd's own account: id -> process. */
  async containers(): Promise<Map<string, number>> {
    const [, id = '', name = ''] = /^navarch-(.+)-(\w+)$/.exec(this.namespace) ?? [];
    const socket = join('/run', `navarch-${id}`, name, 'containerd.sock');
    const table = await mustRun(systemExecutor, 'ctr', ['-a', socket, '-n', 'k8s.io', 'tasks', 'list']);
    return new Map(
      table
        .split('\n')
        .slice(1)
        .map((row) => row.split(/\s+/))
        .filter(([, , status]) => status === 'RUNNING')
        .map(([task = '', pid]) => [task, Number(pid)]),
    );
  }
}

/**
 * What a cluster with hosts may leave on the machine, a line each. `host`: any of its hosts, as it was while it lived.
 */
export async function tracesOnMachine(dataDir: string, host: WorkerHost): Promise<string[]> {
  const [, id = ''] = /^navarch-(.+)-\w+$/.exec(host.namespace) ?? [];
  const [spaces, cables, mounts, tables, processes] = await Promise.all([
    mustRun(systemExecutor, 'ip', ['netns', 'list']),
    mustRun(systemExecutor, 'ip', ['-o', 'link', 'show']),
    mustRun(systemExecutor, 'cat', ['/proc/self/mountinfo']),
    systemExecutor.run('nft', ['list', 'tables']).then(({ stdout }) => stdout),
    mustRun(systemExecutor, 'ps', ['-eo', 'pid=,args=']),
  ]);
  const lines = (text: string, part: string) => text.split('\n').filter((line) => line.includes(part));
  return [
    ...lines(spaces, id),
    ...lines(cables, id),
    ...lines(mounts, dataDir),
    ...lines(mounts, id),
    ...lines(tables, id),
    ...lines(processes, dataDir),
    ...lines(processes, `navarch-${id}`),
  ];
}
