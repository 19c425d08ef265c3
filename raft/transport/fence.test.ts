/** Whom a member lets in: TRAPS "reset or wiped member splits the cluster", "restart with an old disk". */
import { describe, expect, it } from 'vitest';
import type { NodeId, PeerInfo } from '../contract.js';
import { Fence } from './fence.js';
import { finalRefusal, readGreeting, refusalMetadata, writeGreeting } from './greeting.js';
import type { Greeting } from './greeting.js';
import type { PeerMessage } from './transport.js';

const id = (n: number) => n as NodeId;
const peer = (n: number, instance?: string): PeerInfo => ({
  id: id(n),
  name: `m${n}`,
  peerAddress: '',
  clientAddresses: [],
  learner: false,
  ...(instance === undefined ? {} : { instance }),
});
const greeting = (changes: Partial<Greeting> = {}): Greeting => ({
  clusterId: 'c',
  member: id(2),
  target: id(1),
  instance: 'two',
  targetInstance: undefined,
  position: { term: 3, index: 10 },
  ...changes,
});
const control = { withPosition: true };

function fence(peers: readonly PeerInfo[] = [peer(1), peer(2, 'two')], removed: readonly NodeId[] = []): Fence {
  const made = new Fence({ clusterId: 'c', self: id(1), instance: 'one' });
  made.update(peers, removed);
  return made;
}

const answer = (term: number, index: number, changes: Partial<PeerMessage> = {}) =>
  ({ type: 'app-resp', from: 2, to: 1, term, index, reject: false, entries: [], ...changes }) as unknown as PeerMessage;

describe('a caller', () => {
  it('is let in with the directory that is recorded', () => {
    expect(fence().admit(greeting(), control)).toEqual({ kind: 'member', id: 2 });
  });

  it.each([
    ['of another cluster', greeting({ clusterId: 'd' }), 'wrong-cluster'],
    ['that looks for somebody else', greeting({ target: id(3) }), 'wrong-member'],
    ['with our own id', greeting({ member: id(1) }), 'wrong-member'],
    ['without an id', greeting({ member: Number.NaN as NodeId }), 'wrong-member'],
    ['with another directory', greeting({ instance: 'new' }), 'fenced'],
    ['that shows none', greeting({ instance: undefined }), 'fenced'],
  ] as const)('%s is refused', (_what, from, code) => {
    expect(fence().admit(from, control)).toMatchObject({ kind: 'refused', code });
  });

  it('that was removed is refused, and told what to do', () => {
    const verdict = fence([peer(1)], [id(2)]).admit(greeting(), control);
    expect(verdict).toMatchObject({ code: 'removed' });
    expect(verdict).toHaveProperty('reason', expect.stringContaining('--join'));
  });

  it('nobody has recorded is known by its first greeting', () => {
    const one = fence([peer(1), peer(2)]);
    expect(one.accepted(greeting())).toBe('two');
    expect(one.admit(greeting({ instance: 'other' }), control)).toMatchObject({ code: 'fenced' });
    expect(one.checkAnswer(greeting({ instance: 'other' }), id(2))).toMatchObject({ code: 'fenced' });
    expect(one.checkAnswer(greeting(), id(2))).toBeUndefined();
  });

  it('that expects another directory of ours tells us that we were replaced', () => {
    expect(fence().checkSelf(greeting({ targetInstance: 'older one' }))).toMatchObject({ code: 'fenced' });
    expect(fence().checkSelf(greeting({ targetInstance: 'one' }))).toBeUndefined();
    expect(fence().checkSelf(greeting())).toBeUndefined();
  });
});

describe('a directory that was put back', () => {
  it.each([
    ['to an older term', answer(4, 2), false],
    ['behind what it acknowledged in this term', answer(3, 11), false],
    ['to where it was', answer(3, 10), true],
    ['by a leader of a newer term, which may shorten a log', answer(2, 50), true],
    ['after a refusal, which promises nothing', answer(5, 99, { reject: true }), true],
    ['after a vote in a newer term', answer(4, 0, { type: 'vote-resp' }), false],
    ['after a pre-vote, which is not written down', answer(9, 0, { type: 'pre-vote-resp' }), true],
  ] as const)('%s', (_what, said, isLetIn) => {
    const one = fence();
    one.heard(said);
    expect(one.admit(greeting(), control).kind).toBe(isLetIn ? 'member' : 'refused');
    expect(one.admit(greeting(), { withPosition: false }).kind).toBe('member');
  });
});

it("greets and refuses in metadata, and reads strangers' metadata as nobody", () => {
  expect(readGreeting(writeGreeting(greeting({ targetInstance: 'one' })))).toEqual(greeting({ targetInstance: 'one' }));
  const empty = readGreeting(refusalMetadata({ kind: 'refused', code: 'removed', reason: '' }));
  expect(empty).toMatchObject({ clusterId: '', instance: undefined, position: undefined });
  expect(fence().admit({ ...empty, clusterId: 'c' }, control)).toMatchObject({ code: 'wrong-member' });
  expect(finalRefusal(refusalMetadata({ kind: 'refused', code: 'fenced', reason: '' }), 'why')).toMatchObject({
    code: 'fenced',
    message: 'why',
  });
  expect(finalRefusal(refusalMetadata({ kind: 'refused', code: 'wrong-cluster', reason: '' }), 'why')).toBeUndefined();
});
