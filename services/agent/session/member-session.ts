/**
 * One session with one member: connects, says hello, keeps the heartbeat, and says when it is over. It never
 * reconnects: `MemberSessions` makes a new one.
 */
import { Metadata } from '@grpc/grpc-js';
import type { ChannelCredentials, ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Part } from '../../../platform/containment.js';
import { NodeServiceClient } from '../../../proto/gen/navarch/node/v1/node.js';
import type { SessionRequest, SessionResponse, Welcome } from '../../../proto/gen/navarch/node/v1/node.js';
import { serverNameOptions } from '../../../sdk/grpc/server-name.js';

export type Upward = NonNullable<SessionRequest['message']>;
export type Downward = NonNullable<SessionResponse['message']>;

const HEARTBEAT_MS = 3_000;
/** A member that answers no heartbeat for so long is taken for dead. */
const SILENCE_MS_MAX = 9_000;

export interface MemberSessionOptions {
  readonly endpoint: string;
  readonly credentials: ChannelCredentials;
  readonly nodeName: string;
  readonly version: string;
  readonly clock: Clock;
  readonly part: Part;
  onReady(welcome: Welcome): void;
  onMessage(message: Downward): void;
  /** Called once; nothing follows. */
  onEnd(why: string): void;
}

type State = { readonly kind: 'connecting' } | { readonly kind: 'ready' } | { readonly kind: 'ended' };

export class MemberSession {
  readonly endpoint: string;
  readonly client: NodeServiceClient;
  readonly #options: MemberSessionOptions;
  readonly #call: ClientDuplexStream<SessionRequest, SessionResponse>;
  readonly #heartbeat: Timer;
  #state: State = { kind: 'connecting' };
  #sequence = 0;
  #heard_ms: number;
  /** Since when the member cannot write; undefined while it can. */
  #muteSince_ms: number | undefined;

  constructor(options: MemberSessionOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
    this.#heard_ms = options.clock.monotonic();
    this.client = new NodeServiceClient(options.endpoint, options.credentials, {
      'grpc.keepalive_time_ms': 5_000,
      'grpc.keepalive_timeout_ms': 3_000,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': 64 << 20,
      'grpc.enable_retries': 0,
      ...serverNameOptions(options.endpoint),
    });
    this.#call = this.client.session(new Metadata());
    const part = options.part.child('session', (error) =>
      this.end(`what came over the session could not be worked on: ${String(error)}`),
    );
    this.#call.on(
      'data',
      part.guard((response: SessionResponse) => this.#receive(response)),
    );
    this.#call.on(
      'error',
      part.guard((error: Error) => this.end(error.message)),
    );
    this.#call.on(
      'end',
      part.guard(() => this.end('the member closed the session')),
    );
    this.#heartbeat = part.clock(options.clock).every(HEARTBEAT_MS, () => this.#beat());
    this.#call.write({
      message: { $case: 'hello', value: { nodeName: options.nodeName, agentVersion: options.version } },
    });
  }

  get ready(): boolean {
    return this.#state.kind === 'ready';
  }

  /** How long the member has been unable to write: it lacks a quorum, another may have one. */
  get mute_ms(): number {
    return this.#muteSince_ms === undefined ? 0 : this.#options.clock.monotonic() - this.#muteSince_ms;
  }

  send(message: Upward): void {
    if (this.#state.kind !== 'ended') this.#call.write({ message });
  }

  /** A heartbeat now, besides those of the clock. */
  beat(): void {
    this.send({ $case: 'heartbeat', value: { sequence: ++this.#sequence } });
  }

  end(why: string): void {
    if (this.#state.kind === 'ended') return;
    this.#state = { kind: 'ended' };
    this.#heartbeat.cancel();
    this.#call.cancel();
    this.client.close();
    this.#options.onEnd(why);
  }

  #beat(): void {
    if (this.#options.clock.monotonic() - this.#heard_ms > SILENCE_MS_MAX) this.end('the member does not answer');
    else this.beat();
  }

  #receive(response: SessionResponse): void {
    const { message } = response;
    if (message === undefined || this.#state.kind === 'ended') return;
    this.#heard_ms = this.#options.clock.monotonic();
    if (message.$case === 'welcome') {
      this.#state = { kind: 'ready' };
      this.#options.onReady(message.value);
    } else if (message.$case === 'heartbeatAck') {
      if (message.value.writesWork) this.#muteSince_ms = undefined;
      else this.#muteSince_ms ??= this.#heard_ms;
    } else {
      this.#options.onMessage(message);
    }
  }
}
