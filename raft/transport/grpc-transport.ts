/** The transport between processes: one server for what comes in, one link per peer for what goes out. */
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import { PeerServiceService } from '../../proto/gen/navarch/raft/v1/peer.js';
import type {
  BulkRequest, BulkResponse, ControlRequest, ControlResponse, PeerServiceServer, SnapshotRequest, SnapshotResponse,
} from '../../proto/gen/navarch/raft/v1/peer.js';
import { RaftError } from '../contract.js';
import type { NodeId, PeerInfo, SnapshotReader } from '../contract.js';
import { serverCredentials } from './credentials.js';
import type { PeerTls } from './credentials.js';
import { callerOf, greeting } from './greeting.js';
import { PeerLink } from './peer-link.js';
import { receiveSnapshot, streamSnapshot } from './snapshot-stream.js';
import type { PeerMessage, Transport, TransportHandler } from './transport.js';
import { fromWire } from './wire.js';

export interface GrpcTransportOptions {
  readonly clusterId: string;
  readonly self: NodeId;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Incoming =
  | grpc.ServerDuplexStream<ControlRequest, ControlResponse>
  | grpc.ServerDuplexStream<BulkRequest, BulkResponse>;

export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  readonly #server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1, 'grpc.keepalive_time_ms': 5000 });
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #snapshots = new Set<AbortController>();
  #handler: TransportHandler | undefined;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler;
    const { listen, tls } = this.#options;
    const service: PeerServiceServer = {
      control: (call) => this.#accept(call, true),
      bulk: (call) => this.#accept(call, false),
      snapshot: (call, callback) => this.#acceptSnapshot(call, callback),
    };
    this.#server.addService(PeerServiceService, service);
    const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`${host}:${listen.port}`, serverCredentials(tls), (error) => {
        if (error === null) resolve();
        else reject(new RaftError('invalid', `cannot listen for peers on ${host}:${listen.port}: ${error.message}`));
      });
    });
  }

  setPeers(peers: readonly PeerInfo[]): void {
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
    const { clusterId, self, tls } = this.#options;
    const abort = new AbortController();
    this.#snapshots.add(abort);
    try {
      const target = { address: peer.peerAddress, tls, metadata: greeting(clusterId, self, peer.id), signal: abort.signal };
      await streamSnapshot(target, { message, self, peers, reader });
    } finally {
      this.#snapshots.delete(abort);
    }
  }

  stop(): Promise<void> {
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
    for (const abort of this.#snapshots) abort.abort();
    this.#server.forceShutdown();
    return Promise.resolve();
  }

  #link(peer: PeerInfo): PeerLink {
    const { clusterId, self, tls, clock, logger } = this.#options;
    return new PeerLink({
      clusterId, self, tls, clock, logger,
      onLost: (id) => this.#handler?.onPeerLost(id),
      onUndelivered: (messages) => this.#undelivered(messages),
    }, peer);
  }

  /** In a turn of its own: senders are not called back while they send. */
  #undelivered(messages: readonly PeerMessage[]): void {
    this.#options.clock.immediate(() => this.#handler?.onUndelivered(messages));
  }

  #accept(call: Incoming, isControl: boolean): void {
    const { clusterId, self, logger } = this.#options;
    const caller = callerOf(call.metadata, clusterId, self);
    call.on('error', () => undefined);
    if (caller.kind === 'refused') {
      logger.warn({ reason: caller.reason, peer: call.getPeer() }, 'refused a peer');
      call.destroy(Object.assign(new Error(caller.reason), { code: grpc.status.PERMISSION_DENIED }));
      return;
    }
    const { id } = caller;
    call.sendMetadata(greeting(clusterId, self, id));
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      call.end();
      if (isControl) this.#handler?.onPeerLost(id);
    };
    call.on('data', (request: ControlRequest | BulkRequest) => this.#received(call, request, id));
    call.on('end', over);
    call.on('cancelled', over);
    call.on('close', over);
  }

  #received(call: Incoming, request: ControlRequest | BulkRequest, from: NodeId): void {
    let messages: PeerMessage[];
    try {
      messages = request.messages.map((message) => fromWire(message, from, this.#options.self));
    } catch (error) {
      this.#options.logger.error({ from, error: String(error) }, 'a peer sent what this version does not know');
      call.destroy(Object.assign(new Error(String(error)), { code: grpc.status.INVALID_ARGUMENT }));
      return;
    }
    this.#handler?.onMessages(messages);
  }

  #acceptSnapshot(call: grpc.ServerReadableStream<SnapshotRequest, SnapshotResponse>, callback: grpc.sendUnaryData<SnapshotResponse>): void {
    const { clusterId, self } = this.#options;
    const caller = callerOf(call.metadata, clusterId, self);
    const handler = this.#handler;
    if (caller.kind === 'refused' || handler === undefined) {
      const details = caller.kind === 'refused' ? caller.reason : 'not started';
      callback({ code: grpc.status.PERMISSION_DENIED, details });
      return;
    }
    receiveSnapshot(call, caller.id, self)
      .then((snapshot) => handler.onSnapshot(snapshot))
      .then(() => callback(null, {}), (error: unknown) => {
        callback({ code: grpc.status.ABORTED, details: error instanceof Error ? error.message : String(error) });
      });
  }
}

