/** Members of different programs side by side, in both directions: see driver/levels.ts. */
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../platform/clock.js';
import { silentLogger } from '../platform/log.js';
import { seededRandom } from '../platform/random.js';
import { MemoryLog, MemoryNetwork, startMemoryMember } from './index.js';
import type { Member, NodeId, PeerInfo } from './index.js';
import { memberOf, TestCluster, until } from './testing/cluster.js';
import type { Seat } from './testing/cluster.js';
import { ListDisk, ListMachine } from './testing/list-machine.js';

const peers: PeerInfo[] = [1, 2, 3].map((id) => ({
  id: id as NodeId,
  name: `m${id}`,
  peerAddress: '',
  clientAddresses: [],
  learner: false,
}));

class Site {
  readonly #network = new MemoryNetwork(systemClock);
  readonly #disks = new Map<number, { log: MemoryLog; disk: ListDisk }>();
  readonly members = new Map<number, Member>();

  async start(id: number, level: number, join = false): Promise<Member> {
    const { log, disk } = this.#disks.get(id) ?? { log: new MemoryLog(), disk: new ListDisk() };
    this.#disks.set(id, { log, disk });
    const member = (await startMemoryMember({
      clusterId: 'test',
      id: id as NodeId,
      name: `m${id}`,
      peers,
      join,
      network: this.#network,
      log,
      stateMachine: new ListMachine(disk),
      level,
      clock: systemClock,
      random: seededRandom(id),
      logger: silentLogger,
      events: { onFatal: (error) => void this.ended.set(id, error) },
      settings: { heartbeat_ms: 10, election_ms: 100, request_ms: 3000, persist_ms: 20 },
    })) as Member;
    this.members.set(id, member);
    return member;
  }

  readonly ended = new Map<number, Error>();

  async stop(id: number): Promise<void> {
    await this.members.get(id)?.crash();
    this.members.delete(id);
  }

  durableLevel(id: number): number | undefined {
    return this.#disks.get(id)?.disk.membership?.level;
  }

  levels(): (number | undefined)[] {
    return [...this.members.values()].map((member) => member.status().membership.level);
  }

  async agreedOn(level: number): Promise<void> {
    await until(() => this.levels().every((found) => found === level), `level ${level}`);
  }
}

let site = new Site();

afterEach(async () => {
  for (const id of site.members.keys()) await site.stop(id);
});

it('agree on what all understand, and only then; a program that understands less does not start again', async () => {
  site = new Site();
  await Promise.all([site.start(1, 2), site.start(2, 2), site.start(3, 1)]);
  const told = () =>
    [...site.members.values()].every(
      (member) =>
        member
          .status()
          .membership.peers.map(({ level }) => level)
          .join() === '2,2,1',
    );
  await until(told, 'all have told their levels');
  await site.members.get(1)?.propose(Buffer.from('x'));
  expect(site.levels()).toEqual([undefined, undefined, undefined]);
  // As long as nothing is agreed, an upgrade can be taken back.
  await site.stop(2);
  await site.start(2, 1);
  await until(() => site.members.get(1)?.status().membership.peers[1]?.level === 1, 'the second one went back');
  for (const id of [2, 3]) {
    await site.stop(id);
    await site.start(id, 2);
  }
  await site.agreedOn(2);
  await until(() => site.durableLevel(3) === 2, 'it is durable');
  await site.stop(3);
  await expect(site.start(3, 1)).rejects.toMatchObject({
    code: 'outdated',
    message: expect.stringContaining('level 2') as string,
  });
  await site.start(3, 2);
  await site.agreedOn(2);
});

it('that joins and understands less than was agreed stops at the snapshot that tells', async () => {
  site = new Site();
  await Promise.all([1, 2, 3].map((id) => site.start(id, 2)));
  await site.agreedOn(2);
  const newcomer: PeerInfo = { id: 4 as NodeId, name: 'm4', peerAddress: '', clientAddresses: [], learner: true };
  await site.start(4, 1, true);
  await site.members.get(1)?.changeMembership({ kind: 'add-learner', peer: newcomer });
  await until(() => site.ended.has(4), 'it stopped');
  expect(site.ended.get(4)).toMatchObject({ code: 'outdated' });
});

it('are told in a snapshot over the wire, with what was agreed', async () => {
  const cluster = await TestCluster.create();
  try {
    const seats = await cluster.startAll(1, { level: 2 });
    const [first] = seats as [Seat];
    await until(() => memberOf(first).status().membership.level === 2, 'one alone agrees');
    const newcomer = await cluster.seat(2);
    const learner = { ...newcomer.peer, learner: true };
    await cluster.start(newcomer, [first.peer], { level: 2, join: true });
    await memberOf(first).changeMembership({ kind: 'add-learner', peer: learner });
    await until(
      () =>
        memberOf(newcomer)
          .status()
          .membership.peers.map(({ level }) => level)
          .join() === '2,2',
      'both have told',
    );
    expect(memberOf(newcomer).status().membership.level).toBe(2);
  } finally {
    await cluster.close();
  }
});
