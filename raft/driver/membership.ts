/** Who the members are, with their addresses: the core's configuration and the peers' descriptions, changed together. */
import { Packr } from 'msgpackr';
import { RaftError } from '../contract.js';
import type { LogIndex, Membership, MembershipChange, NodeId, PeerInfo } from '../contract.js';
import type { Change, ConfChange } from '../core/confchange/change.js';
import type { ConfState } from '../core/types.js';
import { NO_DATA } from '../core/types.js';

const packr = new Packr({ useRecords: false });

/** The configuration that a cluster starts with: everybody knows it, nobody had to agree on it. */
export function initialMembership(index: number, peers: readonly PeerInfo[]): Membership {
  const ids = (learner: boolean) => peers.filter((peer) => peer.learner === learner).map(({ id }) => id).sort((a, b) => a - b);
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
  return {
    index: index as LogIndex,
    voters: ids(state.voters),
    votersOutgoing: ids(state.votersOutgoing),
    learners: ids(state.learners),
    learnersNext: ids(state.learnersNext),
    autoLeave: state.autoLeave,
    peers: membership.peers
      .filter((peer) => known.has(peer.id))
      .map((peer) => (peer.learner === learners.has(peer.id) ? peer : { ...peer, learner: learners.has(peer.id) })),
  };
}

/** The core's form of a change; the description of the peer travels as its context. */
export function toConfChange(change: MembershipChange, membership: Membership): ConfChange {
  const known = membership.peers.find(({ id }) => id === ('peer' in change ? change.peer.id : change.id));
  if (change.kind === 'add-learner') {
    if (known !== undefined) throw new RaftError('invalid', `member ${change.peer.id} exists already`);
  } else if (known === undefined) {
    throw new RaftError('invalid', `member ${'peer' in change ? change.peer.id : change.id} does not exist`);
  }
  const single = (kind: Change['kind'], id: NodeId, peer?: PeerInfo): ConfChange => (
    { transition: 'auto', changes: [{ kind, id }], context: peer === undefined ? NO_DATA : packr.pack(peer) }
  );
  switch (change.kind) {
    case 'add-learner':
      return single('add-learner', change.peer.id, { ...change.peer, learner: true });
    case 'promote':
      return single('add-voter', change.id);
    case 'remove':
      return single('remove', change.id);
    case 'update':
      return single('update', change.peer.id, change.peer);
    default:
      change satisfies never;
      throw new RaftError('invalid', 'an unknown kind of membership change');
  }
}

/** Takes in the description that a change carries, if it carries one. */
export function withContext(membership: Membership, change: ConfChange): Membership {
  if (change.context.length === 0) return membership;
  const peer = packr.unpack(change.context) as PeerInfo;
  return { ...membership, peers: [...membership.peers.filter(({ id }) => id !== peer.id), peer] };
}
