/**
 * Issue 6, row 31: what takes long to apply keeps nobody from ticks, heartbeats, votes and reads, and is never written
 * half done.
 */
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { Slices } from '../../platform/slices.js';
import type { CommittedEntry, LogIndex, Membership, NodeId } from '../contract.js';
import { MemoryLog } from '../log/memory-log.js';
import { MemoryNetwork } from '../transport/memory-transport.js';
import { until } from '../testing/cluster.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import { Member } from './member.js';
import { DEFAULT_SETTINGS } from './options.js';

const SLICE_MS = 1;
const SLOW_SLICES = 600;

/** A command `slow` takes longer than several elections. */
class SlowMachine extends ListMachine {
  isMidway = false;
  readonly persistedMidway: number[] = [];

  override *applySlices(entries: readonly CommittedEntry[]): Slices<readonly unknown[]> {
    const results: unknown[] = [];
    for (const entry of entries) {
      const isSlow = Buffer.from(entry.data).toString() === 'slow';
      this.isMidway = isSlow;
      for (let i = 0; isSlow && i < SLOW_SLICES; i++) {
        const end_ms = systemClock.monotonic() + SLICE_MS;
        while (systemClock.monotonic() < end_ms);
        yield;
      }
      this.isMidway = false;
      results.push(...(yield* super.applySlices([entry])));
    }
    return results;
  }

  override persist(applied: LogIndex, membership: Membership): Promise<void> {
    if (this.isMidway) this.persistedMidway.push(applied);
    return super.persist(applied, membership);
  }
}

const started: Member[] = [];
afterEach(async () => void (await Promise.all(started.splice(0).map((member) => member.crash()))));

async function startMember(id: number, ids: readonly number[], network: MemoryNetwork) {
  const machine = new SlowMachine(new ListDisk());
  const peers = ids.map((one) => ({
    id: one as NodeId,
    name: `m${one}`,
    peerAddress: '',
    clientAddresses: [],
    learner: false,
  }));
  const member = await Member.start({
    clusterId: 'test',
    id: id as NodeId,
    peers,
    join: false,
    stateMachine: machine,
    log: new MemoryLog(),
    transport: network.transport(id as NodeId),
    clock: systemClock,
    random: seededRandom(id),
    logger: silentLogger,
    events: {},
    settings: { ...DEFAULT_SETTINGS, persist_ms: 20, request_ms: 60_000 },
  });
  started.push(member);
  return { member, machine };
}

it('three members apply for longer than elections take, without one, and answer reads in their order', async () => {
  const network = new MemoryNetwork(systemClock);
  const members = await Promise.all([1, 2, 3].map((id) => startMember(id, [1, 2, 3], network)));
  await until(() => members.some(({ member }) => member.status().role === 'leader'), 'a leader');
  const [first] = members;
  await first?.member.propose(Buffer.from('one'));
  const { term } = first?.member.status() ?? {};
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  const slow = first?.member.propose(Buffer.from('slow'));
  await until(() => members.every(({ machine }) => machine.isMidway), 'all apply');
  // A read that comes while it is applied waits for nothing that came after it, and sees all that came before.
  const read = first?.member.readIndex().then(() => first.machine.list.length);
  expect(await slow).toBe(2);
  expect(await read).toBe(2);
  clearInterval(timer);
  expect(first?.member.status().term).toBe(term);
  // Three members share this thread: each has its turn, and so has everybody else.
  expect(ticks).toBeGreaterThan((SLOW_SLICES * SLICE_MS) / 10 / 10);
  expect(members.flatMap(({ machine }) => machine.persistedMidway)).toEqual([]);
});

it('a member that stops in order applies what it began to its end, and writes that', async () => {
  const { member, machine } = await startMember(1, [1], new MemoryNetwork(systemClock));
  await member.propose(Buffer.from('one'));
  const slow = member.propose(Buffer.from('slow')).catch((error: unknown) => error);
  await until(() => machine.isMidway, 'it applies');
  await member.stop();
  expect(((await slow) as Error).message).toContain('may still happen');
  expect(machine.persistedMidway).toEqual([]);
  expect(machine.list).toEqual(['one', 'slow']);
  expect(machine.durableIndex).toBe(member.status().commitIndex);
  started.pop();
});

it('a member that fails in the middle of an entry never writes what it has half applied', async () => {
  const { member, machine } = await startMember(1, [1], new MemoryNetwork(systemClock));
  await member.propose(Buffer.from('one'));
  await until(() => machine.durableIndex === member.status().commitIndex, 'one is on disk');
  const durable = machine.durableIndex;
  machine.applySlices = function* () {
    machine.list.push('half');
    yield;
    throw new Error('the record is missing on disk');
  };
  await member.propose(Buffer.from('bad')).catch(() => undefined);
  await member.stop();
  expect(machine.durableIndex).toBe(durable);
  started.pop();
});
