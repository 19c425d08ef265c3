/** Which processes of this machine belong to a host, as /proc shows them. */
import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { processIdOf, type ProcessId } from '../../platform/process-id.js';

async function pids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function select(matches: (pid: number) => Promise<boolean>): Promise<ProcessId[]> {
  const found: ProcessId[] = [];
  for (const pid of await pids()) {
    // The start time is read first: a pid that is taken over in between then belongs to nobody.
    const id = processIdOf(pid);
    if (id !== undefined && pid !== process.pid && (await matches(pid).catch(() => false))) found.push(id);
  }
  return found;
}

/** The shims that a containerd with this socket started: they carry its address as an argument. */
export function shimsOf(socket: string): Promise<ProcessId[]> {
  return select(async (pid) => {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return (args[0] ?? '').includes('containerd-shim') && args[args.indexOf('-address') + 1] === socket;
  });
}

/** Processes whose network is that of the named namespace. */
export async function processesInNamespace(name: string): Promise<ProcessId[]> {
  const wanted = await stat(`/run/netns/${name}`).catch(() => undefined);
  if (wanted === undefined) return [];
  return select(async (pid) => (await readlink(`/proc/${pid}/ns/net`)) === `net:[${wanted.ino}]`);
}

/** The processes below `roots`, children before their parents, roots last. */
export async function withDescendants(roots: readonly ProcessId[]): Promise<ProcessId[]> {
  const children = new Map<number, number[]>();
  for (const pid of await pids()) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: ProcessId[] = [];
  const visit = async (id: ProcessId): Promise<void> => {
    for (const pid of children.get(id.pid) ?? []) {
      const child = processIdOf(pid);
      if (child !== undefined) await visit(child);
    }
    found.push(id);
  };
  for (const root of roots) await visit(root);
  return found;
}

/** Folders of the control groups that a process is in, as far as they are its container's own. */
export async function controlGroupsOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.+)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined || path.includes('..')) return [];
    const mount = controllers === '' ? ['', 'unified'] : [controllers.replace(/^name=/, ''), ...controllers.split(',')];
    return mount.map((name) => `/sys/fs/cgroup/${name === '' ? '' : `${name}`}${path}`);
  });
}
