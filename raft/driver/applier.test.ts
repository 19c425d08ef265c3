import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { LogIndex, Membership, NodeId } from '../contract.js';
import { MemoryLog } from '../log/memory-log.js';
import { until } from '../testing/cluster.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import type { Transport } from '../transport/transport.js';
import { Member } from './member.js';
import { DEFAULT_SETTINGS } from './options.js';

const transport: Transport = {
  start: () => Promise.resolve(),
  setPeers: () => undefined,
  send: () => undefined,
  sendSnapshot: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};

/** Its first write of the state, but for that of its founding, hangs until it is told to fail. */
class FailingMachine extends ListMachine {
  fail: (() => void) | undefined;
  persisted: number[] = [];

  override persist(applied: LogIndex, membership: Membership): Promise<void> {
    this.persisted.push(applied);
    if (this.persisted.length === 1) return super.persist(applied, membership);
    return new Promise((_, reject) => {
      this.fail = () => reject(new Error('EIO: i/o error, write'));
    });
  }
}

it('writes no state after a write of it has failed, not even when the member stops in order (simulator, seed 843)', async () => {
  const stateMachine = new FailingMachine(new ListDisk());
  const member = await Member.start({
    clusterId: 'test',
    id: 1 as NodeId,
    peers: [{ id: 1 as NodeId, name: 'm1', peerAddress: '', clientAddresses: [], learner: false }],
    join: false,
    stateMachine,
    log: new MemoryLog(),
    transport,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    events: {},
    settings: { ...DEFAULT_SETTINGS, persist_ms: 5 },
  });
  await member.propose(Buffer.from('one'));
  await until(() => stateMachine.fail !== undefined, 'the state is being written');
  const stopped = member.stop();
  stateMachine.fail?.();
  await stopped;
  expect(stateMachine.persisted).toHaveLength(2);
});
