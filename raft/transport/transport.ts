/**
 * raft/transport: messages between members. In: messages of the core. Out: the peers' messages, and hints about who is
 * gone. Delivery is at most once, order is kept per peer and lane while a stream lives; the algorithm copes with the
 * rest. It must never block a sender, grow without bound, or let bulk delay a heartbeat.
 */
import type { NodeId, PeerInfo, RaftError, SnapshotReader } from '../contract.js';
import type { Message, MessageType } from '../core/types/message.js';

/**
 * What travels: the core's messages, the refusal of forwarded proposals, whose marks are in `entries`, and questions
 * (driver/questions.ts).
 */
export type PeerMessage = Omit<Message, 'type'> & { readonly type: MessageType | 'prop-refused' | 'ask' | 'ask-resp' };

/** A snapshot that a peer sends. `message` is the core's `snap`, to be stepped once the state is in. */
export interface IncomingSnapshot {
  readonly from: NodeId;
  readonly message: PeerMessage;
  readonly peers: readonly PeerInfo[];
  readonly removed?: readonly NodeId[];
  /** That the members have agreed on. */
  readonly level?: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface TransportHandler {
  onMessages(messages: readonly PeerMessage[]): void;
  /** Rejects when the snapshot could not be taken in; the sender is told. */
  onSnapshot(snapshot: IncomingSnapshot): Promise<void>;
  /** A stream from or to the peer that was open has broken: a hint that it may be dead. */
  onPeerLost(id: NodeId): void;
  /** These never left this process. */
  onUndelivered(messages: readonly PeerMessage[]): void;
  /** A peer was heard whose data directory is not recorded in the membership. */
  onInstance?(id: NodeId, instance: string): void;
  /** The peers do not take this member for who it says it is (`removed`, `fenced`): it must stop. */
  onFenced?(error: RaftError): void;
}

export interface Transport {
  start(handler: TransportHandler): Promise<void>;
  /** Whom to talk to, itself excepted, and whose calls to refuse for good. Addresses may change. */
  setPeers(peers: readonly PeerInfo[], removed?: readonly NodeId[]): void;
  /** Never waits. What cannot be sent or queued is reported as undelivered, in a later turn. */
  send(messages: readonly PeerMessage[]): void;
  /** Streams a snapshot; resolves when the peer has taken it in. */
  sendSnapshot(message: PeerMessage, peers: readonly PeerInfo[], reader: SnapshotReader): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Acknowledgements, votes and heartbeats are small and urgent; entries are bulk. Appends stay in one lane to keep their
 * order.
 */
export function isBulk(message: PeerMessage): boolean {
  return message.type === 'app' || message.type === 'prop';
}
