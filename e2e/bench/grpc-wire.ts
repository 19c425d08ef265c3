/**
 * gRPC at its barest, over node:http2: the load generators must cost less than what they measure. One connection, unary
 * calls and bidirectional streams, messages as bytes. Calls that fail reject with the gRPC status.
 */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

export interface ClientTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE } = constants;
const PREFIX_BYTES = 5;

/** Flag 0, length in 4 bytes, message. */
export function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

/** Cuts a stream of chunks into messages. */
export class Deframer {
  #rest: Buffer = Buffer.alloc(0);

  take(chunk: Buffer, onMessage: (message: Buffer) => void): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= PREFIX_BYTES) {
      const end = PREFIX_BYTES + data.readUInt32BE(1);
      if (data.length < end) break;
      onMessage(data.subarray(PREFIX_BYTES, end));
      data = data.subarray(end);
    }
    this.#rest = data;
  }
}

export class Connection {
  readonly #session: ClientHttp2Session;
  #closed = false;

  /** `endpoint`: host:port. Without `tls` in clear text. */
  constructor(endpoint: string, tls?: ClientTls) {
    this.#session = connect(`${tls === undefined ? 'http' : 'https'}://${endpoint}`, {
      ...tls,
      settings: { initialWindowSize: 1 << 20 },
    });
    this.#session.on('error', () => this.close());
    this.#session.on('close', () => (this.#closed = true));
  }

  get closed(): boolean {
    return this.#closed || this.#session.destroyed;
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#session.once('connect', () => resolve());
      this.#session.once('error', reject);
      this.#session.once('close', () => reject(new Error('the connection was closed')));
    });
  }

  /** `framed`: as `frame` made it. Calls back with an error, or with the answer's message (without its prefix). */
  unary(path: string, framed: Buffer, done: (error: Error | undefined, message: Buffer) => void): void {
    let stream: ClientHttp2Stream;
    try {
      stream = this.open(path);
    } catch (error) {
      done(error as Error, EMPTY);
      return;
    }
    let data: Buffer = EMPTY;
    let status = '';
    const onHeaders = (headers: Record<string, unknown>) => {
      const found = headers['grpc-status'];
      if (typeof found === 'string') status = found === '0' ? found : `${found} ${String(headers['grpc-message'])}`;
    };
    stream.on('response', onHeaders);
    stream.on('trailers', onHeaders);
    stream.on('data', (chunk: Buffer) => (data = data.length === 0 ? chunk : Buffer.concat([data, chunk])));
    stream.on('error', () => undefined);
    stream.on('close', () =>
      done(status === '0' ? undefined : new Error(`${path}: ${status || 'cut off'}`), data.subarray(PREFIX_BYTES)),
    );
    stream.end(framed);
  }

  call(path: string, message: Uint8Array, timeout_ms?: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const timer =
        timeout_ms === undefined ? undefined : setTimeout(() => reject(new Error(`${path}: no answer`)), timeout_ms);
      this.unary(path, frame(message), (error, answer) => {
        clearTimeout(timer);
        if (error === undefined) resolve(answer);
        else reject(error);
      });
    });
  }

  open(path: string): ClientHttp2Stream {
    return this.#session.request({
      [HTTP2_HEADER_METHOD]: 'POST',
      [HTTP2_HEADER_PATH]: path,
      [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [HTTP2_HEADER_TE]: 'trailers',
    });
  }

  close(): void {
    this.#closed = true;
    this.#session.destroy();
  }
}

const EMPTY = Buffer.alloc(0);
