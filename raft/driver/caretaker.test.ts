/** What the leader does unasked, and when it does not. */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import type { Membership, MembershipChange, NodeId, PeerInfo, RaftStatus } from '../contract.js';
import { Caretaker } from './caretaker.js';
import { initialMembership } from './membership.js';
import { DEFAULT_SETTINGS } from './options.js';

const id = (n: number) => n as NodeId;
const peer = (n: number, more: Partial<PeerInfo> = {}): PeerInfo => ({
  id: id(n),
  name: `m${n}`,
  peerAddress: '',
  clientAddresses: [],
  learner: false,
  instance: `i${n}`,
  ...more,
});
type Progress = RaftStatus['progress'][number];
const going = (match: number, more: Partial<Progress> = {}) =>
  ({ match, state: 'replicate', active: true, ...more }) as Progress;

function setUp(peers: readonly PeerInfo[], level?: number) {
  const clock = new VirtualClock();
  const changes: MembershipChange[] = [];
  let settle: { resolve(membership: Membership): void; reject(error: Error): void } | undefined;
  const membership = initialMembership(1, peers);
  const caretaker = new Caretaker({
    id: id(1),
    level,
    settings: { ...DEFAULT_SETTINGS, promotionLag_entries: 10, joinExpiry_ms: 1000 },
    clock,
    logger: silentLogger,
    change: (change) => {
      changes.push(change);
      return new Promise((resolve, reject) => {
        settle = { resolve, reject };
      });
    },
  });
  const status = (progress: Record<number, Progress>, joint: readonly NodeId[] = []) =>
    ({ membership: { ...membership, votersOutgoing: joint }, progress, commitIndex: 100 }) as unknown as RaftStatus;
  const fail = async () => {
    settle?.reject(new Error('no'));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, changes, caretaker, status, fail };
}

const learner = peer(4, { learner: true, joining: true });

describe('a learner on its way to a vote', () => {
  it.each([
    ['is promoted when it has caught up', going(90), 1],
    ['waits while it is behind', going(89), 0],
    ['waits while it is sent a snapshot', going(95, { state: 'snapshot' }), 0],
    ['waits while it is not heard', going(100, { active: false }), 0],
  ] as const)('%s', (_what, progress, count) => {
    const { caretaker, changes, status } = setUp([peer(1), learner]);
    caretaker.look(status({ 4: progress }), true);
    expect(changes).toHaveLength(count);
    if (count > 0) expect(changes[0]).toEqual({ kind: 'promote', id: 4 });
  });

  it('is promoted by the leader alone, not while it waits for its own term, nor in a joint state', () => {
    const { caretaker, changes, status } = setUp([peer(1), learner]);
    caretaker.look(status({ 4: going(100) }), false);
    caretaker.look(status({ 4: going(100) }, [id(1)]), true);
    expect(changes).toEqual([]);
  });

  it('is taken out when it is never heard, counted anew by each leader', async () => {
    const { caretaker, changes, status, clock } = setUp([peer(1), learner]);
    const absent = status({ 4: going(0, { active: false, state: 'probe' }) });
    caretaker.look(absent, true);
    await clock.advance(900);
    caretaker.look(absent, false);
    caretaker.look(absent, true);
    await clock.advance(900);
    caretaker.look(absent, true);
    expect(changes).toEqual([]);
    await clock.advance(200);
    caretaker.look(absent, true);
    expect(changes).toEqual([{ kind: 'remove', id: 4 }]);
  });

  it('is left alone when it is to stay one', () => {
    const { caretaker, changes, status } = setUp([peer(1), peer(4, { learner: true })]);
    caretaker.look(status({ 4: going(100) }), true);
    expect(changes).toEqual([]);
  });
});

it('records directories one at a time, tries a failed one again, and none twice', async () => {
  const { caretaker, changes, status, fail } = setUp([
    peer(1),
    { ...peer(2), instance: 'known' },
    ...[3, 4].map((n) => {
      const { instance: _none, ...rest } = peer(n);
      return rest;
    }),
  ]);
  caretaker.heard(id(2), 'other');
  caretaker.heard(id(3), 'x');
  caretaker.heard(id(9), 'no member');
  caretaker.look(status({}), true);
  caretaker.look(status({}), true);
  expect(changes).toEqual([{ kind: 'identify', id: 3, instance: 'x' }]);
  await fail();
  caretaker.look(status({}), true);
  expect(changes).toHaveLength(2);
});

describe('levels', () => {
  const told = (n: number, level: number) => peer(n, { level });

  it('are told by each member, once its leader is known, until the membership says so', async () => {
    const { caretaker, changes, status, fail } = setUp([peer(1), told(2, 2)], 2);
    caretaker.look(status({}), false);
    expect(changes).toEqual([]);
    const led = { ...status({}), leader: id(2) };
    caretaker.look(led, false);
    caretaker.look(led, false);
    expect(changes).toEqual([{ kind: 'tell-level', id: 1, level: 2 }]);
    await fail();
    caretaker.look(led, false);
    expect(changes).toHaveLength(2);
  });

  it.each([
    ['are raised by the leader when all have told enough', [told(1, 2), told(2, 3)], 2],
    ['wait for a member that has not', [told(1, 2), peer(2)], undefined],
    ['wait for a learner too', [told(1, 2), told(2, 2), peer(3, { learner: true })], undefined],
  ] as const)('%s', (_what, peers, level) => {
    const { caretaker, changes, status } = setUp(peers, 2);
    caretaker.look(status({}), true);
    expect(changes).toEqual(level === undefined ? [] : [{ kind: 'raise-level', level }]);
  });
});
