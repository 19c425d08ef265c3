/** Members that come, go, are wiped, are put back and are replaced; over loopback gRPC, with logs on disk. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../platform/clock.js';
import { silentLogger } from '../platform/log.js';
import { seededRandom } from '../platform/random.js';
import { MemoryLog, MemoryNetwork, ReplaceableTls, startMemoryMember } from './index.js';
import type { Member, NodeId, PeerInfo, RaftMemberOptions } from './index.js';
import type { LogWrite } from './log/log.js';
import { TestAuthority } from './testing/certificates.js';
import { crash, leaderOf, live, memberOf, propose, TestCluster, until } from './testing/cluster.js';
import type { Seat } from './testing/cluster.js';
import { ListDisk, ListMachine } from './testing/list-machine.js';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.create();
});

afterEach(() => cluster.close());

const others = (seats: readonly Seat[], one: Seat): Seat[] => seats.filter((place) => place !== one);
const membershipOf = (place: Seat) => memberOf(place).status().membership;
const allIdentified = (place: Seat) => membershipOf(place).peers.every(({ instance }) => instance !== undefined);
const joining = (place: Seat): PeerInfo => ({ ...place.peer, learner: true, joining: true });

/** Starts a member and collects why it stopped. */
async function startWatched(
  place: Seat,
  peers: readonly PeerInfo[],
  changes: Partial<RaftMemberOptions> = {},
): Promise<Error[]> {
  const faults: Error[] = [];
  await cluster.start(place, peers, { ...changes, events: { onFatal: (error) => faults.push(error) } });
  return faults;
}

async function wipe(place: Seat): Promise<void> {
  await crash(place);
  rmSync(place.directory, { recursive: true });
  Object.assign(place.disk, { index: 0, term: 0, membership: undefined, list: [] });
}

describe('the data directory', () => {
  it('of each member is recorded in the membership, on all of them', async () => {
    const seats = await cluster.startAll(3);
    await until(() => seats.every(allIdentified), 'all are recorded');
    expect(new Set(membershipOf(seats[0] as Seat).peers.map(({ instance }) => instance)).size).toBe(3);
    expect(membershipOf(seats[1] as Seat).peers).toEqual(membershipOf(seats[0] as Seat).peers);
  });

  it('that was wiped does not come back under its old id, and its member says what to do', async () => {
    const seats = await cluster.startAll(3);
    const peers = seats.map(({ peer }) => peer);
    await until(() => seats.every(allIdentified), 'all are recorded');
    const leader = await leaderOf(seats);
    const [victim] = others(seats, leader) as [Seat];
    await wipe(victim);
    const faults = await startWatched(victim, peers);
    await until(() => faults.length > 0, 'the wiped member stops');
    expect(faults[0]).toMatchObject({ code: 'fenced' });
    expect(faults[0]?.message).toMatch(/wiped or replaced.*navarch member remove/);
    expect(victim.machine.list).toEqual([]);
    expect(await propose(leader, 'still here')).toBe(1);
  });

  it('that was put back to an older state is refused by those who heard what it had promised', async () => {
    const seats = await cluster.startAll(3);
    const peers = seats.map(({ peer }) => peer);
    await until(() => seats.every(allIdentified), 'all are recorded');
    const leader = await leaderOf(seats);
    const [victim] = others(seats, leader) as [Seat];
    await memberOf(victim).stop();
    victim.member = undefined;
    const { index, term, membership, list } = victim.disk;
    const copy = `${victim.directory}-backup`;
    cpSync(victim.directory, copy, { recursive: true });
    await cluster.start(victim, peers);
    for (let i = 0; i < 5; i++) await propose(victim, `c${i}`);
    await crash(victim);
    rmSync(victim.directory, { recursive: true });
    cpSync(copy, victim.directory, { recursive: true });
    rmSync(copy, { recursive: true });
    Object.assign(victim.disk, { index, term, membership, list });
    // The others were restarted since: they remember all the same.
    for (const place of others(seats, victim)) {
      await memberOf(place).stop();
      await cluster.start(place, peers);
    }
    const faults = await startWatched(victim, peers);
    await until(() => faults.length > 0, 'the member with the old disk stops');
    expect(faults[0]).toMatchObject({ code: 'fenced' });
    expect(faults[0]?.message).toContain('older state');
  });
});

describe('a new member', () => {
  it('is promoted by the leader once it has caught up, and replaces a dead one (thesis 4.2.1)', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    const [dead] = others(seats, leader) as [Seat];
    for (let i = 0; i < 20; i++) await propose(leader, `c${i}`);
    await crash(dead);
    await memberOf(leader).changeMembership({ kind: 'remove', id: dead.peer.id });
    const newcomer = await cluster.seat(4);
    await cluster.start(
      newcomer,
      seats.map(({ peer }) => peer),
      { join: true },
    );
    await memberOf(leader).changeMembership({ kind: 'add-learner', peer: joining(newcomer) });
    await until(
      () => memberOf(newcomer).status().role === 'follower' && membershipOf(newcomer).voters.includes(4 as NodeId),
      'it votes',
    );
    expect(newcomer.machine.list).toHaveLength(20);
    expect(membershipOf(newcomer).removed).toEqual([dead.peer.id]);
    expect(membershipOf(newcomer).peers.find(({ id }) => id === 4)).not.toHaveProperty('joining');
    await expect(memberOf(leader).changeMembership({ kind: 'add-learner', peer: joining(dead) })).rejects.toMatchObject(
      { code: 'removed' },
    );
  });

  it('that never comes is taken out again; a learner that is meant to stay one is not', async () => {
    const seats = await cluster.startAll(1, { settings: { joinExpiry_ms: 200 } });
    const [only] = seats as [Seat];
    const [absent, replica] = [await cluster.seat(2), await cluster.seat(3)];
    await until(() => memberOf(only).status().role === 'leader', 'it leads');
    await memberOf(only).changeMembership({ kind: 'add-learner', peer: { ...replica.peer, learner: true } });
    await memberOf(only).changeMembership({ kind: 'add-learner', peer: joining(absent) });
    expect(membershipOf(only).learners).toContain(2);
    await until(() => !membershipOf(only).learners.includes(2 as NodeId), 'it is dropped');
    expect(membershipOf(only).learners).toEqual([3]);
    await expect(memberOf(only).changeMembership({ kind: 'remove', id: only.peer.id })).rejects.toMatchObject({
      code: 'invalid',
    });
  });
});

describe('a removed member', () => {
  it('stops and says why, whether it was there or comes back later', async () => {
    const seats = await cluster.startAll(3, { settings: { removalLinger_ms: 100 } });
    const peers = seats.map(({ peer }) => peer);
    const leader = await leaderOf(seats);
    const [present] = others(seats, leader) as [Seat];
    await crash(present);
    const faults = await startWatched(present, peers, { settings: { removalLinger_ms: 100 } });
    await until(() => memberOf(present).status().leader !== undefined, 'it follows');
    await memberOf(leader).changeMembership({ kind: 'remove', id: present.peer.id });
    await until(() => faults.length > 0, 'it stops');
    expect(faults[0]).toMatchObject({ code: 'removed' });
    await crash(present);
    const again = await startWatched(present, peers);
    await until(() => again.length > 0, 'it stops again');
    expect(again[0]).toMatchObject({ code: 'removed' });
    expect(again[0]?.message).toContain('navarch server --join');
    expect(await propose(leader, 'two go on')).toBe(1);
  });

  it('may be the leader: it steps down, another leads, and it ends (thesis 4.2.2)', async () => {
    const seats = await cluster.startAll(3, { settings: { removalLinger_ms: 100 } });
    const leader = await leaderOf(seats);
    await memberOf(leader).changeMembership({ kind: 'remove', id: leader.peer.id });
    const rest = others(seats, leader);
    const successor = await leaderOf(rest);
    expect(await propose(successor, 'on')).toBe(1);
    expect(membershipOf(successor).removed).toEqual([leader.peer.id]);
    await until(() => {
      try {
        return memberOf(leader).status().role !== 'leader';
      } catch {
        return true;
      }
    }, 'it leads no more');
  });
});

describe('the peer listener', () => {
  /** The serial number that a peer is shown, or an error when the handshake fails. */
  function serialShown(
    place: Seat,
    own: { readonly cert: string | Buffer; readonly key: string | Buffer },
  ): Promise<string> {
    const [host, port] = place.peer.peerAddress.split(':');
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host, port: Number(port), cert: own.cert, key: own.key, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
        () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });
  }

  it('shows a new certificate from the next connection on, without a restart', async () => {
    const place = await cluster.seat(1);
    const tls = new ReplaceableTls(await cluster.authority.issue('m1'));
    const client = await cluster.authority.issue('m2');
    await cluster.start(place, [place.peer], { tls });
    const before = await serialShown(place, client);
    expect(await serialShown(place, client)).toBe(before);
    tls.replace(await cluster.authority.issue('m1'));
    expect(await serialShown(place, client)).not.toBe(before);
  });

  it('lets garbage, huge frames and strangers cause no election', async () => {
    const seats = await cluster.startAll(3);
    const leader = await leaderOf(seats);
    await propose(leader, 'a');
    const { term } = memberOf(leader).status();
    const foreign = await (await TestAuthority.create(Date.now())).issue('m2');
    const insider = await cluster.authority.issue('m2');
    const [host = '', port = ''] = leader.peer.peerAddress.split(':');
    const frame = Buffer.alloc(9 + 16);
    frame.writeUIntBE(0xff_ff_ff, 0, 3);
    const attack = (payload: Buffer, certificates?: { cert: string | Buffer; key: string | Buffer }) =>
      new Promise<void>((resolve) => {
        const options = { host, port: Number(port) };
        const socket =
          certificates === undefined
            ? connectTcp(options, () => socket.write(payload))
            : connect({ ...options, ...certificates, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () =>
                socket.write(payload),
              );
        socket.on('error', () => undefined);
        socket.on('data', () => socket.destroy());
        socket.on('close', () => resolve());
        socket.setTimeout(300, () => socket.destroy());
      });
    for (let round = 0; round < 5; round++) {
      const garbage = Array.from({ length: 10 }, () => attack(randomBytes(4096)));
      const strangers = Array.from({ length: 5 }, () => attack(frame, foreign));
      const huge = Array.from({ length: 3 }, () =>
        attack(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame, randomBytes(1 << 16)]), insider),
      );
      await Promise.all([...garbage, ...strangers, ...huge, propose(leader, `r${round}`)]);
    }
    expect(memberOf(leader).status()).toMatchObject({ role: 'leader', term });
    expect(live(seats)).toHaveLength(3);
  });
});

it('keeps its instance over a restart', async () => {
  const [place] = (await cluster.startAll(1)) as [Seat];
  await until(() => allIdentified(place), 'it is recorded');
  const [before] = membershipOf(place).peers;
  await memberOf(place).stop();
  const faults = await startWatched(place, [place.peer]);
  expect(await propose(place, 'again')).toBe(1);
  expect(membershipOf(place).peers).toEqual([before]);
  expect(readFileSync(join(place.directory, 'raft', 'instance'), 'utf8')).toBe(before?.instance);
  expect(faults).toEqual([]);
});

describe('a disk that hangs', () => {
  /** A log whose writes can be held back. */
  class HangingLog extends MemoryLog {
    #release: (() => void) | undefined;
    #held: Promise<void> | undefined;

    hang(): void {
      this.#held = new Promise((resolve) => {
        this.#release = resolve;
      });
    }

    heal(): void {
      this.#release?.();
      this.#held = undefined;
    }

    override async write(writes: readonly LogWrite[]): Promise<void> {
      await this.#held;
      await super.write(writes);
    }
  }

  async function startThree(logs: readonly HangingLog[], electionMs: number) {
    const network = new MemoryNetwork(systemClock);
    const peers = logs.map((_, i): PeerInfo => ({
      id: (i + 1) as NodeId,
      name: `m${i + 1}`,
      peerAddress: '',
      clientAddresses: [],
      learner: false,
    }));
    const members: Member[] = [];
    for (const [i, { id, name }] of peers.entries()) {
      members.push(
        (await startMemoryMember({
          clusterId: 'test',
          id,
          name,
          peers,
          network,
          log: logs[i] as HangingLog,
          stateMachine: new ListMachine(new ListDisk()),
          clock: systemClock,
          random: seededRandom(id),
          logger: silentLogger,
          settings: { heartbeat_ms: 20, election_ms: electionMs },
        })) as Member,
      );
    }
    await until(() => members.some((one) => one.status().role === 'leader'), 'a leader');
    return members;
  }

  it('takes the office from its leader, and a member with a working disk leads (TRAPS 21, hashicorp/raft #503)', async () => {
    const logs = [new HangingLog(), new HangingLog(), new HangingLog()];
    const members = await startThree(logs, 200);
    const old = members.findIndex((one) => one.status().role === 'leader');
    const [leader, log] = [members[old] as Member, logs[old] as HangingLog];
    await leader.propose(Buffer.from('before'));
    log.hang();
    const stranded = leader.propose(Buffer.from('stranded'));
    const rest = members.filter((one) => one !== leader);
    await until(() => rest.some((one) => one.status().role === 'leader'), 'another leads');
    expect(leader.status().role).not.toBe('leader');
    expect(await (rest[0] as Member).propose(Buffer.from('after'))).toBeGreaterThan(1);
    log.heal();
    expect(await stranded).toBeGreaterThan(1);
    await Promise.all(members.map((one) => one.crash()));
  });

  it('does not hold back heartbeats: shorter than an election timeout, it costs no election', async () => {
    const logs = [new HangingLog(), new HangingLog(), new HangingLog()];
    const members = await startThree(logs, 2000);
    const leader = members.find((one) => one.status().role === 'leader') as Member;
    await leader.propose(Buffer.from('before'));
    const { term } = leader.status();
    const log = logs[members.indexOf(leader)] as HangingLog;
    log.hang();
    const pending = leader.propose(Buffer.from('slow'));
    // The followers' disks work: two of three have it, and what tells them that it is committed does not wait for the
    // leader's.
    const followers = members.filter((one) => one !== leader);
    await until(
      () => followers.every((one) => one.status().appliedIndex === leader.status().lastIndex),
      'the followers have it',
    );
    // A few heartbeats long.
    await systemClock.sleep(200);
    log.heal();
    expect(await pending).toBe(2);
    expect(leader.status()).toMatchObject({ role: 'leader', term });
    await Promise.all(members.map((one) => one.crash()));
  });
});
