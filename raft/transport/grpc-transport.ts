/** The transport between processes: one server for what comes in, one link per peer for what goes out. */
import * as grpc from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../platform/clock.js';
import { http2ServersOf } from '../../platform/grpc/server-guard.js';
import { answeringUnreadable } from '../../platform/grpc/unreadable.js';
import type { Logger } from '../../platform/log.js';
import { ConnectionGate } from '../../platform/net/connection-gate.js';
import type {
  BulkRequest,
  BulkResponse,
  ControlRequest,
  ControlResponse,
  PeerServiceServer,
  SnapshotRequest,
  SnapshotResponse,
} from '../../proto/gen/navarch/raft/v1/peer.js';
import { RaftError } from '../contract.js';
import type { NodeId, PeerInfo, SnapshotReader } from '../contract.js';
import { peerService } from './codec.js';
import { serverCredentials } from './credentials.js';
import type { PeerTls } from './credentials.js';
import { Fence } from './fence.js';
import { readGreeting, refusalMetadata, writeGreeting } from './greeting.js';
import type { Greeting, Position, Refusal } from './greeting.js';
import { PeerLink } from './peer-link.js';
import type { PromiseBook } from './promise-book.js';
import { receiveSnapshot, streamSnapshot } from './snapshot-stream.js';
import type { PeerMessage, Transport, TransportHandler } from './transport.js';
import { fromWire } from './wire.js';

export interface GrpcTransportOptions {
  readonly clusterId: string;
  readonly self: NodeId;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
  /** The data directory's own name, shown to peers. */
  readonly instance?: string;
  /** How far the durable log reaches, shown to peers. */
  readonly position?: () => Position;
  /** Keeps what peers were heard to have on disk. */
  readonly book?: PromiseBook;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Incoming =
  | grpc.ServerDuplexStream<ControlRequest, ControlResponse>
  | grpc.ServerDuplexStream<BulkRequest, BulkResponse>;

export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  readonly #server = new grpc.Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': 5000,
  });
  readonly #fence: Fence;
  readonly #incoming = new Set<{ readonly id: NodeId; readonly call: Incoming }>();
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #snapshots = new Set<AbortController>();
  #handler: TransportHandler | undefined;
  #bookkeeping: Timer | undefined;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.#fence = new Fence({
      clusterId: options.clusterId,
      self: options.self,
      instance: options.instance,
      positions: options.book?.read() ?? [],
    });
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler;
    const { listen, tls } = this.#options;
    const service: PeerServiceServer = {
      control: (call) => this.#accept(call, true),
      bulk: (call) => this.#accept(call, false),
      snapshot: (call, callback) => this.#acceptSnapshot(call, callback),
    };
    const { definition, implementation } = answeringUnreadable({
      definition: peerService,
      implementation: { ...service },
    });
    this.#server.addService(definition, implementation);
    const { book, clock } = this.#options;
    if (book !== undefined)
      this.#bookkeeping = clock.every(BOOKKEEPING_MS, () => void book.write(this.#fence.positions));
    const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`${host}:${listen.port}`, serverCredentials(tls), (error) => {
        if (error === null) resolve(this.#limitConnections());
        else reject(new RaftError('invalid', `cannot listen for peers on ${host}:${listen.port}: ${error.message}`));
      });
    });
  }

  /** Who has no certificate of the peers is kept out by TLS; this bounds how many may try at a time. */
  #limitConnections(): void {
    const gate = new ConnectionGate(CONNECTIONS);
    for (const listener of http2ServersOf(this.#server))
      listener.prependListener('connection', (socket: Socket) => void gate.admit(socket));
  }

  setPeers(peers: readonly PeerInfo[], removed: readonly NodeId[] = []): void {
    this.#fence.update(peers, removed);
    this.#dropRemoved();
    const wanted = new Map(peers.filter(({ id }) => id !== this.#options.self).map((peer) => [peer.id, peer]));
    for (const [id, link] of this.#links) {
      if (wanted.get(id)?.peerAddress === link.peer.peerAddress) continue;
      link.stop();
      this.#links.delete(id);
    }
    for (const [id, peer] of wanted) {
      if (!this.#links.has(id)) this.#links.set(id, this.#link(peer));
    }
  }

  send(messages: readonly PeerMessage[]): void {
    const byPeer = new Map<number, PeerMessage[]>();
    for (const message of messages) {
      const batch = byPeer.get(message.to);
      if (batch === undefined) byPeer.set(message.to, [message]);
      else batch.push(message);
    }
    for (const [to, batch] of byPeer) {
      const link = this.#links.get(to as NodeId);
      if (link === undefined) this.#undelivered(batch);
      else link.send(batch);
    }
  }

  async sendSnapshot(message: PeerMessage, peers: readonly PeerInfo[], reader: SnapshotReader): Promise<void> {
    const peer = this.#links.get(message.to as NodeId)?.peer;
    if (peer === undefined) throw new RaftError('invalid', `member ${message.to} is not known here`);
    const { self, tls } = this.#options;
    const abort = new AbortController();
    this.#snapshots.add(abort);
    try {
      const target = { address: peer.peerAddress, tls, metadata: this.#greeting(peer.id), signal: abort.signal };
      await streamSnapshot(target, { message, self, peers, reader });
    } finally {
      this.#snapshots.delete(abort);
    }
  }

  async stop(): Promise<void> {
    this.#bookkeeping?.cancel();
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
    for (const abort of this.#snapshots) abort.abort();
    this.#server.forceShutdown();
    await this.#options.book?.write(this.#fence.positions);
  }

  #link(peer: PeerInfo): PeerLink {
    const { self, tls, clock, logger } = this.#options;
    return new PeerLink(
      {
        self,
        tls,
        clock,
        logger,
        hello: () => {
          // What it had promised before the call: what it answers in between may overtake its greeting.
          const known = this.#fence.positionOf(peer.id);
          return { metadata: this.#greeting(peer.id), check: (answer) => this.#checkAnswer(answer, peer.id, known) };
        },
        onFenced: (error) => this.#handler?.onFenced?.(error),
        onLost: (id) => this.#handler?.onPeerLost(id),
        onUndelivered: (messages) => this.#undelivered(messages),
      },
      peer,
    );
  }

  /** In a turn of its own: senders are not called back while they send. */
  #undelivered(messages: readonly PeerMessage[]): void {
    this.#options.clock.immediate(() => this.#handler?.onUndelivered(messages));
  }

  #greeting(target: NodeId): grpc.Metadata {
    const { clusterId, self, instance, position } = this.#options;
    return writeGreeting({
      clusterId,
      member: self,
      target,
      instance,
      targetInstance: this.#fence.recordedInstance(target),
      position: position?.(),
    });
  }

  /** The answer of whom we called; undefined: it is the one. */
  #checkAnswer(metadata: grpc.Metadata, id: NodeId, known: Position | undefined): Refusal | undefined {
    const answer = readGreeting(metadata);
    const refusal = this.#fence.checkAnswer(answer, id, known);
    if (refusal === undefined) this.#accepted(answer);
    return refusal;
  }

  #accepted(greeting: Greeting): void {
    const unrecorded = this.#fence.accepted(greeting);
    if (unrecorded !== undefined) this.#handler?.onInstance?.(greeting.member, unrecorded);
  }

  /** Judges a caller; one that is refused is told why, and so is whoever reads our log. */
  #admit(
    metadata: grpc.Metadata,
    options: { readonly withPosition: boolean; readonly address: string },
  ): NodeId | Refusal {
    const greeting = readGreeting(metadata);
    const verdict = this.#fence.admit(greeting, options);
    if (verdict.kind === 'refused') {
      this.#options.logger.error({ reason: verdict.reason, address: options.address }, 'refused a peer');
      return verdict;
    }
    const ownFault = this.#fence.checkSelf(greeting);
    if (ownFault !== undefined) {
      this.#options.clock.immediate(() => this.#handler?.onFenced?.(new RaftError('fenced', ownFault.reason)));
      // The fault is ours, not the caller's.
      return { ...ownFault, code: 'wrong-member' };
    }
    this.#accepted(greeting);
    return verdict.id;
  }

  #accept(call: Incoming, isControl: boolean): void {
    call.on('error', () => undefined);
    const id = this.#admit(call.metadata, { withPosition: isControl, address: call.getPeer() });
    if (typeof id === 'object') {
      refuse(call, id);
      return;
    }
    call.sendMetadata(this.#greeting(id));
    const entry = { id, call };
    this.#incoming.add(entry);
    const over = () => {
      if (!this.#incoming.delete(entry)) return;
      call.end();
      if (isControl) this.#handler?.onPeerLost(id);
    };
    call.on('data', (request: ControlRequest | BulkRequest) => this.#received(call, request, id));
    call.on('end', over);
    call.on('cancelled', over);
    call.on('close', over);
  }

  /** Former members are told so; nobody else would. */
  #dropRemoved(): void {
    for (const entry of this.#incoming) {
      const refusal = this.#fence.removal(entry.id);
      if (refusal === undefined) continue;
      this.#incoming.delete(entry);
      refuse(entry.call, refusal);
    }
  }

  #received(call: Incoming, request: ControlRequest | BulkRequest, from: NodeId): void {
    let messages: PeerMessage[];
    try {
      messages = request.messages.map((message) => fromWire(message, from, this.#options.self));
    } catch (error) {
      this.#options.logger.error({ from, error: String(error) }, 'a peer sent what this version does not know');
      call.emit('error', Object.assign(new Error(String(error)), { code: grpc.status.INVALID_ARGUMENT }));
      return;
    }
    for (const message of messages) this.#fence.heard(message);
    this.#handler?.onMessages(messages);
  }

  #acceptSnapshot(
    call: grpc.ServerReadableStream<SnapshotRequest, SnapshotResponse>,
    callback: grpc.sendUnaryData<SnapshotResponse>,
  ): void {
    const { self } = this.#options;
    const handler = this.#handler;
    const id = this.#admit(call.metadata, { withPosition: false, address: call.getPeer() });
    if (typeof id === 'object' || handler === undefined) {
      callback(typeof id === 'object' ? refusalStatus(id) : { code: grpc.status.UNAVAILABLE, details: 'not started' });
      return;
    }
    receiveSnapshot(call, id, self)
      .then((snapshot) => handler.onSnapshot(snapshot))
      .then(
        () => callback(null, {}),
        (error: unknown) => {
          callback({ code: grpc.status.ABORTED, details: error instanceof Error ? error.message : String(error) });
        },
      );
  }
}

const BOOKKEEPING_MS = 1000;
/** A peer opens three connections at most; on loopback all have one address. */
const CONNECTIONS = { total: 256, perAddress: 64 };

/** A batch is at most a few MiB, but one entry may be as large as the uncommitted-size cap lets it be. */
const MESSAGE_BYTES_MAX = 256 << 20;

const refusalStatus = (refusal: Refusal) => ({
  code: grpc.status.PERMISSION_DENIED,
  details: refusal.reason,
  metadata: refusalMetadata(refusal),
});

function refuse(call: Incoming, refusal: Refusal): void {
  // Not destroy(): that would end the stream without a status.
  call.emit('error', Object.assign(new Error(refusal.reason), refusalStatus(refusal)));
}
