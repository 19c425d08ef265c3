/**
 * What the supervisor tells those who ask: one JSON file, replaced as a whole. Readers trust it only while its process
 * lives.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRunning, type ProcessId } from '../../platform/process-id.js';

interface ProcessState {
  readonly name: string;
  readonly id?: ProcessId;
  readonly restarts: number;
  readonly lastExit: string;
  readonly logFile: string;
}

export interface SupervisorState {
  readonly supervisor: ProcessId;
  /** `starting` until everything is up once; `failed` with the reason in `message`. */
  readonly phase: 'starting' | 'running' | 'stopping' | 'failed';
  /** The step under way, for people who wait. */
  readonly message: string;
  /** Why the cluster is less than it could be, a line each. */
  readonly notes: readonly string[];
  readonly mode: 'hosts' | 'loopback';
  readonly processes: readonly ProcessState[];
  /** What the kubeconfig names; undefined: not known yet. */
  readonly api?: string;
  readonly members: readonly {
    readonly name: string;
    readonly api: string;
    readonly grpc: string;
    readonly peer: string;
  }[];
  readonly workers: readonly { readonly name: string; readonly address: string; readonly runtime: string }[];
}

const statePath = (dataDir: string) => join(dataDir, 'run', 'state.json');

export function writeState(dataDir: string, state: SupervisorState): void {
  const path = statePath(dataDir);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(state, null, 2), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Undefined when there is none, or none that can be read: after a crash it is as good as absent. */
export function readState(dataDir: string): SupervisorState | undefined {
  try {
    return JSON.parse(readFileSync(statePath(dataDir), 'utf8')) as SupervisorState;
  } catch {
    return undefined;
  }
}

/** The state of a supervisor that is alive. */
export function liveState(dataDir: string): SupervisorState | undefined {
  const state = readState(dataDir);
  return state !== undefined && isRunning(state.supervisor) ? state : undefined;
}
