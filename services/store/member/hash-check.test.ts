import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { MemoryLog, MemoryNetwork } from '../../../raft/index.js';
import { decodeMeta, encodeMeta, META_KEY, recordKey } from '../disk/layout.js';
import { AllValues } from '../mvcc/hot-values.js';
import { KvState } from '../mvcc/kv-state.js';
import { digestOf, Mvcc } from '../mvcc/mvcc.js';
import type { Command } from '../mvcc/operations.js';
import { createRecord, decodeRecord } from '../mvcc/record.js';
import { HashCheck } from './hash-check.js';
import type { HashCommand } from './hash-check.js';
import { startInlineMember } from './start.js';
import type { StoreMember } from './start.js';

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'hash-check-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);

it.each([1, 2, 5, 17, 1000])('gives the same hash in slices of %i, whatever is written meanwhile', (slice_keys) => {
  const mvcc = new Mvcc({ slice_keys });
  const put = (key: string, value: string) => {
    mvcc.begin();
    mvcc.put(key, bytes(value), 0n);
    mvcc.end();
  };
  for (let i = 0; i < 50; i++) put(`k${i % 17}`, `${i}`);
  const { revision } = mvcc;
  const whole = mvcc.hashAt(revision);
  const slices = mvcc.hashSlices(revision);
  let slice = slices.next();
  for (let i = 0; slice.done !== true; i++) {
    put(`k${i}x`, 'later');
    put('k3', 'later');
    slice = slices.next();
  }
  expect(slice.value).toBe(whole);
  put('k3', 'later');
  expect(mvcc.hashAt(mvcc.revision)).not.toBe(whole);
});

it('concludes nothing as long as too few have told, and asks again (TRAPS, row 13: a check that passes when the hash cannot be had)', async () => {
  const clock = new VirtualClock();
  const asked: Command[] = [];
  const state = new KvState();
  const check = new HashCheck({
    interval_ms: 1000,
    clock,
    state: () => state,
    self: () => 1n,
    voters: () => [1n, 2n, 3n],
    stepAside: () => undefined,
    propose: (command) => {
      asked.push(command);
      return Promise.resolve();
    },
  });
  const tell = (member: bigint, hash: number) =>
    check.applied({ kind: 'hash-tell', member, revision: 1, compactRevision: 0, hash }, 5);
  const alarms = () => asked.flatMap((command) => (command.kind === 'alarm' ? [command.alarm.member] : []));
  check.lead(5);
  for (let round = 0; round < 2; round++) {
    asked.length = 0;
    await clock.advance(1000);
    const [ask] = asked;
    expect(ask).toMatchObject({ kind: 'hash-ask', term: 5, revision: 1 });
    check.applied(ask as HashCommand, 5);
    // The third is away: of two that differ nobody knows who is right.
    tell(1n, 7);
    tell(2n, 8);
    expect(alarms()).toEqual([]);
  }
  tell(3n, 8);
  expect(alarms()).toEqual([1n]);
  check.stop();
});

it('finds the member whose state differs, fences it, and lets another lead', async () => {
  const network = new MemoryNetwork(systemClock);
  const logs = [1, 2, 3].map(() => new MemoryLog());
  const peers: PeerInfo[] = [1, 2, 3].map((id) => ({
    id: id as NodeId,
    name: `m${id}`,
    peerAddress: `m${id}`,
    clientAddresses: [],
    learner: false,
  }));
  const start = (i: number): Promise<StoreMember> =>
    startInlineMember({
      clusterId: 'hashes',
      id: peers[i]?.id as NodeId,
      name: `m${i + 1}`,
      peers,
      dataDir: join(root, `m${i + 1}`),
      network,
      raftLog: logs[i] as MemoryLog,
      clock: systemClock,
      random: systemRandom,
      hashCheck_ms: 100,
      log: { level: 'silent' },
    });
  const members = await Promise.all([start(0), start(1), start(2)]);
  const at = (i: number) => members[i] as StoreMember;
  for (let i = 0; i < 10; i++) await at(i % 3).store.put({ kind: 'put', key: bytes(`k${i}`), value: bytes('right') });
  await systemClock.sleep(500);
  expect(await at(0).store.alarms()).toEqual([]);

  await at(2).stop();
  const level = new Level<Buffer, Buffer>(join(root, 'm3', 'state', 'state-1'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const wrong = createRecord(
    { key: 'k4', main: 6, sub: 0, create: 6, version: 1, lease: 0n },
    bytes('wrong'),
    new AllValues(),
  );
  const right4 = decodeRecord(6, 0, (await level.get(recordKey(6, 0))) as Buffer);
  const head = decodeMeta((await level.get(META_KEY)) as Buffer);
  // A state that is whole and wrong: its own digests do not show it.
  const records = (head.digests.records - digestOf(right4) + digestOf(wrong)) >>> 0;
  await level.put(META_KEY, encodeMeta({ ...head, digests: { ...head.digests, records } }));
  await level.put(recordKey(6, 0), wrong.bytes as Buffer);
  await level.close();
  members[2] = await start(2);
  for (let tries = 0; ; tries++) {
    try {
      await at(0).transferLeadership(3 as NodeId);
      break;
    } catch (error) {
      if (tries > 500) throw error;
      await systemClock.sleep(50);
    }
  }

  for (let i = 0; (await at(0).store.alarms()).length === 0 || (await at(0).raftStatus()).leader === 3; i++) {
    if (i > 2000) throw new Error('never found');
    await systemClock.sleep(30);
  }
  expect(await at(0).store.alarms()).toEqual([{ kind: 'corrupt', member: 3n }]);
  await expect(at(2).store.range({ key: bytes('k4') })).rejects.toMatchObject({ code: 'corrupt' });
  const right = async (i: number) =>
    (await at(i).store.range({ key: bytes('k4') })).kvs.map(({ value }) => Buffer.from(value).toString());
  expect([await right(0), await right(1)]).toEqual([['right'], ['right']]);
  await at(1).store.put({ kind: 'put', key: bytes('after'), value: bytes('1') });
  await Promise.all(members.map((member) => member.stop()));
});
