/**
 * Processes that outlive us: started apart from this one, found again by their pid file, and ended only if they are
 * ours.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../platform/clock.js';
import { isRunning, processIdOf, signalProcess, type ProcessId } from '../../platform/process-id.js';

const POLL_MS = 20;

export interface StartOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly pidPath: string;
  /** Standard output and error are appended. */
  readonly logPath: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The process of a pid file, if it is alive and the very one that was started then. */
export async function runningProcess(pidPath: string): Promise<ProcessId | undefined> {
  const text = await readFile(pidPath, 'utf8').catch(() => '');
  const [pid, startTime] = text.trim().split(' ');
  if (pid === undefined || startTime === undefined || !/^\d+$/.test(pid) || !/^\d+$/.test(startTime)) return undefined;
  const id = { pid: Number(pid), startTime };
  return isRunning(id) ? id : undefined;
}

/** Starts it in a session of its own, unless it runs already. Rejects when the command cannot be run. */
export async function startProcess(
  options: StartOptions,
): Promise<{ readonly id: ProcessId; readonly started: boolean }> {
  const running = await runningProcess(options.pidPath);
  if (running !== undefined) return { id: running, started: false };
  await mkdir(dirname(options.pidPath), { recursive: true });
  await mkdir(dirname(options.logPath), { recursive: true });
  const log = await open(options.logPath, 'a', 0o600);
  try {
    const child = spawn(options.command, options.args, {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const id = child.pid === undefined ? undefined : processIdOf(child.pid);
    if (id === undefined) throw new Error(`${options.command} ended at once; see ${options.logPath}`);
    await writeFile(`${options.pidPath}.new`, `${id.pid} ${id.startTime}\n`);
    await rename(`${options.pidPath}.new`, options.pidPath);
    return { id, started: true };
  } finally {
    await log.close();
  }
}

/** Ends these processes: asks, waits, then kills. */
export async function endProcesses(ids: readonly ProcessId[], clock: Clock, grace_ms: number): Promise<void> {
  for (const [name, wait_ms] of [
    ['SIGTERM', grace_ms],
    ['SIGKILL', 5000],
  ] as const) {
    if (wait_ms === 0) continue;
    for (const id of ids) signalProcess(id, name);
    const deadline = clock.monotonic() + wait_ms;
    for (;;) {
      if (!ids.some((id) => isRunning(id))) return;
      if (clock.monotonic() >= deadline) break;
      await clock.sleep(POLL_MS);
    }
  }
}

/** Ends the process of a pid file and removes the file. Nothing to end is fine. */
export async function stopProcess(pidPath: string, clock: Clock, grace_ms: number): Promise<void> {
  const running = await runningProcess(pidPath);
  if (running !== undefined) await endProcesses([running], clock, grace_ms);
  await rm(pidPath, { force: true });
}
