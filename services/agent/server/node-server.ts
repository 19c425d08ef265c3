/**
 * The worker's one listening port (10250): /healthz and /metrics over TLS. Nothing is answered to a client without a
 * certificate of the cluster's authority (the handshake fails), nor to one that is in neither of the groups below
 * (CVE-2025-0426). No request has a body that is read, and none leads to the runtime.
 */
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ConnectionGate } from '../../../platform/net/connection-gate.js';
import { LISTENER_CONTEXT } from '../../../platform/net/tls.js';
import type { Service } from '../../../platform/service.js';

export interface ServingTls {
  /** PEM of the authority that clients' certificates must be from. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface NodeServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: ServingTls;
  /** Undefined: well. Otherwise what is wrong. */
  health(): Promise<string | undefined>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const GROUPS: ReadonlySet<string> = new Set(['system:masters', 'system:monitoring']);
const CONNECTIONS = { total: 64, perAddress: 16 };
const REQUEST_MS_MAX = 10_000;
const IDLE_MS_MAX = 30_000;

/** Whether the verified certificate of a client may read. */
function mayRead(organizations: string | readonly string[] | undefined): boolean {
  return [organizations ?? []].flat().some((group) => GROUPS.has(group));
}

export class NodeServer implements Service {
  readonly name = 'node server';
  readonly #options: NodeServerOptions;
  readonly #server: Server;

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        ...contextOf(options.tls),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: REQUEST_MS_MAX,
        headersTimeout: REQUEST_MS_MAX,
        requestTimeout: REQUEST_MS_MAX,
        keepAliveTimeout: IDLE_MS_MAX,
        maxHeaderSize: 8 << 10,
      },
      (request, response) => void this.#answer(request, response),
    );
    const gate = new ConnectionGate(CONNECTIONS);
    this.#server.prependListener('connection', (socket: Socket) => void gate.admit(socket));
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** The port that is listened on, once started. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** For connections from now on. */
  renew(tls: ServingTls): void {
    this.#server.setSecureContext(contextOf(tls));
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => undefined);
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { code, contentType = 'text/plain; charset=utf-8', text } = await this.#reply(request);
      response
        .writeHead(code, {
          'content-type': contentType,
          'x-content-type-options': 'nosniff',
          'cache-control': 'no-store',
        })
        .end(request.method === 'HEAD' ? '' : text);
    } catch {
      response.writeHead(500).end();
    }
  }

  async #reply(request: IncomingMessage): Promise<{ code: number; contentType?: string; text: string }> {
    const socket = request.socket as TLSSocket;
    const subject: { O?: string | string[] } | undefined = socket.getPeerCertificate().subject;
    if (!socket.authorized || !mayRead(subject?.O))
      return { code: 403, text: 'the certificate is in neither system:masters nor system:monitoring\n' };
    if (request.method !== 'GET' && request.method !== 'HEAD') return { code: 405, text: 'only GET\n' };
    switch (request.url?.split('?')[0]) {
      case '/healthz': {
        const wrong = await this.#options.health();
        return wrong === undefined ? { code: 200, text: 'ok' } : { code: 503, text: `${wrong}\n` };
      }
      case '/metrics':
        return { code: 200, ...(await this.#options.metrics()) };
      default:
        return { code: 404, text: 'there are /healthz and /metrics\n' };
    }
  }
}

function contextOf({ ca, certificate, key }: ServingTls) {
  return { ...LISTENER_CONTEXT, ca, cert: certificate, key };
}
