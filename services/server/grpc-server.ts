/** The gRPC port of a member: etcd's API, the SDK's objects, workers and the cluster service share one listener. */
import {
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import { GUARD_LIMITS } from '../../platform/grpc/limits.js';
import { http2ServersOf, ServerGuard } from '../../platform/grpc/server-guard.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import type { HttpAnswer, HttpRequest } from '../store/etcd/http.js';
import { ClientHttp } from './client-http.js';

export interface GrpcEndpoint {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface GrpcServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  readonly endpoints: readonly GrpcEndpoint[];
  /**
   * Whether the value of an `authorization` header is good: until then a caller without a certificate may send little.
   */
  readonly authenticates: (authorization: string) => Promise<boolean>;
  /** Answers what comes over HTTP/1.1 on the same port. */
  readonly http?: (request: HttpRequest) => Promise<HttpAnswer>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An object may be 1.5 MiB and a snapshot chunk is smaller; what is larger is nobody's honest request. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const STOP_MS = 2_000;

export class GrpcServer implements Service {
  readonly name = 'grpc';
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #guard: ServerGuard;
  readonly #http: ClientHttp | undefined;
  #port = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#server = new Server({
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': -1,
      // The guard allows more to callers that have shown who they are.
      'grpc.max_concurrent_streams': GUARD_LIMITS.anonymous.streams,
      // Workers and watches are silent for long: find dead peers, and allow clients to do the same.
      'grpc.keepalive_time_ms': 5_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.http2.min_ping_interval_without_data_ms': 1_000,
    });
    for (const { definition, implementation } of options.endpoints) this.#server.addService(definition, implementation);
    const { authenticates, clock, logger } = options;
    this.#http = options.http === undefined ? undefined : new ClientHttp(options.http, clock);
    this.#guard = new ServerGuard({ authenticates, message_bytes_max: MESSAGE_BYTES_MAX, clock, logger });
  }

  /** The port that was bound, where 0 was asked for. */
  get port(): number {
    return this.#port;
  }

  /** Rejects with the system's error (EADDRINUSE and its like), as node's own servers do. */
  async start(): Promise<void> {
    const { host, port, credentials } = this.#options;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, bound) => {
        if (error !== null) {
          reject(withCode(error, host, port));
          return;
        }
        try {
          for (const listener of http2ServersOf(this.#server)) this.#http?.attach(listener);
          this.#guard.guard(this.#server);
          resolve(bound);
        } catch (failure) {
          this.#server.forceShutdown();
          reject(failure as Error);
        }
      });
    });
  }

  stop(): Promise<void> {
    this.#guard.stop();
    this.#http?.stop();
    return new Promise((resolve) => {
      const force = this.#options.clock.after(STOP_MS, () => this.#server.forceShutdown());
      this.#server.tryShutdown(() => {
        force.cancel();
        resolve();
      });
    });
  }
}

/** grpc-js reports a port in use as text. */
function withCode(error: Error, host: string, port: number): Error {
  const code = /\b(EADDRINUSE|EADDRNOTAVAIL|EACCES)\b/.exec(error.message)?.[1];
  return code === undefined
    ? error
    : Object.assign(new Error(error.message), { code, address: host, port, syscall: 'listen' });
}
