import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { isOfEndedProcess, isOfEndedRun, removeLeftovers, runFolderName } from './leftovers.js';
import { OUTER_FOLDER } from './run-folder.js';

/** A pid that nobody has: ended just now. */
const ended = spawnSync('true').pid;
const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'leftovers-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

it('tests have their temporary files in the folder of their run', () => {
  if (process.env[OUTER_FOLDER] === undefined) return expect(process.env['NAVARCH_KEEP']).toBeDefined();
  expect(basename(tmpdir())).toMatch(/^navarch-run-\d+-\d*$/);
  expect([isOfEndedRun(basename(tmpdir())), dirname(tmpdir())]).toEqual([false, process.env[OUTER_FOLDER]]);
});

it.each<[string, boolean]>([
  [`navarch-run-${ended}-5`, true],
  [runFolderName(), false],
  [`navarch-run-${process.pid}-1`, true],
  [`navarch-run-${ended}`, false],
  [`other-${ended}-5`, false],
])('the folder %s is of a run that has ended: %s', (name, expected) => {
  expect(isOfEndedRun(name)).toBe(expected);
});

it.each<[string, boolean]>([
  [`nvp${ended}n`, true],
  [`nvo${ended}w1`, true],
  [`navarch-agent-${ended}`, true],
  [`navarch-probe-${ended}`, true],
  [`navarch-fleet-${ended}-2`, true],
  [`nvf${ended}`, true],
  [`nvf${ended}-0`, true],
  [`nvp${process.pid}n`, false],
  [`nvf${process.pid}`, false],
  [`x${ended}`, false],
  [`nvp${ended}`, false],
  [`navarch-agent-${ended}-1`, false],
  ['navarch-ab12-member-1', false],
  ['lo', false],
])('the name %s is of a process that has ended: %s', (name, expected) => {
  expect(isOfEndedProcess(name)).toBe(expected);
});

it('takes away folders of runs that were killed, with members that outlived them, but for one that somebody else uses', async () => {
  const folder = temporary();
  const [left, used, own, foreign] = [`navarch-run-${ended}-1`, `navarch-run-${ended}-2`, runFolderName(), 'notes'];
  for (const name of [left, used, own, foreign]) mkdirSync(join(folder, name, 'data'), { recursive: true });
  writeFileSync(join(folder, left, 'data', 'file'), '');
  const user = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', join(folder, used, 'data')], {
    stdio: 'ignore',
  });
  cleanups.push(() => user.kill('SIGKILL'));
  const member = spawn(
    process.execPath,
    ['-e', 'setInterval(() => undefined, 1000)', '--', '--data-dir', join(folder, left, 'data')],
    { stdio: 'ignore' },
  );
  const killed = once(member, 'exit');
  cleanups.push(() => member.kill('SIGKILL'));
  const lines = (await removeLeftovers(folder)).filter((line) => line.startsWith(folder));
  expect(lines).toEqual([`${join(folder, left)}: removed`, `${join(folder, used)}: left, something still uses it`]);
  expect(readdirSync(folder).toSorted()).toEqual([used, own, foreign].toSorted());
  expect(await killed).toEqual([null, 'SIGKILL']);
});

it.skipIf(process.getuid?.() !== 0 || !existsSync('/usr/sbin/ip'))(
  'takes away network namespaces of tests that were killed',
  async () => {
    const [left, own] = [`nvp${ended}x`, `nvp${process.pid}x`];
    for (const name of [left, own]) execFileSync('ip', ['netns', 'add', name]);
    cleanups.push(() => execFileSync('ip', ['netns', 'delete', own]));
    await removeLeftovers(temporary());
    expect([existsSync(`/run/netns/${left}`), existsSync(`/run/netns/${own}`)]).toEqual([false, true]);
  },
);
