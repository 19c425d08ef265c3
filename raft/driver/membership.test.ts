/** One place that stores membership, changed the same way on every member (etcd #19557, #20967). */
import { describe, expect, it } from 'vitest';
import type { Membership, NodeId, PeerInfo } from '../contract.js';
import { decodeConfChange, encodeConfChange } from '../core/confchange/change.js';
import { confStateOf, initialMembership, toConfChange, withConfState, withContext } from './membership.js';

const id = (n: number) => n as NodeId;
const peer = (n: number, more: Partial<PeerInfo> = {}): PeerInfo => ({
  id: id(n),
  name: `m${n}`,
  peerAddress: `h${n}:1`,
  clientAddresses: [],
  learner: false,
  ...more,
});
const three = initialMembership(1, [peer(1), peer(2), peer(3)]);

/** As it travels through the log, with the configuration that the core would make of it. */
function apply(
  membership: Membership,
  change: Parameters<typeof toConfChange>[0],
  state: Partial<ReturnType<typeof confStateOf>> = {},
): Membership {
  const told = decodeConfChange(encodeConfChange(toConfChange(change, membership)));
  return withConfState(withContext(membership, told), { ...confStateOf(membership), ...state }, membership.index + 1);
}

describe('a recorded data directory', () => {
  it('stays, whoever says otherwise later', () => {
    const first = apply(three, { kind: 'identify', id: id(2), instance: 'x' });
    const second = apply(first, { kind: 'identify', id: id(2), instance: 'y' });
    const moved = apply(second, { kind: 'update', peer: peer(2, { peerAddress: 'elsewhere:1', instance: 'z' }) });
    expect(moved.peers.map(({ instance }) => instance)).toEqual([undefined, 'x', undefined]);
    expect(moved.peers[1]?.peerAddress).toBe('elsewhere:1');
  });

  it('is kept by an update that does not mention it', () => {
    const known = apply(three, { kind: 'identify', id: id(1), instance: 'x' });
    expect(apply(known, { kind: 'update', peer: peer(1, { name: 'new' }) }).peers[0]).toEqual(
      peer(1, { name: 'new', instance: 'x' }),
    );
  });
});

describe('a membership', () => {
  it('remembers who was removed, once, and takes nobody back', () => {
    const less = apply(three, { kind: 'remove', id: id(3) }, { voters: [1, 2] });
    expect([less.removed, less.peers.map((one) => one.id)]).toEqual([[3], [1, 2]]);
    expect(apply(less, { kind: 'remove', id: id(2) }, { voters: [1] }).removed).toEqual([3, 2]);
    expect(() => toConfChange({ kind: 'add-learner', peer: peer(3) }, less)).toThrow(
      expect.objectContaining({ code: 'removed' }) as Error,
    );
  });

  it('does not count those as removed who leave the votes only', () => {
    expect(apply(three, { kind: 'promote', id: id(3) }, { voters: [1, 2], learners: [3] }).removed).toBeUndefined();
    expect(
      apply(three, { kind: 'promote', id: id(3) }, { voters: [1, 2], votersOutgoing: [1, 2, 3] }).removed,
    ).toBeUndefined();
  });

  it('takes the mark of a newcomer away with its vote, and leaves the beginning without one', () => {
    const more = apply(three, { kind: 'add-learner', peer: peer(4, { joining: true }) }, { learners: [4] });
    expect(more.peers[3]).toEqual(peer(4, { joining: true, learner: true }));
    expect(apply(more, { kind: 'promote', id: id(4) }, { voters: [1, 2, 3, 4], learners: [] }).peers[3]).toEqual(
      peer(4),
    );
    expect(three).not.toHaveProperty('removed');
  });

  it.each([
    [{ kind: 'remove', id: id(9) }, 'does not exist'],
    [{ kind: 'promote', id: id(9) }, 'does not exist'],
    [{ kind: 'identify', id: id(9), instance: 'x' }, 'does not exist'],
    [{ kind: 'add-learner', peer: peer(1) }, 'exists already'],
  ] as const)('refuses %j', (change, reason) => {
    expect(() => toConfChange(change, three)).toThrow(reason);
  });

  it('keeps its last vote', () => {
    expect(() => toConfChange({ kind: 'remove', id: id(1) }, initialMembership(1, [peer(1)]))).toThrow(
      'last one with a vote',
    );
  });
});

describe('the agreed level', () => {
  const told = [1, 2, 3].reduce(
    (membership, n) => apply(membership, { kind: 'tell-level', id: id(n), level: 2 }),
    three,
  );

  it('is raised for those who were asked, and kept over other changes', () => {
    expect(told.peers.map(({ level }) => level)).toEqual([2, 2, 2]);
    const raised = apply(told, { kind: 'raise-level', level: 2 });
    expect([three.level, told.level, raised.level]).toEqual([undefined, undefined, 2]);
    expect(apply(raised, { kind: 'remove', id: id(3) }, { voters: [1, 2] }).level).toBe(2);
    expect(apply(raised, { kind: 'raise-level', level: 1 }).level).toBe(2);
  });

  it('is not raised when somebody came in between, who was not asked', () => {
    const asked = encodeConfChange(toConfChange({ kind: 'raise-level', level: 2 }, told));
    const more = apply(told, { kind: 'add-learner', peer: peer(4) }, { learners: [4] });
    expect(withContext(more, decodeConfChange(asked)).level).toBeUndefined();
    expect(
      withContext(apply(told, { kind: 'remove', id: id(3) }, { voters: [1, 2] }), decodeConfChange(asked)).level,
    ).toBe(2);
  });
});
