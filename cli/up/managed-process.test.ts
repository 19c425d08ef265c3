import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { EXIT_FENCED } from '../../platform/user-error.js';
import { ManagedProcess } from './managed-process.js';
import { isRunning, processIdOf, signalProcess } from '../../platform/process-id.js';
import { liveState, writeState } from './state-file.js';

let directory: string;
let child: ManagedProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-up-'));
});
afterEach(async () => {
  await child?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const until = async (condition: () => boolean) => {
  for (let i = 0; i < 6000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
};
const run = (script: string) => {
  child = new ManagedProcess(
    { name: 'c', command: process.execPath, args: ['-e', script], logFile: join(directory, 'logs', 'c.log') },
    { clock: systemClock, logger: silentLogger, onChange: () => undefined },
  );
  child.start();
  return child;
};

describe('a managed process', () => {
  it('is left alone for a while when the cluster does not take it back', async () => {
    const managed = run(`process.exit(${EXIT_FENCED})`);
    await until(() => managed.lastExit === 'exit code 3');
    // Long enough for several of the usual pauses.
    await systemClock.sleep(800);
    expect([managed.restarts, managed.id]).toEqual([1, undefined]);
  });

  it('comes back after kill -9 as another process', async () => {
    const managed = run('console.log("up"); setInterval(() => {}, 1000)');
    const first = managed.id;
    expect(first === undefined ? false : isRunning(first)).toBe(true);
    const log = () => readFileSync(join(directory, 'logs', 'c.log'), 'utf8');
    await until(() => log() === 'up\n');
    if (first !== undefined) signalProcess(first, 'SIGKILL');
    await until(() => managed.id !== undefined && managed.id.pid !== first?.pid);
    expect([managed.restarts, managed.lastExit, first === undefined || isRunning(first)]).toEqual([
      1,
      'killed by SIGKILL',
      false,
    ]);
    const last = managed.id;
    await until(() => log() === 'up\nup\n');
    await managed.stop();
    expect(last === undefined || isRunning(last)).toBe(false);
  });

  it('says how a process ended that cannot live', async () => {
    const managed = run('process.exit(7)');
    await until(() => managed.restarts >= 2);
    expect(managed.lastExit).toBe('exit code 7');
  });
});

describe('the state file', () => {
  it('is believed only while its supervisor lives', () => {
    const state = {
      phase: 'running',
      message: '',
      notes: [],
      mode: 'loopback',
      processes: [],
      members: [],
      workers: [],
    } as const;
    const self = processIdOf(process.pid);
    expect(self).toBeDefined();
    writeState(directory, { ...state, supervisor: self ?? { pid: 0, startTime: '' } });
    expect(liveState(directory)?.phase).toBe('running');
    writeState(directory, { ...state, supervisor: { pid: process.pid, startTime: 'another life' } });
    expect(liveState(directory)).toBeUndefined();
  });
});
