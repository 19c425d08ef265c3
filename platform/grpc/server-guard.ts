/**
 * Stands before a gRPC server and bounds what callers can make it hold: connections for each address, streams, and
 * bytes of messages that are not finished; little before authentication. It also refuses certificates that prove
 * nothing, or no longer, on every call. What is let in reaches the server as if nothing stood here.
 */
import type { Server } from '@grpc/grpc-js';
import type { Http2SecureServer, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../clock.js';
import type { Logger } from '../log.js';
import { AddressCount } from '../net/address-count.js';
import { ConnectionGate } from '../net/connection-gate.js';
import { ByteBudget } from './byte-budget.js';
import { checkLimits, GUARD_LIMITS, type GuardLimits } from './limits.js';
import { SessionGuard, type SessionShared } from './session-guard.js';

export interface ServerGuardOptions {
  /** Whether the value of an `authorization` header is good. */
  readonly authenticates: (authorization: string) => Promise<boolean>;
  /** The largest message that the server takes. */
  readonly message_bytes_max: number;
  /** GUARD_LIMITS when absent. */
  readonly limits?: GuardLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

const SWEEP_MS = 5_000;

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

export class ServerGuard {
  readonly #options: ServerGuardOptions;
  readonly #shared: SessionShared;
  readonly #gate: ConnectionGate;
  readonly #anonymous: AddressCount;
  readonly #sessions = new Map<ServerHttp2Session, SessionGuard>();
  #streams = 0;
  #sweeper: Timer | undefined;

  constructor(options: ServerGuardOptions) {
    const { limits = GUARD_LIMITS, clock } = options;
    checkLimits(limits, options.message_bytes_max);
    this.#options = options;
    this.#gate = new ConnectionGate(limits.connections);
    this.#anonymous = new AddressCount(limits.anonymous.connections);
    this.#shared = {
      limits,
      clock,
      budget: new ByteBudget(limits.unfinished_bytes),
      authenticates: options.authenticates,
      enter: () => this.#enter(),
      leave: () => void this.#streams--,
    };
  }

  /** Bytes of unfinished requests that are held now. */
  get unfinished_bytes(): number {
    return this.#shared.budget.total;
  }

  /** Call in the callback of `bindAsync`: no connection has been taken by then. */
  guard(server: Server): void {
    for (const listener of http2ServersOf(server)) this.#guardListener(listener);
    this.#sweeper = this.#options.clock.every(SWEEP_MS, () => this.#sweep());
  }

  stop(): void {
    this.#sweeper?.cancel();
  }

  #guardListener(listener: Http2SecureServer): void {
    listener.prependListener('connection', (socket: Socket) => void this.#gate.admit(socket));
    listener.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    const handlers = listener.listeners('stream') as StreamListener[];
    listener.removeAllListeners('stream');
    listener.prependListener('session', (session: ServerHttp2Session) => this.#begin(session));
    listener.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => {
      const guard = stream.session === undefined ? undefined : this.#sessions.get(stream.session as ServerHttp2Session);
      if (guard === undefined) stream.destroy();
      else
        guard.take(stream, headers, (admitted) =>
          this.#contained(admitted, () =>
            handlers.forEach((handler) => handler.call(listener, admitted, headers, flags)),
          ),
        );
    });
  }

  #begin(session: ServerHttp2Session): void {
    session.on('error', () => undefined);
    const guard = new SessionGuard(session, this.#shared);
    if (!guard.isIdentified) {
      const leave = this.#anonymous.enter(session.socket.remoteAddress ?? '');
      if (leave === undefined) {
        session.destroy();
        return;
      }
      guard.onIdentified(leave);
      session.once('close', leave);
    }
    this.#sessions.set(session, guard);
    session.once('close', () => this.#sessions.delete(session));
  }

  /** A handler that throws at once would end the process: the stream may have been closed by its client meanwhile. */
  #contained(stream: ServerHttp2Stream, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'a call could not be begun');
      stream.destroy();
    }
  }

  #enter(): boolean {
    if (this.#streams >= this.#shared.limits.streams) return false;
    this.#streams++;
    return true;
  }

  #sweep(): void {
    const now_ms = this.#options.clock.monotonic();
    for (const guard of this.#sessions.values()) guard.sweep(now_ms);
  }
}

/**
 * The HTTP/2 servers of a gRPC server that is bound. grpc-js has no public way to them: where its insides look
 * different, the server must not start unguarded.
 */
export function http2ServersOf(server: Server): readonly Http2SecureServer[] {
  const { http2Servers } = server as unknown as { readonly http2Servers?: unknown };
  const found = http2Servers instanceof Map ? [...(http2Servers as Map<Http2SecureServer, unknown>).keys()] : [];
  if (found.length === 0)
    throw new Error(
      'this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere: the guard of the gRPC port must be adapted to it',
    );
  return found;
}
