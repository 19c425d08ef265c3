/** Issue 6, row 34: a snapshot leads to etcd, and from it. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import { seededRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { MemoryLog, MemoryNetwork } from '../../../raft/index.js';
import { startInlineMember } from '../member/start.js';
import type { StoreMember } from '../member/start.js';
import { open } from 'node:fs/promises';
import { BoltReader } from './bolt/reader.js';
import { writeBolt } from './bolt/writer.js';
import type { BoltItem } from './bolt/writer.js';
import { restoreSnapshot, snapshotStatus } from './file.js';

let root: string;
let file: string;
let saved: Buffer;
let leaseId = 0n;
const bytes = (text: string) => Buffer.from(text);
const hasEtcdctl = spawnSync('etcdctl', ['version']).error === undefined;
if (!hasEtcdctl)
  process.stderr.write('skipped: etcdctl snapshot status and restore (missing: etcdctl, Debian package etcd-client)\n');
const etcdctl = (...args: string[]) =>
  spawnSync('etcdctl', args, { encoding: 'utf8', env: { ...process.env, ETCDCTL_API: '3' } });

async function start(dataDir: string): Promise<StoreMember> {
  const peer: PeerInfo = { id: 1 as NodeId, name: 'm1', peerAddress: 'm1', clientAddresses: [], learner: false };
  return startInlineMember({
    clusterId: 'c',
    id: peer.id,
    name: 'm1',
    peers: [peer],
    dataDir,
    network: new MemoryNetwork(systemClock),
    raftLog: new MemoryLog(),
    clock: systemClock,
    random: systemRandom,
    log: { level: 'silent' },
  });
}

async function save(member: StoreMember): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of member.store.saveSnapshot({ format: 'etcd' })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'etcd-file-'));
  file = join(root, 'saved');
  const member = await start(join(root, 'old'));
  const { store } = member;
  ({ id: leaseId } = await store.leaseGrant({ ttl_s: 600 }));
  await store.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
  await store.put({ kind: 'put', key: bytes('a'), value: bytes('2'), lease: leaseId });
  // Pages of many and of one, and values longer than a page.
  for (let i = 0; i < 900; i++)
    await store.put({ kind: 'put', key: bytes(`k${i}`), value: Buffer.alloc([0, 10, 2000, 9000][i % 4] ?? 0, i) });
  await store.kvTxn({
    compare: [],
    success: [
      { kind: 'delete', key: bytes('k1') },
      { kind: 'delete', key: bytes('k2') },
    ],
    failure: [],
  });
  saved = await save(member);
  await writeFile(file, saved);
  await member.stop();
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('a snapshot for etcd', () => {
  it('is a database with a digest behind it, and says what is in it', async () => {
    expect(saved.length % 512).toBe(32);
    expect(await snapshotStatus(file)).toMatchObject({
      format: 'etcd',
      revision: 904,
      compactRevision: 0,
      records: 904,
      size_bytes: saved.length,
    });
  });

  it('begins a cluster of ours, with all keys and leases', async () => {
    const dataDir = join(root, 'new');
    expect(await restoreSnapshot(file, dataDir, { bumpRevision: 1000 })).toMatchObject({ revision: 1904 });
    const member = await start(dataDir);
    const { kvs, count } = await member.store.range({ key: bytes('\0'), rangeEnd: bytes('\0') });
    expect(count).toBe(899);
    expect(kvs[0]).toMatchObject({ createRevision: 2, modRevision: 3, version: 2, lease: leaseId });
    expect(kvs.find(({ key }) => Buffer.from(key).toString() === 'k7')?.value).toEqual(Buffer.alloc(9000, 7));
    expect(await member.store.leaseInfo(leaseId)).toMatchObject({ grantedTtl_s: 600, keys: [bytes('a')] });
    // And out again: nothing is lost on the way.
    await writeFile(join(root, 'again'), await save(member));
    expect(await snapshotStatus(join(root, 'again'))).toMatchObject({ revision: 1904, compactRevision: 1904 });
    await member.stop();
  });

  it('is refused when it is damaged, cut off, or something else', async () => {
    const attempts = {
      cut: saved.subarray(0, saved.length - 4096),
      nothing: Buffer.alloc(0),
      text: Buffer.from('hello'),
      flipped: Buffer.from(saved),
    };
    attempts.flipped[5000] = (attempts.flipped[5000] ?? 0) ^ 1;
    for (const [name, content] of Object.entries(attempts)) {
      await writeFile(join(root, name), content);
      await expect(snapshotStatus(join(root, name)), name).rejects.toMatchObject({ name: 'StoreError' });
    }
  });

  it.runIf(hasEtcdctl)('is read and restored by etcdctl, and comes back from there the same', async () => {
    const status = JSON.parse(etcdctl('snapshot', 'status', file, '-w', 'json').stdout) as {
      revision: number;
      totalKey: number;
    };
    // It counts the items of all buckets.
    expect(status.revision).toBe(904);
    expect(status.totalKey).toBeGreaterThanOrEqual(904);
    const restored = join(root, 'restored.etcd');
    const { status: code, stderr } = etcdctl('snapshot', 'restore', file, '--data-dir', restored);
    expect(code, stderr).toBe(0);
    const database = await open(join(restored, 'member', 'snap', 'db'));
    const reader = await BoltReader.open(database);
    let count = 0;
    for await (const items of reader.bucket('key')) count += items.length;
    expect(count).toBe(904);
    await database.close();
  });
});

describe('bbolt', () => {
  it.each([0, 1, 2, 40, 300, 3000])('gives back %i items as they were written, in their order', async (count) => {
    const random = seededRandom(count + 1);
    const items: BoltItem[] = Array.from({ length: count }, (_, i) => {
      const key = Buffer.alloc(8 + random.int(count > 1000 ? 1200 : 200), 'x');
      key.writeUInt32BE(i, 0);
      return { key, value: Buffer.alloc(random.int(random.int(20) === 0 ? 20_000 : 100), i) };
    });
    const path = join(root, `bolt-${count}`);
    const pages: Buffer[] = [];
    const small = new Map([
      ['empty', []],
      ['few', items.slice(0, 3)],
    ]);
    for await (const page of writeBolt({
      small,
      large: {
        name: 'many',
        async *items() {
          for (let at = 0; at < items.length; at += 7) yield items.slice(at, at + 7);
        },
      },
    }))
      pages.push(page);
    await writeFile(path, Buffer.concat(pages));
    const database = await open(path);
    const reader = await BoltReader.open(database);
    const textOf = (some: readonly BoltItem[]) =>
      some.map(({ key, value }) => `${key.toString('hex')} ${value.toString('hex')}`);
    const all = async (name: string) => {
      const found: string[] = [];
      for await (const page of reader.bucket(name)) found.push(...textOf(page));
      return found;
    };
    expect(await all('many')).toEqual(textOf(items));
    expect(await all('few')).toEqual(textOf(items.slice(0, 3)));
    expect(await all('empty')).toEqual([]);
    expect(await all('other')).toEqual([]);
    await database.close();
  });

  it('never walks on for ever in a damaged tree', async () => {
    const content = await readFile(join(root, 'bolt-3000'));
    const random = seededRandom(3);
    for (let round = 0; round < 20; round++) {
      const spoiled = Buffer.from(content);
      for (let i = 0; i < 50; i++) spoiled[8192 + random.int(spoiled.length - 8192)] = random.int(256);
      const path = join(root, 'spoiled');
      await writeFile(path, spoiled);
      const database = await open(path);
      try {
        const reader = await BoltReader.open(database);
        for await (const items of reader.bucket('many')) expect(items.length).toBeLessThan(70_000);
      } catch (error) {
        expect((error as Error).name).toBe('StoreError');
      } finally {
        await database.close();
      }
    }
  });
});
