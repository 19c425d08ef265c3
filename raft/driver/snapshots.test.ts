/** Two snapshots in quick succession (etcd #18055): the second must not take the place of one that is being installed. */
import { expect, it } from 'vitest';
import { silentLogger } from '../../platform/log.js';
import { MemoryLog } from '../log/memory-log.js';
import type { RaftNode } from '../core/node.js';
import { message } from '../core/types.js';
import type { Message } from '../core/types.js';
import type { NodeId } from '../contract.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import type { Applier } from './applier.js';
import type { MemberOptions } from './options.js';
import { SnapshotExchange } from './snapshots.js';

it('refuses a snapshot while another one waits to be installed, and installs that one', async () => {
  const machine = new ListMachine(new ListDisk());
  let firstIndex = 2;
  const node = {
    step: (m: Message) => (firstIndex = (m.snapshot?.index ?? 0) + 1),
    status: () => ({ firstIndex }),
  } as unknown as RaftNode;
  const applier = { replace: (_snapshot: unknown, _membership: unknown, switchState: () => Promise<void>) => switchState() } as unknown as Applier;
  const options = { stateMachine: machine, log: new MemoryLog(), logger: silentLogger } as unknown as MemberOptions;
  const exchange = new SnapshotExchange(options, node, applier, { run: (work) => work(), onFailure: (error) => expect.fail(error.message) });
  const snapshot = (index: number) => ({ index, term: 1, confState: { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false } });
  const receive = (index: number) => exchange.receive({
    from: 2 as NodeId, peers: [], message: message({ type: 'snap', to: 1, from: 2, term: 1, snapshot: snapshot(index) }),
    chunks: (async function* () {
      yield Buffer.from(`state of ${index}`);
    })(),
  });
  await receive(10);
  // The log writer is still busy; a newer leader is quick.
  await expect(receive(20)).rejects.toMatchObject({ code: 'dropped' });
  await exchange.install(snapshot(10));
  expect(machine.list).toEqual(['state of 10']);
  await receive(30);
  await exchange.install(snapshot(30));
  // Once more the same: the core has no use for it, and it stands in nobody's way.
  await receive(30);
  await receive(40);
  await exchange.install(snapshot(40));
  expect(machine.list).toEqual(['state of 40']);
});
