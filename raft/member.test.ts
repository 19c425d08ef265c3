/** Three members over loopback gRPC with mutual TLS, and their logs on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../platform/clock.js';
import { silentLogger } from '../platform/log.js';
import { systemRandom } from '../platform/random.js';
import { startRaftMember } from './index.js';
import type { Member, NodeId, PeerInfo, RaftMemberOptions } from './index.js';
import { TestAuthority } from './testing/certificates.js';
import { ListDisk, ListMachine } from './testing/list-machine.js';

interface Seat {
  readonly peer: PeerInfo;
  readonly directory: string;
  readonly disk: ListDisk;
  machine: ListMachine;
  member: Member | undefined;
}

let authority: TestAuthority;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create(Date.now());
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function seat(id: number): Promise<Seat> {
  const directory = mkdtempSync(join(tmpdir(), 'raft-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const disk = new ListDisk();
  const peer: PeerInfo = { id: id as NodeId, name: `m${id}`, peerAddress: `127.0.0.1:${await freePort()}`, clientAddresses: [], learner: false };
  return { peer, directory, disk, machine: new ListMachine(disk), member: undefined };
}

async function start(place: Seat, peers: readonly PeerInfo[], changes: Partial<RaftMemberOptions> = {}): Promise<Member> {
  const certificates = await authority.issue(place.peer.name);
  place.machine = new ListMachine(place.disk);
  const [host = '', port = ''] = place.peer.peerAddress.split(':');
  const member = await startRaftMember({
    clusterId: 'test', id: place.peer.id, name: place.peer.name, peers, dataDir: place.directory,
    listen: { host, port: Number(port) }, tls: { current: () => certificates }, stateMachine: place.machine,
    clock: systemClock, random: systemRandom, logger: silentLogger, settings: { handover_ms: 0 }, ...changes,
  }) as Member;
  place.member = member;
  cleanups.push(() => (place.member === member ? member.stop() : undefined));
  return member;
}

async function cluster(size: number): Promise<Seat[]> {
  const seats = await Promise.all(Array.from({ length: size }, (_, i) => seat(i + 1)));
  const peers = seats.map(({ peer }) => peer);
  await Promise.all(seats.map((place) => start(place, peers)));
  return seats;
}

async function crash(place: Seat): Promise<void> {
  const { member } = place;
  place.member = undefined;
  await member?.crash();
}

const live = (seats: readonly Seat[]): Seat[] => seats.filter(({ member }) => member !== undefined);
const memberOf = ({ member }: Seat): Member => {
  if (member === undefined) throw new Error('this member is down');
  return member;
};

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (condition()) return;
    await systemClock.sleep(5);
  }
  throw new Error(`never: ${what}`);
}

async function leaderOf(seats: readonly Seat[]): Promise<Seat> {
  const isLeading = (place: Seat) => place.member?.status().role === 'leader';
  await until(() => live(seats).some(isLeading), 'a leader');
  return live(seats).find(isLeading) as Seat;
}

const propose = (place: Seat, command: string) => memberOf(place).propose(Buffer.from(command));

describe('three members over gRPC', () => {
  it('elects a leader, replicates, and answers with the result of the own replica (paper 5.2, 5.3)', async () => {
    const seats = await cluster(3);
    await leaderOf(seats);
    const results = [];
    // From every member, leader or not: followers forward.
    for (const [i, place] of seats.entries()) results.push(await propose(place, `c${i}`));
    expect(results).toEqual([1, 2, 3]);
    await until(() => seats.every(({ machine }) => machine.list.length === 3), 'all have all');
    for (const { machine } of seats) expect(machine.list).toEqual(['c0', 'c1', 'c2']);
  });

  it('loses nothing acknowledged when the leader is killed, and takes the dead member back (paper 5.4)', async () => {
    const seats = await cluster(3);
    const leader = await leaderOf(seats);
    const peers = seats.map(({ peer }) => peer);
    for (let i = 0; i < 20; i++) await propose(leader, `before${i}`);
    await crash(leader);
    const survivors = live(seats);
    await Promise.all(survivors.map((place, i) => propose(place, `after${i}`)));
    const [first] = survivors;
    expect(first?.machine.list.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `before${i}`));
    expect(first?.machine.list).toHaveLength(22);
    await start(leader, peers);
    await until(() => leader.machine.list.length === 22, 'the dead member caught up');
    expect(leader.machine.list).toEqual(first?.machine.list);
  });

  it('starts again from disk after all members were killed', async () => {
    const seats = await cluster(3);
    const peers = seats.map(({ peer }) => peer);
    await leaderOf(seats);
    for (let i = 0; i < 10; i++) await propose(seats[i % 3] as Seat, `c${i}`);
    for (const place of seats) await crash(place);
    for (const place of seats) await start(place, peers);
    expect(await propose(seats[0] as Seat, 'again')).toBe(11);
    expect(seats[0]?.machine.list).toHaveLength(11);
  });

  it('reads linearizably from any member (thesis 6.4)', async () => {
    const seats = await cluster(3);
    for (let i = 0; i < 5; i++) {
      await propose(seats[i % 3] as Seat, `c${i}`);
      const reader = seats[(i + 1) % 3] as Seat;
      await memberOf(reader).readIndex();
      expect(reader.machine.list).toHaveLength(i + 1);
    }
  });

  it('commits many concurrent proposals in one order', async () => {
    const seats = await cluster(3);
    await leaderOf(seats);
    const results = await Promise.all(Array.from({ length: 600 }, (_, i) => propose(seats[i % 3] as Seat, `c${i}`)));
    expect(new Set(results).size).toBe(600);
    await until(() => seats.every(({ machine }) => machine.list.length === 600), 'all have all');
    expect(seats[1]?.machine.list).toEqual(seats[0]?.machine.list);
    expect(seats[2]?.machine.list).toEqual(seats[0]?.machine.list);
  });
});
