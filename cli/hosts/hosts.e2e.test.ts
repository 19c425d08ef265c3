/** Two workers and a member as hosts, with real containerd. Skipped, and said so, where the machine cannot. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { inNetworkNamespace, mustRun, systemExecutor } from '../../platform/exec.js';
import { createLogger } from '../../platform/log.js';
import { importImages } from './containerd.js';
import { createHosts, hostStatus, missingForHosts, removeHosts, startInHost } from './hosts.js';
import { planHosts } from './plan.js';
import { shimsOf } from './proc.js';
import { IMAGE, buildImage } from './test-image.js';

const missing = await missingForHosts(systemExecutor);
if (!existsSync('/bin/busybox')) missing.push('/bin/busybox is missing (Debian package busybox-static)');
if (missing.length > 0) process.stderr.write(`skipped: hosts with containerd (${missing.join('; ')})\n`);

describe.skipIf(missing.length > 0)('hosts on one machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nvh-'));
  const plan = planHosts({ dataDir: folder, members: 1, workers: 2, underlay: '198.18.79.0/24', sandboxImage: IMAGE });
  const deps = { executor: systemExecutor, clock: systemClock, logger: createLogger('hosts', { level: 'error' }) };
  const [member, first, second] = plan.hosts;
  if (member === undefined || first === undefined || second === undefined) throw new Error('three hosts were planned');
  const ctr = (...args: string[]) =>
    mustRun(systemExecutor, 'ctr', ['--address', first.containerd?.socket ?? '', '--namespace', 'k8s.io', ...args]);
  const status = async () =>
    (await hostStatus(plan, deps)).map((one) => [one.host.name, one.namespace, one.containerd, one.processes]);
  const up = [
    ['member-1', true, undefined, []],
    ['worker-1', true, 'running', []],
    ['worker-2', true, 'running', []],
  ];
  let archive: string;

  beforeAll(async () => {
    archive = buildImage(folder);
    await createHosts(plan, deps);
  });

  afterAll(async () => {
    await removeHosts(plan, deps);
    rmSync(folder, { recursive: true });
  });

  it('come up, and a second time changes nothing', async () => {
    expect(await status()).toEqual(up);
    const pid = readFileSync(first.containerd?.pidPath ?? '', 'utf8');
    await createHosts(plan, deps);
    expect(readFileSync(first.containerd?.pidPath ?? '', 'utf8')).toBe(pid);
  });

  it('reach each other and the machine, and nothing else', async () => {
    const inside = inNetworkNamespace(systemExecutor, first.namespace);
    const { id } = await startInHost(member, {
      name: 'probe',
      command: process.execPath,
      args: [
        '-e',
        `require('net').createServer((s) => { s.on('error', () => {}); s.end('hello'); }).listen(9, '${member.address}')`,
      ],
    });
    expect((await status())[0]).toEqual(['member-1', true, undefined, ['probe']]);
    const ask = `const go = (n) => { const s = require('net').connect(9, '${member.address}'); s.on('data', (d) => { process.stdout.write(d); process.exit(); }); s.on('error', () => n ? setTimeout(go, 20, n - 1) : process.exit(1)); }; go(250);`;
    expect(await mustRun(inside, process.execPath, ['-e', ask])).toBe('hello');
    expect(await mustRun(systemExecutor, process.execPath, ['-e', ask])).toBe('hello');
    expect(await mustRun(inside, 'ip', ['route', 'show', 'default'])).toBe('');
    expect(id.pid).toBeGreaterThan(1);
  });

  it('import images once', async () => {
    expect(await importImages(first, [{ reference: IMAGE, path: archive }], deps)).toEqual([IMAGE]);
    expect(await importImages(first, [{ reference: IMAGE, path: archive }], deps)).toEqual([]);
    await expect(importImages(first, [{ reference: 'navarch.test/other:1', path: archive }], deps)).rejects.toThrow(
      /no image called/,
    );
  });

  it('heal after kill -9: containers live on under a new containerd', async () => {
    await ctr('run', '--detach', '--null-io', IMAGE, 'one');
    const pid = Number(readFileSync(first.containerd?.pidPath ?? '', 'utf8').split(' ')[0]);
    process.kill(pid, 'SIGKILL');
    for (let i = 0; i < 200 && (await status())[1]?.[2] !== 'stopped'; i++) await systemClock.sleep(10);
    expect((await status())[1]?.[2]).toBe('stopped');
    await createHosts(plan, deps);
    expect(await ctr('tasks', 'list')).toMatch(/one\s+\d+\s+RUNNING/);
  });

  it('heal when a host has lost its namespace: its containers are ended', async () => {
    await systemExecutor.run('ip', ['netns', 'delete', first.namespace]);
    await createHosts(plan, deps);
    expect((await status()).slice(1)).toEqual(up.slice(1));
    expect(await ctr('tasks', 'list')).not.toContain('RUNNING');
    expect(await shimsOf(first.containerd?.socket ?? '')).toEqual([]);
  });

  it('leave nothing when they are removed, twice too', async () => {
    await ctr('run', '--detach', '--null-io', IMAGE, 'two');
    expect(await shimsOf(first.containerd?.socket ?? '')).toHaveLength(1);
    await removeHosts(plan, deps);
    await removeHosts(plan, deps);
    expect(await shimsOf(first.containerd?.socket ?? '')).toEqual([]);
    expect(await mustRun(systemExecutor, 'ip', ['netns', 'list'])).not.toContain(plan.id);
    expect(await mustRun(systemExecutor, 'ip', ['link', 'show'])).not.toContain(plan.id);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(plan.runDir);
    expect(existsSync(plan.runDir)).toBe(false);
    expect(execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']).toString()).not.toContain(
      plan.runDir,
    );
  });
});
