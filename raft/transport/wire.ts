/** Between the core's messages and protobuf. Fields are checked where they come in. */
import { EntryKind as WireKind, MessageType as WireType } from '../../proto/gen/navarch/raft/v1/peer.js';
import type {
  Entry as WireEntry,
  Message as WireMessage,
  Peer,
  SnapshotMetadata,
} from '../../proto/gen/navarch/raft/v1/peer.js';
import { RaftError } from '../contract.js';
import type { NodeId, PeerInfo } from '../contract.js';
import type { Entry, EntryKind, ProposedEntry } from '../core/types/entry.js';
import type { Snapshot } from '../core/types/state.js';
import type { PeerMessage } from './transport.js';

const TO_WIRE = {
  prop: WireType.MESSAGE_TYPE_PROP,
  app: WireType.MESSAGE_TYPE_APP,
  'app-resp': WireType.MESSAGE_TYPE_APP_RESP,
  vote: WireType.MESSAGE_TYPE_VOTE,
  'vote-resp': WireType.MESSAGE_TYPE_VOTE_RESP,
  'pre-vote': WireType.MESSAGE_TYPE_PRE_VOTE,
  'pre-vote-resp': WireType.MESSAGE_TYPE_PRE_VOTE_RESP,
  snap: WireType.MESSAGE_TYPE_SNAP,
  heartbeat: WireType.MESSAGE_TYPE_HEARTBEAT,
  'heartbeat-resp': WireType.MESSAGE_TYPE_HEARTBEAT_RESP,
  'transfer-leader': WireType.MESSAGE_TYPE_TRANSFER_LEADER,
  'timeout-now': WireType.MESSAGE_TYPE_TIMEOUT_NOW,
  'read-index': WireType.MESSAGE_TYPE_READ_INDEX,
  'read-index-resp': WireType.MESSAGE_TYPE_READ_INDEX_RESP,
  'prop-refused': WireType.MESSAGE_TYPE_PROP_REFUSED,
  ask: WireType.MESSAGE_TYPE_ASK,
  'ask-resp': WireType.MESSAGE_TYPE_ASK_RESP,
} as const satisfies Partial<Record<PeerMessage['type'], WireType>>;

const FROM_WIRE = new Map<WireType, PeerMessage['type']>(
  Object.entries(TO_WIRE).map(([name, wire]) => [wire, name as PeerMessage['type']]),
);
const KINDS: Record<EntryKind, WireKind> = {
  normal: WireKind.ENTRY_KIND_UNSPECIFIED,
  'conf-change': WireKind.ENTRY_KIND_CONF_CHANGE,
  'conf-change-v2': WireKind.ENTRY_KIND_CONF_CHANGE_V2,
};

export function toWire(message: PeerMessage, self: NodeId): WireMessage {
  const type = TO_WIRE[message.type as keyof typeof TO_WIRE];
  if (type === undefined) throw new RaftError('invalid', `message ${message.type} does not travel`);
  return {
    type,
    term: message.term,
    logTerm: message.logTerm,
    index: message.index,
    commit: message.commit,
    reject: message.reject,
    rejectHint: message.rejectHint,
    context: message.context,
    force: message.force,
    entries: message.entries.map(entryToWire),
    snapshot: message.snapshot === undefined ? undefined : snapshotToWire(message.snapshot),
    from: message.from === self ? 0 : message.from,
  };
}

export function fromWire(wire: WireMessage, from: NodeId, to: NodeId): PeerMessage {
  const type = FROM_WIRE.get(wire.type);
  if (type === undefined) throw new RaftError('invalid', `a message of the unknown type ${wire.type}`);
  return {
    type,
    to,
    from: wire.from === 0 ? from : wire.from,
    term: wire.term,
    logTerm: wire.logTerm,
    index: wire.index,
    commit: wire.commit,
    vote: 0,
    reject: wire.reject,
    rejectHint: wire.rejectHint,
    context: wire.context,
    force: wire.force,
    entries: wire.entries.map(entryFromWire),
    snapshot: wire.snapshot === undefined ? undefined : snapshotFromWire(wire.snapshot),
    responses: [],
  };
}

function entryToWire(entry: Entry | ProposedEntry): WireEntry {
  const { data } = entry;
  return {
    term: 'term' in entry ? entry.term : 0,
    index: 'index' in entry ? entry.index : 0,
    kind: KINDS[entry.kind],
    data: Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    proposal: entry.proposal,
  };
}

function entryFromWire(wire: WireEntry): Entry {
  const kind = kindFromWire(wire.kind);
  return { term: wire.term, index: wire.index, kind, data: wire.data, proposal: wire.proposal };
}

function kindFromWire(kind: WireKind): EntryKind {
  switch (kind) {
    case WireKind.ENTRY_KIND_UNSPECIFIED:
      return 'normal';
    case WireKind.ENTRY_KIND_CONF_CHANGE:
      return 'conf-change';
    case WireKind.ENTRY_KIND_CONF_CHANGE_V2:
      return 'conf-change-v2';
    default:
      throw new RaftError('invalid', `an entry of the unknown kind ${String(kind)}`);
  }
}

function snapshotToWire(snapshot: Snapshot): SnapshotMetadata {
  const nodes = (ids: readonly number[]) => ids.map((id) => ({ id }));
  const { confState } = snapshot;
  return {
    index: snapshot.index,
    term: snapshot.term,
    voters: nodes(confState.voters),
    votersOutgoing: nodes(confState.votersOutgoing),
    learners: nodes(confState.learners),
    learnersNext: nodes(confState.learnersNext),
    autoLeave: confState.autoLeave,
  };
}

function snapshotFromWire(wire: SnapshotMetadata): Snapshot {
  const ids = (nodes: readonly { id: number }[]) => nodes.map(({ id }) => id);
  return {
    index: wire.index,
    term: wire.term,
    confState: {
      voters: ids(wire.voters),
      votersOutgoing: ids(wire.votersOutgoing),
      learners: ids(wire.learners),
      learnersNext: ids(wire.learnersNext),
      autoLeave: wire.autoLeave,
    },
  };
}

export function peerToWire(peer: PeerInfo): Peer {
  return {
    ...peer,
    clientAddresses: [...peer.clientAddresses],
    joining: peer.joining ?? false,
    instance: peer.instance ?? '',
    level: peer.level ?? 0,
  };
}

export function peerFromWire(peer: Peer): PeerInfo {
  const { joining, instance, level, ...rest } = peer;
  return {
    ...rest,
    id: peer.id as NodeId,
    ...(joining ? { joining } : {}),
    ...(instance === '' ? {} : { instance }),
    ...(level === 0 ? {} : { level }),
  };
}
