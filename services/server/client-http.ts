/**
 * Plain HTTP on the gRPC port: load balancers and etcd's tools ask there. Connections that ALPN does not lead to HTTP/2
 * are handed to a small HTTP/1.1 server behind the listener; streams of HTTP/2 that are not gRPC are answered in place
 * of gRPC's refusal. Whatever guards the listener guards them too.
 */
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { Http2SecureServer, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../platform/clock.js';
import type { EtcdIdentity } from '../store/etcd/index.js';
import type { HttpAnswer, HttpRequest } from '../store/etcd/http.js';

const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 15_000,
  maxHeaderSize: 8 * 1024,
  connectionsCheckingInterval: 5_000,
} as const;
/** In the order of preference, each after its length (RFC 7301). */
const ALPN = Buffer.from('\x02h2\x08http/1.1', 'latin1');

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

export class ClientHttp {
  readonly #answer: (request: HttpRequest) => Promise<HttpAnswer>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #server: HttpServer;

  constructor(answer: (request: HttpRequest) => Promise<HttpAnswer>, clock: Pick<Clock, 'now'>) {
    this.#answer = answer;
    this.#clock = clock;
    this.#server = createServer({ ...LIMITS }, (request, response) => void this.#serve(request, response));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Before the listener has taken a connection. */
  attach(listener: Http2SecureServer): void {
    // Node takes the list from the listener at each connection, and offers no way to change it afterwards.
    (listener as unknown as { ALPNProtocols: Buffer }).ALPNProtocols = ALPN;
    const handlers = listener.listeners('stream') as StreamListener[];
    listener.removeAllListeners('stream');
    listener.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => {
      if (headers['content-type']?.startsWith('application/grpc') === true)
        for (const handler of handlers) handler.call(listener, stream, headers, flags);
      else void this.#serveStream(stream, headers);
    });
    listener.on('unknownProtocol', (socket: TLSSocket) => {
      if (socket.alpnProtocol === false || socket.alpnProtocol === 'http/1.1') this.#server.emit('connection', socket);
      else socket.destroy();
    });
  }

  stop(): void {
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Nothing is sent here: a body is not waited for.
    request.resume();
    const { status, headers, body } = await this.#respond({
      method: request.method ?? '',
      url: request.url ?? '/',
      identity: this.#identityOf(request.socket as TLSSocket),
    });
    response.writeHead(status, headers);
    response.end(body);
  }

  async #serveStream(
    stream: ServerHttp2Stream,
    { ':method': method = '', ':path': url = '/' }: IncomingHttpHeaders,
  ): Promise<void> {
    stream.on('error', () => undefined);
    stream.resume();
    const socket = stream.session?.socket as TLSSocket | undefined;
    const { status, headers, body } = await this.#respond({
      method,
      url,
      identity: socket === undefined ? undefined : this.#identityOf(socket),
    });
    if (stream.closed || stream.destroyed) return;
    stream.respond({ ':status': status, ...headers });
    stream.end(body);
  }

  async #respond(
    request: HttpRequest,
  ): Promise<{ status: number; headers: Record<string, string | number>; body: string | undefined }> {
    const { status, type, body } = await this.#answer(request).catch((error: unknown): HttpAnswer => ({
      status: 500,
      type: 'text/plain; charset=utf-8',
      body: `${(error as Error).message}\n`,
    }));
    const headers = {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'x-content-type-options': 'nosniff',
    };
    return { status, headers, body: request.method === 'HEAD' ? undefined : body };
  }

  /** Looked at for each request: a certificate may expire while its connection is open. */
  #identityOf(socket: TLSSocket): EtcdIdentity | undefined {
    if (!socket.authorized) return undefined;
    const { subject, valid_to } = socket.getPeerCertificate();
    const { CN = '', O = [] } = subject as { CN?: string | string[]; O?: string | string[] };
    if (!(this.#clock.now() < Date.parse(valid_to))) return undefined;
    return { name: [CN].flat()[0] ?? '', roles: [O].flat() };
  }
}
