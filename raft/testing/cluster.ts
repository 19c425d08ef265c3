/** For tests of raft/: members in one process, over loopback gRPC with mutual TLS, each with a directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import { freePorts } from '../../platform/free-ports.js';
import { silentLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { startRaftMember } from '../index.js';
import type { Member, NodeId, PeerInfo, RaftMemberOptions } from '../index.js';
import { TestAuthority } from './certificates.js';
import { ListDisk, ListMachine } from './list-machine.js';

export interface Seat {
  readonly peer: PeerInfo;
  readonly directory: string;
  readonly disk: ListDisk;
  machine: ListMachine;
  member: Member | undefined;
}

export class TestCluster {
  readonly authority: TestAuthority;
  readonly #seats: Seat[] = [];

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async create(): Promise<TestCluster> {
    return new TestCluster(await TestAuthority.create(systemClock.now()));
  }

  /** A place for a member; nothing runs yet. */
  async seat(id: number): Promise<Seat> {
    const directory = mkdtempSync(join(tmpdir(), 'raft-'));
    const disk = new ListDisk();
    const peer: PeerInfo = {
      id: id as NodeId,
      name: `m${id}`,
      peerAddress: `127.0.0.1:${(await freePorts(1)).join()}`,
      clientAddresses: [],
      learner: false,
    };
    const place: Seat = { peer, directory, disk, machine: new ListMachine(disk), member: undefined };
    this.#seats.push(place);
    return place;
  }

  async start(place: Seat, peers: readonly PeerInfo[], changes: Partial<RaftMemberOptions> = {}): Promise<Member> {
    const certificates = await this.authority.issue(place.peer.name);
    place.machine = new ListMachine(place.disk);
    const [host = '', port = ''] = place.peer.peerAddress.split(':');
    const member = (await startRaftMember({
      clusterId: 'test',
      id: place.peer.id,
      name: place.peer.name,
      peers,
      dataDir: place.directory,
      listen: { host, port: Number(port) },
      tls: { current: () => certificates },
      stateMachine: place.machine,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      ...changes,
    })) as Member;
    place.member = member;
    return member;
  }

  async startAll(size: number, changes: Partial<RaftMemberOptions> = {}): Promise<Seat[]> {
    const seats = await Promise.all(Array.from({ length: size }, (_, i) => this.seat(i + 1)));
    const peers = seats.map(({ peer }) => peer);
    await Promise.all(seats.map((place) => this.start(place, peers, changes)));
    return seats;
  }

  async close(): Promise<void> {
    for (const place of this.#seats) {
      await crash(place);
      rmSync(place.directory, { recursive: true, force: true });
    }
  }
}

export async function crash(place: Seat): Promise<void> {
  const { member } = place;
  place.member = undefined;
  await member?.crash();
}

export const live = (seats: readonly Seat[]): Seat[] => seats.filter(({ member }) => member !== undefined);

export function memberOf({ member }: Seat): Member {
  if (member === undefined) throw new Error('this member is down');
  return member;
}

/** Waits for what must come; a condition that never holds is a failure, after ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 12_000; i++) {
    if (condition()) return;
    await systemClock.sleep(5);
  }
  throw new Error(`never: ${what}`);
}

export async function leaderOf(seats: readonly Seat[]): Promise<Seat> {
  const isLeading = (place: Seat) => place.member?.status().role === 'leader';
  await until(() => live(seats).some(isLeading), 'a leader');
  return live(seats).find(isLeading) as Seat;
}

export const propose = (place: Seat, command: string): Promise<unknown> =>
  memberOf(place).propose(Buffer.from(command));
