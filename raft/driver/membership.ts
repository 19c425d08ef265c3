/**
 * Who the members are, with their addresses: the core's configuration and the peers' descriptions, changed together.
 */
import { Packr } from 'msgpackr';
import { RaftError } from '../contract.js';
import type { LogIndex, Membership, MembershipChange, NodeId, PeerInfo } from '../contract.js';
import type { Change, ConfChange } from '../core/confchange/change.js';
import type { ConfState } from '../core/types/state.js';
import { agreedLevel } from './levels.js';
import { NO_DATA } from '../core/types/entry.js';

const packr = new Packr({ useRecords: false });

/** The configuration that a cluster starts with: everybody knows it, nobody had to agree on it. */
export function initialMembership(index: number, peers: readonly PeerInfo[]): Membership {
  const ids = (learner: boolean) =>
    peers
      .filter((peer) => peer.learner === learner)
      .map(({ id }) => id)
      .sort((a, b) => a - b);
  return {
    index: index as LogIndex,
    voters: ids(false),
    votersOutgoing: [],
    learners: ids(true),
    learnersNext: [],
    autoLeave: false,
    peers,
  };
}

export const confStateOf = (membership: Membership): ConfState => ({
  voters: membership.voters,
  votersOutgoing: membership.votersOutgoing,
  learners: membership.learners,
  learnersNext: membership.learnersNext,
  autoLeave: membership.autoLeave,
});

export function withConfState(membership: Membership, state: ConfState, index: number): Membership {
  const ids = (list: readonly number[]) => list as readonly NodeId[];
  const learners = new Set([...state.learners, ...state.learnersNext]);
  const known = new Set([...state.voters, ...state.votersOutgoing, ...learners]);
  const gone = idsOf(membership).filter((id) => !known.has(id));
  const removed = [...(membership.removed ?? []).filter((id) => !known.has(id)), ...gone].slice(-REMOVED_MAX);
  const { removed: _before, ...rest } = membership;
  return {
    ...rest,
    index: index as LogIndex,
    voters: ids(state.voters),
    votersOutgoing: ids(state.votersOutgoing),
    learners: ids(state.learners),
    learnersNext: ids(state.learnersNext),
    autoLeave: state.autoLeave,
    peers: membership.peers
      .filter((peer) => known.has(peer.id))
      .map((peer) => withLearner(peer, learners.has(peer.id))),
    ...(removed.length === 0 ? {} : { removed }),
  };
}

/** Beyond so many, the oldest removals are forgotten: nobody keeps a member's disk that long. */
const REMOVED_MAX = 10_000;

const idsOf = (membership: Membership) => [
  ...new Set([...membership.voters, ...membership.votersOutgoing, ...membership.learners, ...membership.learnersNext]),
];

function withLearner(peer: PeerInfo, learner: boolean): PeerInfo {
  if (learner) return peer.learner ? peer : { ...peer, learner };
  const { joining: _arrived, ...rest } = peer;
  return peer.learner || peer.joining !== undefined ? { ...rest, learner } : peer;
}

/** The core's form of a change; the description of the peer travels as its context. */
export function toConfChange(change: MembershipChange, membership: Membership): ConfChange {
  if (change.kind === 'raise-level') return raiseLevel(change.level, membership);
  const known = membership.peers.find(({ id }) => id === ('peer' in change ? change.peer.id : change.id));
  if (change.kind === 'add-learner') {
    if (known !== undefined) throw new RaftError('invalid', `member ${change.peer.id} exists already`);
    if (membership.removed?.includes(change.peer.id) === true) {
      throw new RaftError(
        'removed',
        `member ${change.peer.id} was removed for good; it can join anew under another id`,
      );
    }
  } else if (known === undefined) {
    throw new RaftError('invalid', `member ${'peer' in change ? change.peer.id : change.id} does not exist`);
  }
  const { voters } = membership;
  if (change.kind === 'remove' && voters.length === 1 && voters[0] === change.id) {
    throw new RaftError('invalid', `member ${change.id} is the last one with a vote and cannot be removed`);
  }
  const single = (kind: Change['kind'], id: NodeId, peer?: ToldPeer): ConfChange => ({
    transition: 'auto',
    changes: [{ kind, id }],
    context: peer === undefined ? NO_DATA : packr.pack(peer),
  });
  switch (change.kind) {
    case 'add-learner':
      return single('add-learner', change.peer.id, { ...change.peer, learner: true });
    case 'promote':
      return single('add-voter', change.id);
    case 'remove':
      return single('remove', change.id);
    case 'update':
      return single('update', change.peer.id, change.peer);
    case 'identify':
      return single('update', change.id, { id: change.id, instance: change.instance });
    case 'tell-level':
      return single('update', change.id, { id: change.id, level: change.level });
    default:
      change satisfies never;
      throw new RaftError('invalid', 'an unknown kind of membership change');
  }
}

/** What a change says about a peer; what it does not say stays. */
type ToldPeer = Partial<PeerInfo> & Pick<PeerInfo, 'id'>;

/** What a change says about all of them. */
interface ToldLevel {
  readonly agreed: number;
  /** Who was asked: somebody else may not understand. */
  readonly members: readonly NodeId[];
}

function raiseLevel(level: number, membership: Membership): ConfChange {
  const told: ToldLevel = { agreed: level, members: idsOf(membership) };
  const [id] = membership.voters;
  if (id === undefined) throw new RaftError('invalid', 'a cluster without voters agrees on nothing');
  // To the core, it is an update like any other.
  return { transition: 'auto', changes: [{ kind: 'update', id }], context: packr.pack(told) };
}

function withLevel(membership: Membership, { agreed, members }: ToldLevel): Membership {
  const isForAll = idsOf(membership).every((id) => members.includes(id));
  return isForAll ? { ...membership, level: Math.max(agreed, agreedLevel(membership)) } : membership;
}

/**
 * Takes in the description that a change carries, if it carries one. An instance that is recorded is never replaced.
 */
export function withContext(membership: Membership, change: ConfChange): Membership {
  if (change.context.length === 0) return membership;
  const told = packr.unpack(change.context) as ToldPeer | ToldLevel;
  if ('agreed' in told) return withLevel(membership, told);
  const known = membership.peers.find(({ id }) => id === told.id);
  if (known === undefined) return { ...membership, peers: [...membership.peers, told as PeerInfo] };
  const merged = { ...known, ...told, ...(known.instance === undefined ? {} : { instance: known.instance }) };
  return { ...membership, peers: membership.peers.map((peer) => (peer === known ? merged : peer)) };
}
