/** The outgoing side to one peer: a connection with a stream for control and one with a stream for bulk. */
import * as grpc from '@grpc/grpc-js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { BulkRequest, ControlRequest, PeerServiceClient } from '../../proto/gen/navarch/raft/v1/peer.js';
import type { NodeId, PeerInfo, RaftError } from '../contract.js';
import { peerService } from './codec.js';
import { clientCredentials } from './credentials.js';
import type { PeerTls } from './credentials.js';
import { finalRefusal } from './greeting.js';
import type { Refusal } from './greeting.js';
import { Lane } from './lane.js';
import { isBulk } from './transport.js';
import type { PeerMessage } from './transport.js';
import { toWire } from './wire.js';

const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 1000;
const CONTROL_LIMITS = { messages_max: 4096, bytes_max: 8 << 20, batchBytes_max: 256 << 10 };
const BULK_LIMITS = { messages_max: 4096, bytes_max: 64 << 20, batchBytes_max: 1 << 20 };

/** Each link has connections of its own; gRPC's reconnects are as patient as ours. */
export const CHANNEL_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': RECONNECT_MS_MIN,
  'grpc.min_reconnect_backoff_ms': RECONNECT_MS_MIN,
  'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 5000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  // A name for the TLS handshake, which does not take addresses; who answers is checked by the greeting.
  'grpc.ssl_target_name_override': 'navarch-peer',
} as const;

export interface LinkOptions {
  readonly self: NodeId;
  readonly tls: PeerTls;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What to say first on a stream, and who judges what is said back. */
  hello(): { readonly metadata: grpc.Metadata; check(answer: grpc.Metadata): Refusal | undefined };
  /** The peer says that this member must not take part any more. */
  onFenced(error: RaftError): void;
  onLost(id: NodeId): void;
  onUndelivered(messages: readonly PeerMessage[]): void;
}

const PeerClient = grpc.makeGenericClientConstructor(
  peerService,
  'navarch.raft.v1.PeerService',
) as unknown as typeof PeerServiceClient;

type Stream = grpc.ClientDuplexStream<ControlRequest | BulkRequest, object>;

interface Connection {
  readonly client: PeerServiceClient;
  readonly stream: Stream;
}

/** One lane with its own connection, kept open for as long as the link lives. */
class LaneLink {
  readonly #options: LinkOptions;
  readonly #peer: PeerInfo;
  readonly #lane: Lane;
  readonly #isControl: boolean;
  #connection: Connection | undefined;
  #isOpen = false;
  #isStopped = false;
  #timer: Timer | undefined;
  #backoff_ms = RECONNECT_MS_MIN;

  constructor(options: LinkOptions, peer: PeerInfo, isControl: boolean) {
    this.#options = options;
    this.#peer = peer;
    this.#isControl = isControl;
    this.#lane = new Lane(isControl ? CONTROL_LIMITS : BULK_LIMITS);
    this.#connect();
  }

  send(messages: readonly PeerMessage[]): readonly PeerMessage[] {
    return this.#lane.send(messages);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#drop();
  }

  #connect(): void {
    const { tls } = this.#options;
    const client = new PeerClient(this.#peer.peerAddress, clientCredentials(tls), CHANNEL_OPTIONS);
    const { metadata, check } = this.#options.hello();
    const stream = (this.#isControl ? client.control(metadata) : client.bulk(metadata)) as Stream;
    this.#connection = { client, stream };
    stream.on('metadata', (reply: grpc.Metadata) => this.#opened(stream, check(reply)));
    stream.on('data', () => undefined);
    stream.on('drain', () => this.#lane.drain());
    stream.on('error', (error: grpc.ServiceError) => this.#broken(stream, error));
    stream.on('end', () => this.#broken(stream, undefined));
  }

  #opened(stream: Stream, refusal: Refusal | undefined): void {
    const { logger, self } = this.#options;
    if (refusal !== undefined) {
      logger.error(
        { peer: this.#peer.id, address: this.#peer.peerAddress, reason: refusal.reason },
        'a peer is not who it should be',
      );
      stream.cancel();
      return;
    }
    this.#isOpen = true;
    this.#backoff_ms = RECONNECT_MS_MIN;
    this.#lane.open({
      send: (messages) => stream.write({ messages: messages.map((message) => toWire(message, self)) }),
    });
  }

  #broken(stream: Stream, error: grpc.ServiceError | undefined): void {
    if (this.#connection?.stream !== stream) return;
    const wasOpen = this.#isOpen;
    this.#drop();
    if (this.#isStopped) return;
    const { clock, logger, onLost } = this.#options;
    const isRefused = error?.code === grpc.status.PERMISSION_DENIED;
    if (isRefused) logger.error({ peer: this.#peer.id, reason: error.details }, 'a peer refuses this member');
    const final = isRefused ? finalRefusal(error.metadata, error.details) : undefined;
    if (final !== undefined) {
      this.#options.onFenced(final);
      return;
    } else logger.debug({ peer: this.#peer.id, reason: error?.details }, 'peer stream broken');
    this.#timer = clock.after(this.#backoff_ms, () => this.#connect());
    this.#backoff_ms = Math.min(this.#backoff_ms * 2, RECONNECT_MS_MAX);
    if (wasOpen) onLost(this.#peer.id);
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#isOpen = false;
    const left = this.#lane.close();
    connection?.stream.cancel();
    connection?.client.close();
    if (left.length > 0) this.#options.onUndelivered(left);
  }
}

export class PeerLink {
  readonly peer: PeerInfo;
  readonly #options: LinkOptions;
  readonly #control: LaneLink;
  readonly #bulk: LaneLink;

  constructor(options: LinkOptions, peer: PeerInfo) {
    this.peer = peer;
    this.#options = options;
    this.#control = new LaneLink(options, peer, true);
    this.#bulk = new LaneLink(options, peer, false);
  }

  send(messages: readonly PeerMessage[]): void {
    const refused = [
      ...this.#control.send(messages.filter((message) => !isBulk(message))),
      ...this.#bulk.send(messages.filter(isBulk)),
    ];
    if (refused.length > 0) this.#options.onUndelivered(refused);
  }

  stop(): void {
    this.#control.stop();
    this.#bulk.stop();
  }
}
