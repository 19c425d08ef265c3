/**
 * No membership change before the leader's no-op has committed (Ongaro, "bug in single-server membership changes",
 * 2015; found missing for the leader's own proposals by the simulator, seed 9).
 */
import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { NodeId, PeerInfo } from '../contract.js';
import { message } from '../core/types/message.js';
import type { Message } from '../core/types/message.js';
import { MemoryLog } from '../log/memory-log.js';
import { until } from '../testing/cluster.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import type { PeerMessage, Transport, TransportHandler } from '../transport/transport.js';
import { Member } from './member.js';
import { DEFAULT_SETTINGS } from './options.js';

const peerOf = (id: number, learner = false): PeerInfo => ({
  id: id as NodeId,
  name: `m${id}`,
  peerAddress: '',
  clientAddresses: [],
  learner,
});

it("a leader's own change waits for the no-op of its term, as forwarded ones do", async () => {
  const sent: PeerMessage[] = [];
  let handler: TransportHandler | undefined;
  const transport: Transport = {
    start: (given) => {
      handler = given;
      return Promise.resolve();
    },
    setPeers: () => undefined,
    send: (messages) => void sent.push(...messages),
    sendSnapshot: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  const log = new MemoryLog();
  const member = await Member.start({
    clusterId: 'test',
    id: 1 as NodeId,
    peers: [1, 2, 3].map((id) => peerOf(id)),
    join: false,
    stateMachine: new ListMachine(new ListDisk()),
    log,
    transport,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    events: {},
    settings: { ...DEFAULT_SETTINGS, heartbeat_ms: 10, election_ms: 60_000 },
  });
  /** What member 2 says, once it was asked. */
  const answer = async (to: Message['type'], with_: Message['type'], fields: Partial<Message> = {}) => {
    await until(() => sent.some(({ type }) => type === to), to);
    const asked = sent.find(({ type }) => type === to) as PeerMessage;
    handler?.onMessages([message({ type: with_, to: 1, from: 2, term: asked.term, ...fields })]);
  };
  await answer('pre-vote', 'pre-vote-resp');
  await answer('vote', 'vote-resp');
  await until(() => log.view.lastIndex === 2, 'the no-op is in the log');
  const changed = member.changeMembership({ kind: 'add-learner', peer: peerOf(4, true) });
  // Nobody has acknowledged the no-op; however long it takes, the change is not in the log.
  sent.length = 0;
  await until(() => sent.filter(({ type }) => type === 'heartbeat').length >= 10, 'some ticks');
  expect(log.view.lastIndex).toBe(2);
  handler?.onMessages([message({ type: 'app-resp', to: 1, from: 2, term: log.view.hardState.term, index: 2 })]);
  await until(() => log.view.lastIndex === 3, 'the change is in the log');
  handler?.onMessages([message({ type: 'app-resp', to: 1, from: 2, term: log.view.hardState.term, index: 3 })]);
  expect((await changed).learners).toEqual([4]);
  await member.crash();
});
