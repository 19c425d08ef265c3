/** Processes as /proc shows them. A pid alone names nobody: with its start time it does. */
import { readFile, readdir, readlink, stat } from 'node:fs/promises';

export interface ProcessId {
  readonly pid: number;
  /** Ticks since boot at which it started (field 22 of /proc/PID/stat). */
  readonly startTime: string;
}

/** Undefined when there is no such process, or only what is left of one that ended. */
export async function processId(pid: number): Promise<ProcessId | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the command in parentheses and may hold anything; the rest follows the last one.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTime = fields?.[19];
  return startTime === undefined || fields?.[0] === 'Z' ? undefined : { pid, startTime };
}

export async function isAlive(process: ProcessId): Promise<boolean> {
  return (await processId(process.pid))?.startTime === process.startTime;
}

/** Sends the signal to exactly this process; one that has gone is fine. */
export async function signal(target: ProcessId, name: NodeJS.Signals): Promise<void> {
  if (!await isAlive(target)) return;
  try {
    process.kill(target.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function pids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function select(matches: (pid: number) => Promise<boolean>): Promise<ProcessId[]> {
  const found: ProcessId[] = [];
  for (const pid of await pids()) {
    // The start time is read first: a pid that is taken over in between then belongs to nobody.
    const id = await processId(pid);
    if (id !== undefined && pid !== process.pid && await matches(pid).catch(() => false)) found.push(id);
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
  return select(async (pid) => await readlink(`/proc/${pid}/ns/net`) === `net:[${wanted.ino}]`);
}

/** The processes below `roots`, children before their parents, roots last. */
export async function withDescendants(roots: readonly ProcessId[]): Promise<ProcessId[]> {
  const children = new Map<number, number[]>();
  for (const pid of await pids()) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  const found: ProcessId[] = [];
  const visit = async (id: ProcessId): Promise<void> => {
    for (const pid of children.get(id.pid) ?? []) {
      const child = await processId(pid);
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
