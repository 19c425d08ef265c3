/**
 * Issue 6, row 32: a member alone is elected once, however long its disk takes (terms differed from etcd's under load).
 */
import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { NodeId } from '../contract.js';
import type { LogWrite } from '../log/log.js';
import { MemoryLog } from '../log/memory-log.js';
import { until } from '../testing/cluster.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import { MemoryNetwork } from '../transport/memory-transport.js';
import { Member } from './member.js';
import { DEFAULT_SETTINGS } from './options.js';

class SlowLog extends MemoryLog {
  override async write(writes: readonly LogWrite[]): Promise<void> {
    await systemClock.sleep(250);
    await super.write(writes);
  }
}

it('a member alone asks for its own vote once', async () => {
  const member = await Member.start({
    clusterId: 'test',
    id: 1 as NodeId,
    peers: [{ id: 1 as NodeId, name: 'm1', peerAddress: '', clientAddresses: [], learner: false }],
    join: false,
    stateMachine: new ListMachine(new ListDisk()),
    log: new SlowLog(),
    transport: new MemoryNetwork(systemClock).transport(1 as NodeId),
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    events: {},
    settings: DEFAULT_SETTINGS,
  });
  await until(() => member.status().role === 'leader', 'it leads');
  // The first term is the cluster's founding.
  expect(member.status().term).toBe(2);
  await member.crash();
});
