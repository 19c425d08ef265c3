import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import type { KeyValueDisk } from '../../../platform/disk/disk.js';
import type { CommittedEntry, LogIndex, Membership, NodeId, Term } from '../../../raft/contract.js';
import { encodeCommand } from '../mvcc/commands.js';
import type { Command } from '../mvcc/operations.js';
import type { WatchBatch } from '../store.js';
import type { Revision } from '../store.js';
import { leaseKey, recordKey } from './layout.js';
import { openSnapshot } from './snapshot.js';
import { KvStateMachine } from './state-machine.js';

const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value: string, lease = 0n): Command => ({
  kind: 'put',
  put: { kind: 'put', key: bytes(key), value: bytes(value), lease },
});
const membership = {
  index: 0,
  voters: [1 as NodeId],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  peers: [],
} as unknown as Membership;

let root: string;
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), 'store-'))));
afterEach(() => rm(root, { recursive: true, force: true }));

const open = (name = 'a', hotValues_bytes?: number) =>
  KvStateMachine.open({
    directory: join(root, name),
    clock: systemClock,
    ...(hotValues_bytes === undefined ? {} : { hotValues_bytes }),
  });

/** As much of a disk as a snapshot needs. */
const diskOf = (level: Level<Buffer, Buffer>): KeyValueDisk => {
  const view = {
    get: (key: Buffer) => level.get(key),
    pages: async function* () {
      yield await level.iterator().all();
    },
  };
  return { ...view, snapshot: () => ({ ...view, close: () => Promise.resolve() }) } as unknown as KeyValueDisk;
};

class Feed {
  readonly log: CommittedEntry[] = [];

  entry(command: Command, term = 1): CommittedEntry {
    const entry = { index: (this.log.length + 1) as LogIndex, term: term as Term, data: encodeCommand(command) };
    this.log.push(entry);
    return entry;
  }
}

const valueOf = (machine: KvStateMachine, key: string) =>
  machine.state.range({ key: bytes(key) }).kvs[0]?.value.toString();
const scrubbed = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('restart', () => {
  it('stands exactly at the last durable index, and is the same again after replay', async () => {
    const feed = new Feed();
    let machine = await open();
    machine.apply([
      feed.entry({ kind: 'lease-grant', id: 9n, ttl_s: 60 }),
      feed.entry(put('a', '1', 9n)),
      feed.entry(put('b', '2')),
    ]);
    await machine.persist(3 as LogIndex, membership);
    machine.apply([feed.entry(put('a', 'lost', 9n)), feed.entry({ kind: 'compact', revision: 3 })]);
    const hash = machine.state.hash(0);
    await machine.close();

    machine = await open();
    expect([machine.durableIndex, machine.state.mvcc.revision, valueOf(machine, 'a')]).toEqual([3, 3, '1']);
    expect(machine.durableMembership).toEqual(membership);
    expect([...machine.state.leases.all()].map((l) => [l.id, l.ttl_s, [...l.keys]])).toEqual([[9n, 60, ['a']]]);
    machine.apply(feed.log.slice(3));
    expect(machine.state.hash(0)).toEqual(hash);
    await machine.close();
  });

  it('refuses a directory that another has open, and touches nothing in it', async () => {
    const machine = await open();
    // As of a snapshot that the first one is receiving.
    await mkdir(join(root, 'a', 'state-2'));
    await expect(open()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('in use by another process') as string,
    });
    expect(await readdir(join(root, 'a'))).toContain('state-2');
    await machine.close();
    await (await open()).close();
    expect(await readdir(join(root, 'a'))).not.toContain('state-2');
  });

  it('refuses an entry that it has, or that leaves a gap', async () => {
    const feed = new Feed();
    const machine = await open();
    machine.apply([feed.entry(put('a', '1'))]);
    expect(() => machine.apply(feed.log)).toThrow('does not follow');
    feed.entry(put('a', '2'));
    expect(() => machine.apply([feed.entry(put('a', '3'))])).toThrow('does not follow');
    await machine.close();
  });

  it('keeps its revision when it stopped between a compaction and its clean-up (etcd #17780)', async () => {
    const feed = new Feed();
    let machine = await open();
    for (const value of ['1', '2', '3']) machine.apply([feed.entry(put('a', value))]);
    machine.apply([
      feed.entry({ kind: 'txn', txn: { compare: [], failure: [], success: [{ kind: 'delete', key: bytes('a') }] } }),
    ]);
    await machine.persist(4 as LogIndex, membership);
    machine.apply([feed.entry(put('b', '1')), feed.entry({ kind: 'compact', revision: 6 })]);
    await machine.persist(6 as LogIndex, membership);
    await scrubbed();
    await machine.close();
    machine = await open();
    expect([machine.state.mvcc.revision, machine.state.mvcc.compactRevision]).toEqual([6, 6]);
    await scrubbed();
    machine.apply([feed.entry(put('c', '1'))]);
    await machine.persist(7 as LogIndex, membership);
    await machine.close();
    const level = new Level<Buffer, Buffer>(join(root, 'a', 'state-1'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    const rows = (await level.keys().all()).filter((key) => key[0] === 0x72);
    expect(rows.map((key) => key.readUIntBE(1, 6))).toEqual([6, 7]);
    await level.close();
  });

  it('refuses a state with a broken record, naming it', async () => {
    const feed = new Feed();
    const machine = await open();
    machine.apply([feed.entry(put('a', '1')), feed.entry(put('b', '2'))]);
    await machine.persist(2 as LogIndex, membership);
    await machine.close();
    const level = new Level<Buffer, Buffer>(join(root, 'a', 'state-1'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    const row = (await level.get(recordKey(3, 0))) as Buffer;
    row[row.length - 1] = (row.at(-1) ?? 0) ^ 1;
    await level.put(recordKey(3, 0), row);
    await level.close();
    await expect(open()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('3.0') as string });
  });

  // A disk that acknowledges a sync it did not do (google/leveldb #193 had the same effect): later batches are there,
  // this one is not.
  it.each([
    ['a record is missing', (level: Level<Buffer, Buffer>) => level.del(recordKey(2, 0))],
    [
      'a removed record is back',
      async (level: Level<Buffer, Buffer>) => level.put(recordKey(9, 0), (await level.get(recordKey(3, 0))) as Buffer),
    ],
    ['a lease is missing', (level: Level<Buffer, Buffer>) => level.del(leaseKey(7n))],
  ])('refuses a state in which %s', async (_, damage) => {
    const feed = new Feed();
    const machine = await open();
    machine.apply([
      feed.entry(put('a', '1')),
      feed.entry(put('b', '2')),
      feed.entry({ kind: 'lease-grant', id: 7n, ttl_s: 60 }),
    ]);
    await machine.persist(3 as LogIndex, membership);
    await machine.close();
    await (await open()).close();
    const level = new Level<Buffer, Buffer>(join(root, 'a', 'state-1'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    await damage(level);
    await level.close();
    await expect(open()).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('refuses files that LevelDB finds damaged, and says what to do', async () => {
    const feed = new Feed();
    const machine = await open();
    for (let i = 0; i < 200; i++) machine.apply([feed.entry(put(`k${i}`, `${i}`.padEnd(100, '.')))]);
    await machine.persist(200 as LogIndex, membership);
    await machine.close();
    // The next start turns the log of the last one into a table.
    await (await open()).close();
    const folder = join(root, 'a', 'state-1');
    const table = join(folder, (await readdir(folder)).find((name) => name.endsWith('.ldb')) ?? '');
    const damaged = await readFile(table);
    damaged.fill(0xa5, damaged.length >> 2, damaged.length >> 1);
    await writeFile(table, damaged);
    await expect(open()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/state-1 cannot be read .*navarch member repair/) as string,
    });
  });
});

it('reads values back from disk when memory has let them go', async () => {
  const feed = new Feed();
  const machine = await open('a', 1000);
  for (let i = 0; i < 100; i++) machine.apply([feed.entry(put(`k${i}`, `${i}`.padEnd(100, '.')))]);
  await machine.persist(100 as LogIndex, membership);
  for (let i = 0; i < 100; i++) expect(valueOf(machine, `k${i}`)).toBe(`${i}`.padEnd(100, '.'));
  await machine.close();
});

describe('snapshots', () => {
  async function copy(from: KvStateMachine, to: KvStateMachine, size: number): Promise<void> {
    const reader = await from.openSnapshot();
    const writer = await to.receiveSnapshot(reader.meta);
    for await (const chunk of reader.chunks()) {
      for (let at = 0; at < chunk.length; at += size) await writer.write(chunk.subarray(at, at + size));
    }
    await reader.close();
    await writer.commit();
  }

  it('is not sent, nor taken in, when a record was spoiled on disk after the start (PAR, FAST 2018)', async () => {
    const feed = new Feed();
    const machine = await open();
    machine.apply([feed.entry(put('a', '1')), feed.entry(put('b', '2'))]);
    await machine.persist(2 as LogIndex, membership);
    await machine.close();
    const level = new Level<Buffer, Buffer>(join(root, 'a', 'state-1'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    await level.open();
    const row = (await level.get(recordKey(3, 0))) as Buffer;
    // Of all its rows, but with one bit turned: what a reader of the disk would send on.
    const rotten = Buffer.from(row);
    rotten[rotten.length - 1] = (row.at(-1) ?? 0) ^ 1;
    await level.put(recordKey(3, 0), rotten);
    const read = async () => {
      const reader = await openSnapshot(diskOf(level));
      const chunks: Uint8Array[] = [];
      for await (const chunk of reader.chunks()) chunks.push(chunk);
      return { meta: reader.meta, chunks };
    };
    await expect(read()).rejects.toMatchObject({ code: 'corrupt' });
    await level.put(recordKey(3, 0), row);
    const { meta, chunks } = await read();
    await level.close();
    const spoiled = Buffer.concat(chunks);
    spoiled[spoiled.indexOf(row) + row.length - 1] = (row.at(-1) ?? 0) ^ 1;
    const receiver = await (await open('b')).receiveSnapshot(meta);
    await expect(receiver.write(spoiled)).rejects.toMatchObject({ code: 'corrupt' });
    await receiver.abort();
  });

  it('carries the state over, in chunks cut anywhere, and watches go on', async () => {
    const feed = new Feed();
    const [from, to] = [await open('a'), await open('b')];
    from.apply([
      feed.entry({ kind: 'lease-grant', id: 5n, ttl_s: 60 }),
      feed.entry(put('a', '1', 5n)),
      feed.entry(put('b', '2')),
    ]);
    to.apply(feed.log);
    await to.persist(3 as LogIndex, membership);
    const batches: WatchBatch[] = [];
    to.hub
      .watch(
        { key: bytes('a') },
        { onBatch: (batch) => void batches.push(batch), onEnd: () => expect.fail('the watch ended') },
      )
      .grant(10);
    for (let i = 0; i < 50; i++) from.apply([feed.entry(put('a', `x${i}`, 5n))]);
    await from.persist(53 as LogIndex, membership);
    await copy(from, to, 7);
    expect([to.durableIndex, to.appliedIndex, to.state.hash(0)]).toEqual([53, 53, from.state.hash(0)]);
    expect([...(to.state.leases.get(5n)?.keys ?? [])]).toEqual(['a']);
    expect(batches.flatMap((batch) => batch.events)).toHaveLength(50);
    const next = feed.entry(put('a', 'after'));
    from.apply([next]);
    to.apply([next]);
    expect(to.state.hash(0)).toEqual(from.state.hash(0));
    await Promise.all([from.close(), to.close()]);
    const again = await open('b');
    expect([again.durableIndex, valueOf(again, 'a')]).toEqual([53, 'x49']);
    await again.close();
  });

  it('holds what was durable when it was opened, whatever is written while it is read (etcd #18055: two in succession)', async () => {
    const feed = new Feed();
    const [from, to] = [await open('a'), await open('b')];
    from.apply([feed.entry(put('a', '1'))]);
    await from.persist(1 as LogIndex, membership);
    const first = await from.openSnapshot();
    from.apply([feed.entry(put('a', '2'))]);
    await from.persist(2 as LogIndex, membership);
    const second = await from.openSnapshot();
    const writers = [await to.receiveSnapshot(first.meta), await to.receiveSnapshot(second.meta)] as const;
    for await (const chunk of first.chunks()) await writers[0].write(chunk);
    for await (const chunk of second.chunks()) await writers[1].write(chunk);
    await writers[0].commit();
    expect([valueOf(to, 'a'), to.appliedIndex]).toEqual(['1', 1]);
    await writers[1].commit();
    expect([valueOf(to, 'a'), to.appliedIndex]).toEqual(['2', 2]);
    await first.close();
    await second.close();
    await Promise.all([from.close(), to.close()]);
    expect((await readdir(join(root, 'b'))).sort()).toEqual(['CURRENT', 'state-3']);
  });

  it('changes nothing when the stream ends early or is damaged', async () => {
    const feed = new Feed();
    const [from, to] = [await open('a'), await open('b')];
    from.apply([feed.entry(put('a', '1'))]);
    await from.persist(1 as LogIndex, membership);
    const reader = await from.openSnapshot();
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.chunks()) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    const short = await to.receiveSnapshot(reader.meta);
    await short.write(whole.subarray(0, whole.length - 1));
    await expect(short.commit()).rejects.toMatchObject({ code: 'corrupt' });
    await short.abort();
    const damaged = Buffer.from(whole);
    damaged[20] = (damaged[20] ?? 0) ^ 0xff;
    const bad = await to.receiveSnapshot(reader.meta);
    await expect(bad.write(damaged).then(() => bad.commit())).rejects.toThrow();
    await bad.abort();
    expect(to.appliedIndex).toBe(0);
    await reader.close();
    await Promise.all([from.close(), to.close()]);
    expect((await readdir(join(root, 'b'))).sort()).toEqual(['CURRENT', 'state-1']);
  });

  it('marks a watch that wants what the snapshot no longer has', async () => {
    const feed = new Feed();
    const [from, to] = [await open('a'), await open('b')];
    const ended: string[] = [];
    to.hub
      .watch(
        { key: bytes('a'), startRevision: 2 as Revision },
        { onBatch: () => expect.fail('nothing to deliver'), onEnd: (e) => void ended.push(e.code) },
      )
      .grant(1);
    for (const value of ['1', '2', '3']) from.apply([feed.entry(put('a', value))]);
    from.apply([feed.entry({ kind: 'compact', revision: 4 })]);
    await from.persist(4 as LogIndex, membership);
    await copy(from, to, 1000);
    expect(ended).toEqual(['compacted']);
    await Promise.all([from.close(), to.close()]);
  });
});
