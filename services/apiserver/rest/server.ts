/**
 * The socket side of the REST front: TLS, HTTP/1.1, limits, and bytes in and out.
 *
 * HTTP/1.1 and not HTTP/2: Go's and Node's clients take either, watches are as cheap, and a whole class of attacks
 * (rapid resets, CONTINUATION floods, header tables) has nothing to aim at.
 */
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { AddressLimits } from '../../../platform/net/address-count.js';
import { ConnectionGate } from '../../../platform/net/connection-gate.js';
import { HANDSHAKE_MS_MAX, LISTENER_CONTEXT } from '../../../platform/net/tls.js';
import type { Service } from '../../../platform/service.js';
import type { PeerCertificate, TlsMaterial, TlsProvider } from '../ports.js';
import type { RestFront } from './front.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import { plainAnswer } from './raw-answer.js';
import { renderStatus } from './render.js';

const HEADER_BYTES_MAX = 64 * 1024;
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_RECEIVE_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 120_000;
const CONNECTIONS = { total: 20_000, perAddress: 2_000 };
const SHUTDOWN_GRACE_MS = 2000;
/** kube-apiserver compresses answers from this size on. */
const GZIP_BYTES_MIN = 128 * 1024;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

export interface HttpsServerOptions {
  readonly front: RestFront;
  readonly tls: TlsProvider;
  /** 20,000, and 2,000 of one address, when absent. */
  readonly connections?: AddressLimits;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly upgrade: (
    rest: RestRequest,
    connection: { request: IncomingMessage; socket: Duplex; head: Buffer },
  ) => Promise<void>;
}

export class HttpsServer implements Service {
  readonly name = 'rest';
  readonly #options: HttpsServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #gate: ConnectionGate;
  #stopListening: (() => void) | undefined;

  constructor(options: HttpsServerOptions) {
    this.#options = options;
    this.#gate = new ConnectionGate(options.connections ?? CONNECTIONS);
    this.#server = createServer({
      ...contextOf(options.tls.current()),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_RECEIVE_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
    });
    // Their bytes bound them. Node drops headers beyond a count in silence: one that was dropped may have named whom a
    // proxy speaks for.
    this.#server.maxHeadersCount = 0;
    this.#server.prependListener('connection', (socket: Socket) => {
      if (this.#gate.admit(socket)) this.#track(socket);
    });
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#options.logger.info(
        { code: error.code, remote: (socket as Socket).remoteAddress },
        'a connection carried no HTTP; closed it',
      );
      if (socket.writable) socket.end(refusalOf(error));
      else socket.destroy();
    });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** Where it listens; the port is the real one when 0 was asked for. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null
      ? { host: address.address, port: address.port }
      : { host: this.#options.host, port: this.#options.port };
  }

  /** Rejects when the address cannot be had (EADDRINUSE, EACCES). */
  async start(): Promise<void> {
    this.#stopListening = this.#options.tls.onChange(() =>
      this.#server.setSecureContext(contextOf(this.#options.tls.current())),
    );
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
    this.#server.on('error', (error) =>
      this.#options.logger.error({ error: String(error) }, 'the REST listener failed'),
    );
  }

  async stop(): Promise<void> {
    this.#stopListening?.();
    this.#options.front.close();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = this.#options.clock.after(SHUTDOWN_GRACE_MS, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    timer.cancel();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Sockets that were upgraded are no longer the server's to close: they are kept here. */
  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    outgoing.on('error', () => outgoing.destroy());
    const gone = new AbortController();
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) gone.abort(new Error('the client has gone'));
    });
    try {
      const request = toRequest(incoming, gone.signal);
      const response = await this.#options.front.handle(request);
      if (!incoming.complete) {
        // The rest of a refused body is not worth reading.
        response.headers['connection'] = 'close';
      }
      await send(incoming, outgoing, response);
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'an answer could not be sent');
      outgoing.destroy();
    }
  }

  async #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    socket.on('error', () => socket.destroy());
    socket.once('close', () => gone.abort(new Error('the client has gone')));
    await this.#options.upgrade(toRequest(incoming, gone.signal), { request: incoming, socket, head });
  }
}

/** A whole answer as it stands on the wire, for sockets that have no ServerResponse. */
function contextOf(material: TlsMaterial) {
  return { ...LISTENER_CONTEXT, cert: material.certificate, key: material.key, ca: material.clientCa };
}

const certificates = new WeakMap<object, PeerCertificate | null>();

/** Looked up once for each connection. */
function certificateOf(socket: TLSSocket): PeerCertificate | undefined {
  let known = certificates.get(socket);
  if (known === undefined) {
    const certificate = socket.getPeerX509Certificate?.();
    known = certificate === undefined ? null : { der: certificate.raw, verified: socket.authorized };
    certificates.set(socket, known);
  }
  return known ?? undefined;
}

/** Of impersonation each line is one value, which may hold commas and, as Go reads it, UTF-8. */
function headersOf(incoming: IncomingMessage): RestRequest['headers'] {
  const names = Object.keys(incoming.headers).filter((name) => name.startsWith('impersonate-'));
  if (names.length === 0) return incoming.headers;
  const lines = names.map(
    (name) => [name, incoming.headersDistinct[name]?.map((value) => Buffer.from(value, 'latin1').toString())] as const,
  );
  return { ...incoming.headers, ...Object.fromEntries(lines) };
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): RestRequest {
  return {
    method: incoming.method ?? 'GET',
    url: incoming.url ?? '/',
    headers: headersOf(incoming),
    signal,
    peerCertificate: certificateOf(incoming.socket as TLSSocket),
    remoteAddress: incoming.socket.remoteAddress,
    body: (limit_bytes) => readBody(incoming, limit_bytes),
  };
}

async function readBody(incoming: IncomingMessage, limit_bytes: number): Promise<Uint8Array> {
  const tooLarge = () => apiErrors.requestEntityTooLarge(`limit is ${limit_bytes}`);
  const encoding = headerOf({ headers: incoming.headers }, 'content-encoding').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity' && encoding !== 'gzip')
    throw apiErrors.unsupportedMediaType(`content-encoding ${JSON.stringify(encoding.slice(0, 32))} is not accepted`);
  if (Number(incoming.headers['content-length'] ?? 0) > limit_bytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit_bytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ApiError ? error : apiErrors.badRequest('the body could not be read to its end');
  }
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  return encoding === 'gzip' ? decompressed(bytes, limit_bytes) : bytes;
}

/** What it grows to is capped while it grows: a small body may stand for a large one. */
async function decompressed(bytes: Uint8Array, limit_bytes: number): Promise<Uint8Array> {
  try {
    return await decompress(bytes, { maxOutputLength: limit_bytes });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw apiErrors.requestEntityTooLarge(`limit is ${limit_bytes}`);
    throw apiErrors.badRequest('the body is not the gzip its content-encoding says');
  }
}

async function send(incoming: IncomingMessage, outgoing: ServerResponse, response: RestResponse): Promise<void> {
  const { body } = response;
  const headers = response.headers as Record<string, string | string[]>;
  if (!(body instanceof Uint8Array)) {
    outgoing.writeHead(response.status, headers);
    outgoing.flushHeaders();
    await sendStream(outgoing, body);
    return;
  }
  let bytes = body;
  if (bytes.length >= GZIP_BYTES_MIN && /\bgzip\b/.test(headerOf({ headers: incoming.headers }, 'accept-encoding'))) {
    bytes = await compress(bytes, { level: constants.Z_BEST_SPEED });
    headers['content-encoding'] = 'gzip';
    headers['vary'] = 'Accept-Encoding, Accept';
  }
  const withoutContent = response.status === 204 || response.status === 304;
  if (!withoutContent) headers['content-length'] = String(bytes.length);
  outgoing.writeHead(response.status, headers);
  if (incoming.method === 'HEAD' || withoutContent) outgoing.end();
  else await sendWhole(outgoing, bytes);
}

/** Of a large answer no more is encrypted at a time: others have their turn before the next part. */
const WRITE_BYTES = 1024 * 1024;

/**
 * The last byte goes when the socket has taken all others. A client that has everything may send its next request
 * before Node has noted that the answer is written; Node then pauses the parser for a slow reader, fails at the next
 * part of that request with HPE_PAUSED, and the connection is lost.
 */
async function sendWhole(outgoing: ServerResponse, bytes: Uint8Array): Promise<void> {
  if (bytes.length < outgoing.writableHighWaterMark / 2) {
    outgoing.end(bytes);
    return;
  }
  for (let at = 0; at < bytes.length - 1 && !outgoing.destroyed; at += WRITE_BYTES) {
    if (!outgoing.write(bytes.subarray(at, Math.min(at + WRITE_BYTES, bytes.length - 1))) && !outgoing.destroyed)
      await drained(outgoing);
  }
  outgoing.end(bytes.subarray(-1));
}

/** Iterates to the end even when the client has gone: the stream learns that by its own signal, and cleans up. */
async function sendStream(outgoing: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (outgoing.destroyed) break;
    if (!outgoing.write(chunk) && !outgoing.destroyed) {
      await drained(outgoing);
    }
  }
  outgoing.end();
}

/** Resolves when more may be written, or nothing any more. */
async function drained(outgoing: ServerResponse): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([once(outgoing, 'drain', { signal }), once(outgoing, 'close', { signal })]);
  } catch {
    outgoing.destroy();
  } finally {
    settled.abort();
  }
}

/** What cannot be parsed is answered in the form of every other refusal, so that a client can say what was wrong. */
function refusalOf(error: NodeJS.ErrnoException): Buffer {
  const [code, refusal] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, apiErrors.badRequest('the headers of the request are too large')]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, apiErrors.timeout('the request did not arrive in time')]
        : [400, apiErrors.badRequest(`the request is not valid HTTP: ${error.code ?? error.message}`)];
  return plainAnswer(code, renderStatus({ ...refusal.status, code }));
}
