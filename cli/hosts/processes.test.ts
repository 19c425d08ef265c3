import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { isRunning, processIdOf } from '../../platform/process-id.js';
import { withDescendants } from './proc.js';
import { endProcesses, runningProcess, startProcess, stopProcess } from './processes.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'navarch-proc-'));
});
afterEach(() => rm(folder, { recursive: true }));
const options = (command: string, ...args: string[]) => ({
  command,
  args,
  pidPath: join(folder, 'a.pid'),
  logPath: join(folder, 'a.log'),
});

describe('processes by pid file', () => {
  it('are started once, found again, and ended', async () => {
    const first = await startProcess(options('sleep', '60'));
    const second = await startProcess(options('sleep', '60'));
    expect([first.started, second.started, second.id]).toEqual([true, false, first.id]);
    await stopProcess(join(folder, 'a.pid'), systemClock, 5000);
    expect(isRunning(first.id)).toBe(false);
    await stopProcess(join(folder, 'a.pid'), systemClock, 5000);
  });

  it('are not taken for another that has their pid now', async () => {
    await writeFile(join(folder, 'a.pid'), `${process.pid} 1\n`);
    expect(await runningProcess(join(folder, 'a.pid'))).toBeUndefined();
    // It must not end this very process, whose pid the file holds.
    await stopProcess(join(folder, 'a.pid'), systemClock, 5000);
    expect(processIdOf(process.pid)).toBeDefined();
  });

  it.each(['', 'x', '12', '-1 1', '1 1; rm', '99999999 5'])('a file that says %j names nobody', async (text) => {
    await writeFile(join(folder, 'a.pid'), text);
    expect(await runningProcess(join(folder, 'a.pid'))).toBeUndefined();
  });

  it('that do not listen to SIGTERM are killed', async () => {
    const { id } = await startProcess(options('sh', '-c', 'trap "" TERM; echo up; while :; do sleep 1; done'));
    while (!(await readFile(join(folder, 'a.log'), 'utf8')).includes('up')) await systemClock.sleep(5);
    const family = await withDescendants([id]);
    await endProcesses([id], systemClock, 100);
    expect(isRunning(id)).toBe(false);
    await endProcesses(family, systemClock, 0);
  });

  it('that cannot be run are an error', async () => {
    await expect(startProcess(options('navarch-no-such-command'))).rejects.toThrow(/ENOENT/);
  });
});
