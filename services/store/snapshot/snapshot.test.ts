import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { MemoryLog, MemoryNetwork } from '../../../raft/index.js';
import { startInlineMember } from '../member/start.js';
import type { StoreMember } from '../member/start.js';
import type { Revision } from '../store.js';
import { restoreSnapshot, snapshotStatus } from './file.js';

let root: string;
let file: string;
let saved: Buffer;
const bytes = (text: string) => Buffer.from(text);

async function start(clusterId: string, dataDir: string): Promise<StoreMember> {
  const peer: PeerInfo = { id: 1 as NodeId, name: 'm1', peerAddress: 'm1', clientAddresses: [], learner: false };
  return startInlineMember({
    clusterId,
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

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'snapshot-'));
  file = join(root, 'saved');
  const { store, stop } = await start('old', join(root, 'old'));
  const lease = await store.leaseGrant({ ttl_s: 600 });
  await store.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
  await store.put({ kind: 'put', key: bytes('a'), value: bytes('2'), lease: lease.id });
  for (let i = 0; i < 300; i++) await store.put({ kind: 'put', key: bytes(`k${i}`), value: Buffer.alloc(2000, i) });
  await store.changeAlarm('raise', { kind: 'nospace', member: 5n });
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.saveSnapshot()) chunks.push(chunk);
  saved = Buffer.concat(chunks);
  await writeFile(file, saved);
  await stop();
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('a snapshot in a file', () => {
  it("holds what was acknowledged before, and ends as etcd's clients expect", async () => {
    const status = await snapshotStatus(file);
    expect(status).toMatchObject({
      clusterId: 'old',
      revision: 303,
      compactRevision: 0,
      records: 302,
      size_bytes: saved.length,
    });
    expect(saved.length % 512).toBe(32);
  });

  it('begins a new cluster, above all old revisions, with those before counted as compacted (etcd #16028)', async () => {
    const dataDir = join(root, 'new');
    const restored = await restoreSnapshot(file, dataDir, { bumpRevision: 1000 });
    expect(restored).toMatchObject({ revision: 1303, oldClusterId: 'old' });
    const { store, stop, raftStatus } = await start('new', dataDir);
    const { kvs, revision } = await store.range({ key: bytes('a') });
    expect([kvs.map(({ value }) => Buffer.from(value).toString()), revision]).toEqual([['2'], 1303]);
    expect((await store.range({ key: bytes('k'), rangeEnd: bytes('l'), countOnly: true })).count).toBe(300);
    await expect(store.range({ key: bytes('a'), revision: 303 as Revision })).rejects.toMatchObject({
      code: 'compacted',
    });
    const ended = new Promise<string>((resolve) => {
      store
        .openWatch(
          { key: bytes('a'), startRevision: 304 as Revision },
          { onBatch: () => undefined, onEnd: ({ code }) => resolve(code) },
        )
        .grant(1);
    });
    expect(await ended).toBe('compacted');
    expect([(await store.leases()).length, await store.alarms()]).toEqual([1, []]);
    expect((await store.put({ kind: 'put', key: bytes('b'), value: bytes('new') })).revision).toBe(1304);
    expect((await raftStatus()).membership.voters).toEqual([1]);
    await stop();
  });

  it('is refused when it is cut off, damaged, or something else, and leaves nothing behind', async () => {
    const bad: [string, Buffer, string][] = [
      ['cut', saved.subarray(0, saved.length - 1), 'corrupt'],
      ['short', saved.subarray(0, 20), 'invalid'],
      ['flipped', Buffer.from(saved).fill((saved[5000] ?? 0) ^ 1, 5000, 5001), 'corrupt'],
      ['flipped-digest', Buffer.from(saved).fill((saved.at(-1) ?? 0) ^ 1, saved.length - 1), 'corrupt'],
      ['other', Buffer.alloc(4096, 'etcd'), 'invalid'],
    ];
    for (const [name, content, code] of bad) {
      await writeFile(join(root, name), content);
      await expect(snapshotStatus(join(root, name)), name).rejects.toMatchObject({ code });
      await expect(restoreSnapshot(join(root, name), join(root, `into-${name}`)), name).rejects.toMatchObject({ code });
      expect(await readdir(join(root, `into-${name}`)).catch(() => []), name).toEqual([]);
    }
    await expect(snapshotStatus(join(root, 'absent'))).rejects.toThrow('ENOENT');
  });

  it('is not restored over a member, nor to lower revisions', async () => {
    await mkdir(join(root, 'used', 'raft'), { recursive: true });
    await expect(restoreSnapshot(file, join(root, 'used'))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('holds raft') as string,
    });
    for (const bumpRevision of [-1, 0.5, Number.NaN])
      await expect(restoreSnapshot(file, join(root, 'n'), { bumpRevision })).rejects.toMatchObject({ code: 'invalid' });
    expect((await readFile(file)).equals(saved)).toBe(true);
  });
});
