/**
 * What runs of tests leave behind when they are killed: a folder for each run, network namespaces, links. Their names
 * carry the process that made them; once that is gone, the next run takes them away. What somebody still uses stays.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processesInNamespace } from '../cli/hosts/proc.js';
import { isRunning, processIdOf, signalProcess, type ProcessId } from '../platform/process-id.js';
import { holdProcess, systemClock } from '../platform/clock.js';

/** `navarch-run-<pid>-<start time>`: a pid may be given out again. */
const RUN_FOLDER = /^navarch-run-(\d+)-(\d*)$/;
const NAMESPACE = /^(?:nv[po](\d+)[a-z]\d*|navarch-(?:agent|probe)-(\d+)|navarch-fleet-(\d+)-\d+)$/;
const LINK = /^nvf(\d+)(?:-\d+)?$/;
const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const DOWN_MS_MAX = 90_000;
const END_LOOK_MS = 20;
const END_LOOKS_MAX = 250;

export function runFolderName(pid = process.pid): string {
  return `navarch-run-${pid}-${processIdOf(pid)?.startTime ?? ''}`;
}

/** Whether a run folder's process is gone; false for what is not a run folder. */
export function isOfEndedRun(folder: string): boolean {
  const [, pid, startTime] = RUN_FOLDER.exec(folder) ?? [];
  return pid !== undefined && startTime !== undefined && !isRunning({ pid: Number(pid), startTime });
}

/** The process that a namespace or link was made by, when it is one of ours and that process is gone. */
export function isOfEndedProcess(name: string): boolean {
  const pid = (NAMESPACE.exec(name) ?? LINK.exec(name))?.slice(1).find((group) => group !== undefined);
  return pid !== undefined && processIdOf(Number(pid)) === undefined;
}

/** Lines for the user, one for each thing taken away or left. */
export async function removeLeftovers(temporary: string): Promise<string[]> {
  const held = holdProcess();
  try {
    const folders: string[] = [];
    for (const name of readdirSync(temporary).filter(isOfEndedRun))
      folders.push(await removeRunFolder(join(temporary, name)));
    return [...folders, ...(await removeNamespaces()), ...removeLinks()];
  } finally {
    held.cancel();
  }
}

async function removeRunFolder(folder: string): Promise<string> {
  for (const name of readdirSync(folder)) takeDown(join(folder, name));
  await endMembers(folder);
  if (isInUse(folder)) return `${folder}: left, something still uses it`;
  rmSync(folder, { recursive: true, force: true });
  return `${folder}: removed`;
}

/** A cluster of `navarch up` outlives the test that started it. */
function takeDown(dataDir: string): void {
  const state = join(dataDir, 'run', 'state.json');
  if (!existsSync(state) || !existsSync(CLI)) return;
  const isLoopback = readFileSync(state, 'utf8').includes('"mode":"loopback"');
  attempt(process.execPath, [CLI, 'down', '--data-dir', dataDir, '--purge', ...(isLoopback ? ['--loopback'] : [])]);
}

/** Processes of ours that keep their data in the folder. */
async function endMembers(folder: string): Promise<void> {
  const members = usersOf(`--data-dir\0${folder}/`);
  for (const id of members) signalProcess(id, 'SIGKILL');
  for (let looks = 0; looks < END_LOOKS_MAX && members.some(isRunning); looks++) await systemClock.sleep(END_LOOK_MS);
}

/** By a process that was told of it, or by a mount in it. */
function isInUse(folder: string): boolean {
  return mentions('/proc/self/mountinfo', `${folder}/`) || usersOf(`${folder}/`).length > 0;
}

/** Processes with this in their command line, where a NUL stands between two arguments. */
function usersOf(text: string): ProcessId[] {
  const pids = existsSync('/proc')
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
    : [];
  // The start time is read first: a pid that is taken over in between then belongs to nobody.
  return pids
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => processIdOf(pid) ?? [])
    .filter((id) => mentions(`/proc/${id.pid}/cmdline`, text));
}

function mentions(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes(text);
  } catch {
    return false;
  }
}

async function removeNamespaces(): Promise<string[]> {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns').filter(isOfEndedProcess) : [];
  for (const name of names) {
    for (const id of await processesInNamespace(name)) signalProcess(id, 'SIGKILL');
    attempt('ip', ['netns', 'delete', name]);
  }
  return names.map((name) => `network namespace ${name}: removed`);
}

/** A bridge, and its ends of links whose namespaces have gone. */
function removeLinks(): string[] {
  const names = existsSync('/sys/class/net') ? readdirSync('/sys/class/net').filter(isOfEndedProcess) : [];
  for (const name of names) attempt('ip', ['link', 'delete', name]);
  return names.map((name) => `link ${name}: removed`);
}

/** Another run may be quicker. */
function attempt(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: DOWN_MS_MAX });
  } catch {
    // What is still there is seen by the next run.
  }
}
