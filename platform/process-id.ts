/**
 * A process that can be told apart from a later one with the same number: pid and start time. Nothing is ever ended by
 * name, and nothing whose start time is not the one recorded.
 */
import { readFileSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot; '' where there is no /proc. */
  readonly startTime: string;
}

/** Undefined when there is no such process, or only its corpse. */
export function processIdOf(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return process.platform === 'linux' || !answers(pid) ? undefined : { pid, startTime: '' };
  }
  // The command's name may hold spaces and parentheses; the fields after it are plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTime: fields[19] ?? '' };
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function isRunning(id: ProcessId): boolean {
  return processIdOf(id.pid)?.startTime === id.startTime;
}

/** Sends a signal unless the process is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isRunning(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
