/**
 * Debian's etcdctl against three members on threads of their own; and against one of ours and Debian's etcd-server side
 * by side, what it prints compared. Needs `etcdctl` (package etcd-client), built code (`npm run build`), and
 * etcd-server for the latter; says so and skips otherwise. `check perf` and `check datascale` run for minutes: they are
 * not here.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { snapshotStatus } from '../snapshot/file.js';
import { lacksEtcd, startEtcdServer } from './testing/etcd-server.js';
import type { EtcdServer } from './testing/etcd-server.js';
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
    expect(await etcdctl(['get', 'a/', '--prefix', '--keys-only', '--order=DESCEND', '--sort-by=KEY'])).toBe(
      'a/2\n\na/1\n\n',
    );
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
    const revisionOf = async () =>
      Number(/"Revision" : (\d+)/.exec(await etcdctl(['put', 'w', 'x', '-w', 'fields']))?.[1]);
    const first = await revisionOf();
    await etcdctl(['del', 'w']);
    const watcher = spawn('etcdctl', ['--endpoints', endpoints[1] ?? '', 'watch', 'w', `--rev=${first}`], { env });
    let output = '';
    const reached = new Promise<void>((resolve) =>
      watcher.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('live')) resolve();
      }),
    );
    await etcdctl(['put', 'w', 'live'], { at: 2 });
    await reached;
    watcher.kill();
    expect(output).toBe('PUT\nw\nx\nDELETE\nw\n\nPUT\nw\nlive\n');
    const now = await revisionOf();
    expect(await etcdctl(['compaction', `${now}`])).toBe(`compacted revision ${now}\n`);
    await expect(etcdctl(['get', 'w', `--rev=${first}`])).rejects.toMatchObject({
      stderr: expect.stringContaining('required revision has been compacted') as string,
    });
    await expect(etcdctl(['watch', 'w', `--rev=${first}`])).rejects.toMatchObject({
      stderr: expect.stringContaining('required revision has been compacted') as string,
    });
  });

  it('grants, keeps alive, lists and revokes leases', async () => {
    const granted = await etcdctl(['lease', 'grant', '60']);
    const id = /^lease ([0-9a-f]+) granted with TTL\(60s\)\n$/.exec(granted)?.[1] ?? '';
    expect(id).not.toBe('');
    await etcdctl(['put', 'leased', '1', `--lease=${id}`]);
    expect(await etcdctl(['lease', 'timetolive', id, '--keys'], { at: 1 })).toMatch(
      new RegExp(`^lease ${id} granted with TTL\\(60s\\), remaining\\((60|59)s\\), attached keys\\(\\[leased\\]\\)\n$`),
    );
    expect(await etcdctl(['lease', 'keep-alive', '--once', id], { at: 2 })).toBe(
      `lease ${id} keepalived with TTL(60)\n`,
    );
    expect(await etcdctl(['lease', 'list'])).toContain(id);
    expect(await etcdctl(['lease', 'revoke', id])).toBe(`lease ${id} revoked\n`);
    expect(await etcdctl(['get', 'leased'])).toBe('');
    await expect(etcdctl(['lease', 'revoke', id])).rejects.toMatchObject({
      stderr: expect.stringContaining('requested lease not found') as string,
    });
  });

  it('reports endpoints and members, with one hash and one leader', async () => {
    const statuses = JSON.parse(await etcdctl(['endpoint', 'status', '-w', 'json'])) as {
      Status: { leader: number; version: string; header: { member_id: number } };
    }[];
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
    const hashes = (await etcdctl(['endpoint', 'hashkv', `--rev=${revision}`]))
      .trim()
      .split('\n')
      .map((line) => line.split(', ')[1]);
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

  it('takes a member out, at the leader, and none that the others could not go on without', async () => {
    const statuses = async () => Promise.all(members.map((member) => member.raftStatus()));
    const leader = (await statuses())[0]?.leader ?? 0;
    const [first = 0, second = 0] = [1, 2, 3].filter((id) => id !== leader);
    await expect(etcdctl(['member', 'remove', `${first}`], { at: first - 1 })).rejects.toMatchObject({
      stderr: expect.stringContaining('etcdserver: not leader') as string,
    });
    await members[first - 1]?.stop();
    while ((await members[leader - 1]?.raftStatus())?.progress[first]?.active !== false) await systemClock.sleep(50);
    await expect(etcdctl(['member', 'remove', `${second}`], { at: leader - 1 })).rejects.toMatchObject({
      stderr: expect.stringContaining('not enough started members') as string,
    });
    expect(await etcdctl(['member', 'remove', `${first}`], { at: leader - 1 })).toMatch(
      /^Member +\S+ removed from cluster/,
    );
    await etcdctl(['put', 'after', '1'], { at: leader - 1 });
  });
});

/** Ids, stamps, ports and sizes differ; everything else is compared. */
function comparable(printed: string): string {
  return printed
    .replaceAll(/"(cluster_id|member_id|ID|id)":\d+/g, '"$1":0')
    .replaceAll(/"(ClusterID|MemberID|ID)" : \d+/g, '"$1" : 0')
    .replaceAll(/\b[0-9a-f]{12,16}\b/g, 'ID')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replaceAll(/^\{"level".*\n/gm, '')
    .replaceAll(/took = \S+/g, 'took')
    .replaceAll(/client-[0-9a-f-]{36}/g, 'CLIENT');
}

describe.skipIf(missing.length > 0 || lacksEtcd('etcdctl, side by side with etcd'))(
  'etcdctl prints what it prints with etcd',
  () => {
    let etcd: EtcdServer;
    let own: TestMembers;
    beforeAll(async () => {
      [etcd, own] = await Promise.all([startEtcdServer(), startTestMembers(1, { thread: true })]);
    });
    afterAll(() => Promise.all([etcd?.stop(), own?.stop()]));

    const env = { ...process.env, ETCDCTL_API: '3' };
    const addresses = () => [etcd.address, own.addresses[0] ?? ''];

    interface Step {
      readonly args: readonly string[];
      readonly input?: string;
    }

    async function printed(address: string, { args, input }: Step): Promise<string> {
      const running = run(
        'etcdctl',
        ['--endpoints', address, ...args.map((arg) => arg.replace('FILE', `${own.directory}/${address}`))],
        { env },
      );
      if (input !== undefined) running.child.stdin?.end(input);
      return running.then(
        ({ stdout, stderr }) => comparable(`${stdout}${stderr}`),
        (error: { code: number; stdout: string; stderr: string }) =>
          comparable(`exit ${error.code}\n${error.stdout}${error.stderr}`),
      );
    }

    const commands: readonly (readonly [name: string, steps: readonly Step[]])[] = [
      [
        'put, get, del in every format',
        [
          { args: ['put', 'a', '1', '-w', 'json'] },
          { args: ['put', 'a', '2', '--prev-kv', '-w', 'fields'] },
          { args: ['put', 'b', '3'] },
          { args: ['get', 'a', '-w', 'json'] },
          { args: ['get', 'a', '-w', 'fields'] },
          { args: ['get', 'a', 'z', '--print-value-only'] },
          { args: ['get', 'a', '--rev=2', '--hex'] },
          { args: ['get', 'a', '--rev=99999'] },
          { args: ['get', 'a', '--from-key', '--limit=1', '--sort-by=MODIFY', '--order=DESCEND'] },
          { args: ['get', 'a', '--consistency=s'] },
          { args: ['put', 'a', '--ignore-value'] },
          { args: ['put', 'none', '--ignore-value'] },
          { args: ['put', 'a', 'x', '--lease=1234'] },
          { args: ['del', 'b', '--prev-kv', '-w', 'json'] },
          { args: ['del', '', '--prefix', '-w', 'fields'] },
        ],
      ],
      [
        'txn',
        [
          { args: ['put', 't', 'on'] },
          { args: ['txn'], input: 'mod("t") > "0"\n\nput u 1\nget t\ndel zz\n\nput c 1\n\n' },
          { args: ['txn', '-w', 'json'], input: 'ver("u") = "7"\n\nput u 2\n\nget u\n\n' },
          { args: ['txn', '-i'], input: 'val("t") = "on"\n\nput d 1\n\n\n' },
          { args: ['txn', '-w', 'fields'], input: 'create("t") > "0"\n\nget t\n\n\n' },
          { args: ['txn'], input: '\n\nput u 1\nput u 2\n\n\n' },
        ],
      ],
      [
        'lease',
        [
          { args: ['lease', 'grant', '100'] },
          { args: ['lease', 'timetolive', '1234'] },
          { args: ['lease', 'revoke', '1234'] },
          { args: ['lease', 'keep-alive', '--once', '1234'] },
          { args: ['lease', 'keep-alive', '1234'] },
          { args: ['lease', 'list'] },
        ],
      ],
      [
        'compaction, and a watch that comes too late',
        [
          { args: ['put', 'w', '1'] },
          { args: ['put', 'w', '2'] },
          { args: ['compaction', '4'] },
          { args: ['compaction', '4'] },
          { args: ['compaction', '5', '--physical'] },
          { args: ['compaction', '40000'] },
          { args: ['watch', 'w', '--rev=2'] },
          { args: ['get', 'w', '--rev=2'] },
        ],
      ],
      [
        'members and endpoints',
        [
          { args: ['member', 'remove', 'abc'] },
          { args: ['member', 'promote', 'abc'] },
          { args: ['member', 'update', 'abc', '--peer-urls=http://127.0.0.1:1'] },
          { args: ['endpoint', 'health'] },
          { args: ['move-leader', 'abc'] },
          { args: ['defrag'] },
          { args: ['alarm', 'list'] },
          { args: ['alarm', 'disarm'] },
        ],
      ],
      [
        'lock',
        [
          { args: ['lock', 'm', 'echo', 'held'] },
          { args: ['lock', 'm', '--', 'sh', '-c', 'echo $ETCD_LOCK_KEY'] },
          { args: ['lock', 'm', 'false'] },
        ],
      ],
      ['a snapshot', [{ args: ['snapshot', 'save', 'FILE.db'] }]],
    ];

    for (const [name, steps] of commands) {
      it(name, async () => {
        for (const step of steps) {
          const [theirs, ours] = await Promise.all(addresses().map((address) => printed(address, step)));
          expect(ours?.replaceAll(own.directory, ''), step.args.join(' ')).toBe(theirs?.replaceAll(own.directory, ''));
        }
      });
    }

    /**
     * Runs a command that does not end by itself, until it has printed `wanted`: what it printed up to the end of that.
     */
    async function printedUntil(address: string, { args, input }: Step, wanted: RegExp): Promise<string> {
      const child = spawn('etcdctl', ['--endpoints', address, ...args], { env });
      let output = '';
      const reached = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (wanted.test(output)) resolve();
        });
        child.once('exit', () => resolve());
      });
      if (input !== undefined) child.stdin.write(input);
      await reached;
      child.kill('SIGINT');
      const match = wanted.exec(output);
      return comparable(match === null ? output : output.slice(0, match.index + match[0].length));
    }

    it('watch -i, elect, lock, lease keep-alive: what goes on until it is stopped', async () => {
      const watched = await Promise.all(
        addresses().map(async (address) => {
          const answer = await run('etcdctl', ['--endpoints', address, 'put', 'live', '1', '-w', 'json'], { env });
          const { header } = JSON.parse(answer.stdout) as { header: { revision: number } };
          return printedUntil(
            address,
            {
              args: ['watch', '-i', '--prev-kv'],
              input: `watch live --rev=${header.revision}\nwatch li --prefix --rev=${header.revision}\n`,
            },
            /^(.*\n){6}/,
          );
        }),
      );
      // etcdctl prints the two watches' events side by side.
      const [theirs = [], ours] = watched.map((text) => text.split('\n').toSorted());
      expect(theirs).toContain('PUT');
      expect(ours).toEqual(theirs);
      const asked: readonly (readonly [Step, RegExp])[] = [
        [{ args: ['elect', 'seat', 'me'] }, /me\n/],
        [{ args: ['lock', 'door'] }, /door\/.*\n\n/],
      ];
      for (const [step, last] of asked) {
        const [theirs, ours] = await Promise.all(addresses().map((address) => printedUntil(address, step, last)));
        expect(ours, step.args.join(' ')).toBe(theirs);
      }
      const kept = await Promise.all(
        addresses().map(async (address) => {
          const id =
            /lease (\S+) granted/.exec(
              (await run('etcdctl', ['--endpoints', address, 'lease', 'grant', '3'], { env })).stdout,
            )?.[1] ?? '';
          return printedUntil(address, { args: ['lease', 'keep-alive', id] }, /(keepalived with TTL\(3\)\n.*?){2}/s);
        }),
      );
      expect(kept[1]).toBe(kept[0]);
    });

    it('make-mirror, from each to the other', async () => {
      for (const [from = '', to = ''] of [addresses(), addresses().toReversed()]) {
        const prefix = `mirror-${from}/`;
        await run('etcdctl', ['--endpoints', from, 'put', `${prefix}before`, '1'], { env });
        const mirror = spawn('etcdctl', ['--endpoints', from, 'make-mirror', '--prefix', prefix, to], {
          env,
          stdio: 'ignore',
        });
        const found = async () =>
          (await run('etcdctl', ['--endpoints', to, 'get', prefix, '--prefix', '--print-value-only'], { env })).stdout;
        while ((await found()) !== '1\n') await systemClock.sleep(100);
        await run('etcdctl', ['--endpoints', from, 'put', `${prefix}while`, '2'], { env });
        while ((await found()) !== '1\n2\n') await systemClock.sleep(100);
        mirror.kill('SIGINT');
      }
    });
  },
);
