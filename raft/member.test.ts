/** Three members over loopback gRPC with mutual TLS, and their logs on disk. */
import { Level } from 'level';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RaftError } from './index.js';
import type { NodeId, PeerInfo } from './index.js';
import { entryKey } from './log/records.js';
import { TestAuthority } from './testing/certificates.js';
import { crash, leaderOf, live, memberOf, propose, TestCluster, until } from './testing/cluster.js';
import type { Seat } from './testing/cluster.js';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.create();
});

afterEach(() => cluster.close());

const others = (seats: readonly Seat[], one: Seat): Seat[] => seats.filter((place) => place !== one);

describe('three members over gRPC', () => {
  it('elects a leader, replicates, and answers with the result of the own replica (paper 5.2, 5.3)', async () => {
    const seats = await cluster.startAll(3);
    await leaderOf(seats);
    const results = [];
    // From every member, leader or not: followers forward.
    for (const [i, place] of seats.entries()) results.push(await propose(place, `c${i}`));
    expect(results).toEqual([1, 2, 3]);
    await until(() => seats.every(({ machine }) => machine.list.length === 3), 'all have all');
    for (const { machine } of seats) expect(machine.list).toEqual(['c0', 'c1', 'c2']);
  });

  it('loses nothing acknowledged when the leader is killed, and takes the dead member back (paper 5.4)', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    const peers = seats.map(({ peer }) => peer);
    for (let i = 0; i < 20; i++) await propose(leader, `before${i}`);
    await crash(leader);
    const survivors = live(seats);
    await Promise.all(survivors.map((place, i) => propose(place, `after${i}`)));
    const [first] = survivors;
    expect(first?.machine.list.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `before${i}`));
    expect(first?.machine.list).toHaveLength(22);
    await cluster.start(leader, peers);
    await until(() => leader.machine.list.length === 22, 'the dead member caught up');
    expect(leader.machine.list).toEqual(first?.machine.list);
  });

  it('starts again from disk after all members were killed', async () => {
    const seats = await cluster.startAll(3);
    const peers = seats.map(({ peer }) => peer);
    await leaderOf(seats);
    for (let i = 0; i < 10; i++) await propose(seats[i % 3] as Seat, `c${i}`);
    for (const place of seats) await crash(place);
    for (const place of seats) await cluster.start(place, peers);
    expect(await propose(seats[0] as Seat, 'again')).toBe(11);
    expect(seats[0]?.machine.list).toHaveLength(11);
  });

  it('reads linearizably from any member (thesis 6.4)', async () => {
    const seats = await cluster.startAll(3);
    for (let i = 0; i < 5; i++) {
      await propose(seats[i % 3] as Seat, `c${i}`);
      const reader = seats[(i + 1) % 3] as Seat;
      await memberOf(reader).readIndex();
      expect(reader.machine.list).toHaveLength(i + 1);
    }
  });

  it('commits many concurrent proposals in one order', async () => {
    const seats = await cluster.startAll(3);
    await leaderOf(seats);
    const results = await Promise.all(Array.from({ length: 600 }, (_, i) => propose(seats[i % 3] as Seat, `c${i}`)));
    expect(new Set(results).size).toBe(600);
    await until(() => seats.every(({ machine }) => machine.list.length === 600), 'all have all');
    expect(seats[1]?.machine.list).toEqual(seats[0]?.machine.list);
    expect(seats[2]?.machine.list).toEqual(seats[0]?.machine.list);
  });
});

describe('membership and snapshots', () => {
  it('hands leadership over on request and on an orderly stop (thesis 3.10)', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    const [heir] = others(seats, leader);
    await propose(leader, 'a');
    await memberOf(leader).transferLeadership(heir?.peer.id as NodeId);
    expect(heir?.member?.status().role).toBe('leader');
    await memberOf(heir as Seat).stop();
    (heir as Seat).member = undefined;
    await leaderOf(live(seats));
    expect(await propose(live(seats)[0] as Seat, 'b')).toBe(2);
  });

  it('takes in a learner by snapshot, promotes it, removes the leader, which steps down (thesis 4.2)', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    for (let i = 0; i < 30; i++) await propose(leader, `c${i}`);
    const newcomer = await cluster.seat(4);
    await cluster.start(
      newcomer,
      seats.map(({ peer }) => peer),
      { join: true },
    );
    const learner: PeerInfo = { ...newcomer.peer, learner: true };
    const joined = await memberOf(leader).changeMembership({ kind: 'add-learner', peer: learner });
    expect(joined.learners).toEqual([4]);
    await until(() => newcomer.machine.list.length === 30, 'the learner has the snapshot');
    expect(newcomer.member?.status().role).toBe('learner');
    await expect(memberOf(leader).changeMembership({ kind: 'add-learner', peer: learner })).rejects.toMatchObject({
      code: 'invalid',
    });
    await memberOf(leader).changeMembership({ kind: 'promote', id: newcomer.peer.id });
    await memberOf(leader).changeMembership({ kind: 'remove', id: leader.peer.id });
    const rest = [...others(seats, leader), newcomer];
    const successor = await leaderOf(rest);
    expect(successor).not.toBe(leader);
    await propose(successor, 'after');
    expect(successor.member?.status().membership.voters).toEqual(rest.map(({ peer }) => peer.id).sort((a, b) => a - b));
    await until(() => newcomer.machine.list.at(-1) === 'after', 'the newcomer follows');
  });

  it('catches a member up by snapshot when the log was compacted behind its back', async () => {
    const settings = { logTail_entries: 10, persist_ms: 5 };
    const seats = await cluster.startAll(3, { settings });
    // A machine that is busy may cost the first leader its office before all have heard of it.
    const known = () => seats.find(({ peer }) => seats.every(({ member }) => member?.status().leader === peer.id));
    await until(() => known() !== undefined, 'all know the leader');
    const leader = known() as Seat;
    const [absent] = others(seats, leader);
    await crash(absent as Seat);
    // Without the third, a machine that is busy may cost the leader its office: what became of a command is not known
    // then.
    const surely = async (command: string) => {
      while (!leader.machine.list.includes(command)) await propose(leader, command).catch(() => undefined);
    };
    for (let i = 0; i < 200; i++) await surely(`c${i}`);
    await until(() => memberOf(leader).status().firstIndex > 100, 'the log was compacted');
    await cluster.start(absent as Seat, [], { settings });
    await until(() => absent?.machine.list.at(-1) === 'c199', 'the absent member caught up');
    await surely('more');
    await until(() => absent?.machine.list.at(-1) === 'more', 'it goes on from the log');
  });
});

describe('refusals', () => {
  it('refuses a directory of another cluster, of another member, and one in use', async () => {
    const [place] = (await cluster.startAll(1)) as [Seat];
    const peers = [place.peer];
    const again = (changes: Parameters<TestCluster['start']>[2]) =>
      cluster.start({ ...place, peer: { ...place.peer, peerAddress: '127.0.0.1:0' } }, peers, changes);
    await expect(again({})).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('in use') as unknown,
    });
    await expect(again({ clusterId: 'other' })).rejects.toMatchObject({ code: 'wrong-cluster' });
    await expect(again({ id: 7 as NodeId })).rejects.toMatchObject({ code: 'wrong-cluster' });
    expect(await propose(place, 'still alive')).toBe(1);
  });

  it.each([
    [
      'a flipped bit',
      (value: Buffer) => Buffer.concat([value.subarray(0, -1), Buffer.from([(value.at(-1) ?? 0) ^ 1])]),
    ],
    ['a hole', () => undefined],
  ])('refuses to start with %s in the log, and removes nothing', async (_, damage) => {
    const [place] = (await cluster.startAll(1)) as [Seat];
    for (let i = 0; i < 5; i++) await propose(place, `c${i}`);
    await crash(place);
    const db = new Level<Buffer, Buffer>(join(place.directory, 'raft', 'log'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    const damaged = damage((await db.get(entryKey(4))) as Buffer);
    if (damaged === undefined) await db.del(entryKey(4));
    else await db.put(entryKey(4), damaged);
    await db.close();
    for (let i = 0; i < 2; i++)
      await expect(cluster.start(place, [place.peer])).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('leaves nothing open when the instance of a directory cannot be read: the next start finds the log free', async () => {
    const place = await cluster.seat(1);
    const instance = join(place.directory, 'raft', 'instance');
    mkdirSync(instance, { recursive: true });
    await expect(cluster.start(place, [place.peer])).rejects.toMatchObject({ code: 'EISDIR' });
    rmSync(instance, { recursive: true });
    await cluster.start(place, [place.peer]);
    expect(await propose(place, 'a')).toBe(1);
  });

  it('talks to nobody whose certificate another CA signed, nor to another cluster', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    const [stranger] = others(seats, leader) as [Seat];
    // All hear the leader before one is taken away.
    await until(() => seats.every(({ member }) => member?.status().leader === leader.peer.id), 'all know the leader');
    const peers = seats.map(({ peer }) => peer);
    const before = memberOf(leader).status().term;
    await crash(stranger);
    const foreign = await (await TestAuthority.create(Date.now())).issue('m9');
    const member = await cluster.start(stranger, peers, { tls: { current: () => foreign } });
    await expect(member.propose(Buffer.from('x'), { signal: AbortSignal.timeout(800) })).rejects.toThrow();
    expect(member.status().leader).toBeUndefined();
    expect(memberOf(leader).status().term).toBe(before);
  });

  it('refuses an empty command and work after the stop', async () => {
    const [place] = (await cluster.startAll(1)) as [Seat];
    await expect(memberOf(place).propose(Buffer.alloc(0))).rejects.toMatchObject({ code: 'invalid' });
    const member = memberOf(place);
    await member.stop();
    place.member = undefined;
    await expect(member.propose(Buffer.from('x'))).rejects.toBeInstanceOf(RaftError);
    await expect(member.readIndex()).rejects.toMatchObject({ code: 'stopped' });
  });
});
