/**
 * Debian's etcdctl against three members on threads of their own. Needs `etcdctl` (package etcd-client) and built code
 * (`npm run build`); says so and skips otherwise.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snapshotStatus } from '../snapshot/file.js';
import { startTestMembers } from './testing/members.js';
import type { TestMembers } from './testing/members.js';

const missing = [
  spawnSync('etcdctl', ['version']).error === undefined ? [] : ['etcdctl'],
  existsSync(new URL('../../../dist/services/store/member/worker.js', import.meta.url)) ? [] : ['built code'],
].flat();
if (missing.length > 0) process.stderr.write(`skipped: etcdctl tests (missing: ${missing.join(', ')})\n`);

const run = promisify(execFile);

describe.skipIf(missing.length > 0)('etcdctl', () => {
  let cluster: TestMembers;
  let members: TestMembers['members'] = [];
  let endpoints: readonly string[] = [];

  beforeAll(async () => {
    cluster = await startTestMembers(3, { thread: true });
    ({ members, addresses: endpoints } = cluster);
  });
  afterAll(() => cluster?.stop());

  const env = { ...process.env, ETCDCTL_API: '3' };
  async function etcdctl(args: string[], options: { at?: number; input?: string } = {}): Promise<string> {
    const endpoint = options.at === undefined ? endpoints.join(',') : (endpoints[options.at] ?? '');
    const running = run('etcdctl', ['--endpoints', endpoint, ...args], { env });
    if (options.input !== undefined) running.child.stdin?.end(options.input);
    return (await running).stdout;
  }

  it('saves a snapshot that the store can read, lists and clears alarms, defragments', async () => {
    await etcdctl(['put', 'snap/a', 'one']);
    const file = join(cluster.directory, 'saved.db');
    await etcdctl(['snapshot', 'save', file], { at: 1 });
    expect((await snapshotStatus(file)).records).toBeGreaterThan(0);
    const head = (await members[0]?.store.status())?.memberId ?? '';
    await members[0]?.store.changeAlarm('raise', { kind: 'nospace', member: BigInt(`0x${head}`) });
    expect(await etcdctl(['alarm', 'list'], { at: 0 })).toContain('alarm:NOSPACE');
    await expect(etcdctl(['put', 'snap/b', 'two'])).rejects.toThrow('database space exceeded');
    await etcdctl(['alarm', 'disarm'], { at: 0 });
    expect(await etcdctl(['alarm', 'list'], { at: 0 })).toBe('');
    await etcdctl(['put', 'snap/b', 'two']);
    expect(await etcdctl(['defrag'])).toContain('Finished defragmenting');
    await etcdctl(['del', 'snap/', '--prefix']);
  });

  it('puts, gets by prefix, deletes', async () => {
    expect(await etcdctl(['put', 'a/1', 'one'])).toBe('OK\n');
    await etcdctl(['put', 'a/2', 'two'], { at: 1 });
    expect(await etcdctl(['get', 'a/', '--prefix'], { at: 2 })).toBe('a/1\none\na/2\ntwo\n');
    expect(await etcdctl(['get', 'a/', '--prefix', '--keys-only', '--order=DESCEND', '--sort-by=KEY'])).toBe('a/2\n\na/1\n\n');
    expect(await etcdctl(['get', 'a/', '--prefix', '--limit=1', '-w', 'fields'])).toContain('"Count" : 2');
    expect(await etcdctl(['put', 'a/1', 'uno', '--prev-kv'])).toBe('OK\na/1\none\n');
    expect(await etcdctl(['del', 'a/', '--prefix', '--prev-kv'])).toBe('2\na/1\nuno\na/2\ntwo\n');
    expect(await etcdctl(['get', '', '--prefix', '--keys-only'])).toBe('');
  });

  it('runs transactions', async () => {
    await etcdctl(['put', 'flag', 'on']);
    const script = (value: string) => `value("flag") = "${value}"\n\nput result yes\nget flag\n\nput result no\n\n`;
    expect(await etcdctl(['txn'], { input: script('on') })).toBe('SUCCESS\n\nOK\n\nflag\non\n');
    expect(await etcdctl(['txn'], { input: script('off') })).toBe('FAILURE\n\nOK\n');
    expect(await etcdctl(['get', 'result', '--print-value-only'])).toBe('no\n');
  });

  it('watches, also from a past revision, and says when that is gone', async () => {
    const revisionOf = async () => Number(/"Revision" : (\d+)/.exec(await etcdctl(['put', 'w', 'x', '-w', 'fields']))?.[1]);
    const first = await revisionOf();
    await etcdctl(['del', 'w']);
    const watcher = spawn('etcdctl', ['--endpoints', endpoints[1] ?? '', 'watch', 'w', `--rev=${first}`], { env });
    let output = '';
    const reached = new Promise<void>((resolve) => watcher.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('live')) resolve();
    }));
    await etcdctl(['put', 'w', 'live'], { at: 2 });
    await reached;
    watcher.kill();
    expect(output).toBe('PUT\nw\nx\nDELETE\nw\n\nPUT\nw\nlive\n');
    const now = await revisionOf();
    expect(await etcdctl(['compaction', `${now}`])).toBe(`compacted revision ${now}\n`);
    await expect(etcdctl(['get', 'w', `--rev=${first}`])).rejects.toMatchObject({ stderr: expect.stringContaining('required revision has been compacted') as string });
    await expect(etcdctl(['watch', 'w', `--rev=${first}`])).rejects.toMatchObject({ stderr: expect.stringContaining('required revision has been compacted') as string });
  });

  it('grants, keeps alive, lists and revokes leases', async () => {
    const granted = await etcdctl(['lease', 'grant', '60']);
    const id = /^lease ([0-9a-f]+) granted with TTL\(60s\)\n$/.exec(granted)?.[1] ?? '';
    expect(id).not.toBe('');
    await etcdctl(['put', 'leased', '1', `--lease=${id}`]);
    expect(await etcdctl(['lease', 'timetolive', id, '--keys'], { at: 1 })).toMatch(new RegExp(`^lease ${id} granted with TTL\\(60s\\), remaining\\((60|59)s\\), attached keys\\(\\[leased\\]\\)\n$`));
    expect(await etcdctl(['lease', 'keep-alive', '--once', id], { at: 2 })).toBe(`lease ${id} keepalived with TTL(60)\n`);
    expect(await etcdctl(['lease', 'list'])).toContain(id);
    expect(await etcdctl(['lease', 'revoke', id])).toBe(`lease ${id} revoked\n`);
    expect(await etcdctl(['get', 'leased'])).toBe('');
    await expect(etcdctl(['lease', 'revoke', id])).rejects.toMatchObject({ stderr: expect.stringContaining('requested lease not found') as string });
  });

  it('reports endpoints and members, with one hash and one leader', async () => {
    const statuses = JSON.parse(await etcdctl(['endpoint', 'status', '-w', 'json'])) as { Status: { leader: number; version: string; header: { member_id: number } } }[];
    expect(statuses).toHaveLength(3);
    expect(new Set(statuses.map(({ Status }) => Status.leader)).size).toBe(1);
    expect(statuses.map(({ Status }) => Status.header.member_id)).toEqual([1, 2, 3]);
    const health = await run('etcdctl', ['--endpoints', endpoints.join(','), 'endpoint', 'health'], { env });
    // Releases differ in where they print it.
    expect(health.stdout + health.stderr).toMatch(/(.* is healthy.*\n){3}/);
    const revision = /"Revision" : (\d+)/.exec(await etcdctl(['put', 'h', '1', '-w', 'fields']))?.[1] ?? '';
    await etcdctl(['get', 'h'], { at: 0 });
    await etcdctl(['get', 'h'], { at: 1 });
    await etcdctl(['get', 'h'], { at: 2 });
    const hashes = (await etcdctl(['endpoint', 'hashkv', `--rev=${revision}`])).trim().split('\n').map((line) => line.split(', ')[1]);
    expect([hashes.length, new Set(hashes).size]).toEqual([3, 1]);
    expect(await etcdctl(['member', 'list'])).toContain(`, started, m1, https://127.0.0.1:`);
  });

  it('locks, elects and moves the leader', async () => {
    expect(await etcdctl(['lock', 'mutex', 'echo', 'held'])).toContain('held');
    const leader = Number((await members[0]?.raftStatus())?.leader);
    const target = (leader % 3) + 1;
    await etcdctl(['move-leader', target.toString(16)], { at: leader - 1 });
    expect((await members[target - 1]?.raftStatus())?.role).toBe('leader');
  });
});
