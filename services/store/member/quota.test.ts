import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { MemoryLog, MemoryNetwork } from '../../../raft/index.js';
import { startInlineMember } from './start.js';
import type { StoreMember } from './start.js';

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'quota-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);
const logs = new Map<string, MemoryLog>();

async function start(name: string, quota_bytes: number): Promise<StoreMember> {
  const peer: PeerInfo = { id: 1 as NodeId, name: 'm1', peerAddress: 'm1', clientAddresses: [], learner: false };
  const raftLog = logs.get(name) ?? new MemoryLog();
  logs.set(name, raftLog);
  return startInlineMember({
    clusterId: 'quota',
    id: peer.id,
    name: 'm1',
    peers: [peer],
    dataDir: join(root, name),
    network: new MemoryNetwork(systemClock),
    raftLog,
    clock: systemClock,
    random: systemRandom,
    quota_bytes,
    log: { level: 'silent' as never },
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await holds()) return;
    await systemClock.sleep(20);
  }
  throw new Error('never');
}

it('raises the alarm above the quota, refuses what grows, allows what shrinks, and clears it by itself', async () => {
  const member = await start('a', 20_000);
  const { store } = member;
  const put = (i: number) => store.put({ kind: 'put', key: bytes(`k${i}`), value: Buffer.alloc(1000) });
  const refused = { code: 'no-space', message: 'etcdserver: mvcc: database space exceeded' };
  for (let i = 0; i < 20; i++) await put(i);
  await expect(put(20)).rejects.toMatchObject(refused);
  await until(async () => (await store.alarms()).length === 1);
  expect(await store.alarms()).toEqual([{ kind: 'nospace', member: store.head.memberId }]);
  await expect(store.leaseGrant({ ttl_s: 60 })).rejects.toMatchObject(refused);
  const nested = {
    compare: [],
    failure: [],
    success: [
      {
        kind: 'txn' as const,
        txn: { compare: [], success: [], failure: [{ kind: 'put' as const, key: bytes('k'), value: bytes('v') }] },
      },
    ],
  };
  await expect(store.kvTxn(nested)).rejects.toMatchObject(refused);
  expect((await store.range({ key: bytes('k3') })).count).toBe(1);
  // History still holds what was deleted, until it is compacted.
  const { revision } = await store.kvTxn({
    compare: [],
    failure: [],
    success: [{ kind: 'delete', key: bytes('k'), rangeEnd: bytes('l') }],
  });
  await expect(put(1)).rejects.toMatchObject(refused);
  await store.compact(revision);
  await until(async () => (await store.alarms()).length === 0);
  await put(1);
  await store.reclaim();
  expect((await store.range({ key: bytes('k1') })).count).toBe(1);
  await member.stop();
});

it('remembers an alarm over a restart, and fences a member that was found corrupt until it is cleared', async () => {
  let member = await start('b', 0);
  await member.store.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
  const alarm = { kind: 'corrupt' as const, member: member.store.head.memberId };
  await member.store.changeAlarm('raise', { kind: 'corrupt', member: 99n });
  expect((await member.store.range({ key: bytes('a') })).count).toBe(1);
  await member.store.changeAlarm('raise', alarm);
  await member.stop();
  member = await start('b', 0);
  const { store } = member;
  await until(async () => (await store.alarms()).length === 2);
  const refused = { code: 'corrupt', message: 'etcdserver: corrupt cluster' };
  await expect(store.range({ key: bytes('a') })).rejects.toMatchObject(refused);
  await expect(store.range({ key: bytes('a'), serializable: true })).rejects.toMatchObject(refused);
  await expect(store.put({ kind: 'put', key: bytes('a'), value: bytes('2') })).rejects.toMatchObject(refused);
  expect(() => store.openWatch({ key: bytes('a') }, { onBatch: () => undefined, onEnd: () => undefined })).toThrow(
    'corrupt cluster',
  );
  await store.changeAlarm('clear', alarm);
  expect((await store.range({ key: bytes('a') })).kvs.map(({ value }) => Buffer.from(value).toString())).toEqual(['1']);
  await member.stop();
});
