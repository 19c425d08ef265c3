/** Members in one process without disk and sockets: partitions, and what becomes of proposals that are under way. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../platform/clock.js';
import { silentLogger } from '../platform/log.js';
import { seededRandom } from '../platform/random.js';
import { MemoryLog, MemoryNetwork, startMemoryMember } from './index.js';
import type { Member, MemberSettings, NodeId, PeerInfo } from './index.js';
import { until } from './testing/cluster.js';
import { ListDisk, ListMachine } from './testing/list-machine.js';

const members: Member[] = [];

afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.crash()));
});

async function start(size: number, settings: Partial<MemberSettings> = {}) {
  const network = new MemoryNetwork(systemClock);
  const peers: PeerInfo[] = Array.from({ length: size }, (_, i) => ({
    id: (i + 1) as NodeId,
    name: `m${i + 1}`,
    peerAddress: '',
    clientAddresses: [],
    learner: false,
  }));
  const machines = peers.map(() => new ListMachine(new ListDisk()));
  for (const [i, { id, name }] of peers.entries()) {
    members.push(
      (await startMemoryMember({
        clusterId: 'test',
        id,
        name,
        peers,
        network,
        log: new MemoryLog(),
        stateMachine: machines[i] as ListMachine,
        clock: systemClock,
        random: seededRandom(id),
        logger: silentLogger,
        settings: { heartbeat_ms: 10, election_ms: 100, request_ms: 3000, ...settings },
      })) as Member,
    );
  }
  const running = [...members];
  const leader = async (among: readonly Member[] = running): Promise<Member> => {
    await until(() => among.some((member) => member.status().role === 'leader'), 'a leader');
    return among.find((member) => member.status().role === 'leader') as Member;
  };
  return { network, machines, running, leader };
}

const isolate = (network: MemoryNetwork, one: Member, all: readonly Member[]): void => {
  for (const other of all) {
    network.cut(one.status().id, other.status().id);
    network.cut(other.status().id, one.status().id);
  }
};

describe('a leader that is cut off', () => {
  it('steps down, and what it could not commit is proposed again to its successor, once (thesis 6.2)', async () => {
    const { network, machines, running, leader } = await start(3);
    const old = await leader();
    await old.propose(Buffer.from('first'));
    const rest = running.filter((member) => member !== old);
    isolate(network, old, rest);
    const pending = old.propose(Buffer.from('stranded'));
    const successor = await leader(rest);
    await successor.propose(Buffer.from('second'));
    await until(() => old.status().role !== 'leader', 'the old leader stepped down');
    network.heal();
    expect(await pending).toBe(3);
    await until(() => machines.every(({ list }) => list.length === 3), 'all agree');
    for (const { list } of machines) expect(list).toEqual(['first', 'second', 'stranded']);
  });

  it('answers no read (thesis 6.4)', async () => {
    const { network, running, leader } = await start(3);
    const old = await leader();
    await old.readIndex();
    isolate(
      network,
      old,
      running.filter((member) => member !== old),
    );
    await expect(old.readIndex({ signal: AbortSignal.timeout(300) })).rejects.toThrow();
  });
});

it('says that the outcome is unknown when nothing is decided in time, and that nothing happened when nobody took it', async () => {
  const { network, running, leader } = await start(3, { request_ms: 300 });
  const old = await leader();
  for (const member of running)
    isolate(
      network,
      member,
      running.filter((other) => other !== member),
    );
  await expect(old.propose(Buffer.from('lost?'))).rejects.toMatchObject({ code: 'unknown-outcome' });
  await until(() => running.every((member) => member.status().leader === undefined), 'nobody leads');
  await expect(old.propose(Buffer.from('never'))).rejects.toMatchObject({ code: 'not-leader' });
  await expect(old.readIndex()).rejects.toMatchObject({ code: 'timeout' });
});

it('refuses with `dropped` beyond the cap of uncommitted bytes', async () => {
  const { network, running, leader } = await start(3, { uncommitted_bytes_max: 1000, request_ms: 500 });
  const old = await leader();
  await old.propose(Buffer.from('x'));
  isolate(
    network,
    old,
    running.filter((member) => member !== old),
  );
  const first = old.propose(Buffer.alloc(900, 'a'));
  const outcome = expect(first).rejects.toBeDefined();
  await until(() => old.status().lastIndex > old.status().commitIndex, 'it is in the log');
  await expect(old.propose(Buffer.alloc(900, 'b'))).rejects.toMatchObject({ code: 'dropped' });
  await outcome;
});

it('leads alone at once', async () => {
  const {
    running: [only],
  } = await start(1);
  expect(await only?.propose(Buffer.from('a'))).toBe(1);
  expect(await only?.readIndex()).toBeGreaterThan(1);
});
