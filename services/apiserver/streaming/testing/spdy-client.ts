/** For tests: a client that speaks SPDY/3.1 over any socket, frame by frame. */
import { once } from 'node:events';
import { request as startRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { encodeFrame, type Frame } from '../spdy/frames.js';
import { HeaderEncoder } from '../spdy/headers.js';
import { FrameParser } from '../spdy/parser.js';

export class SpdyTestClient {
  readonly frames: Frame[] = [];
  readonly #write: (bytes: Buffer) => void;
  readonly #encoder = new HeaderEncoder();
  readonly #parser = new FrameParser();

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  receive(bytes: Buffer): void {
    this.#parser.push(bytes);
    for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) this.frames.push(frame);
  }

  send(frame: Frame): void {
    this.#write(encodeFrame(frame, this.#encoder));
  }

  open(stream: number, headers: Readonly<Record<string, string>>): void {
    this.send({
      kind: 'syn-stream',
      stream,
      associated: 0,
      priority: 0,
      fin: false,
      unidirectional: false,
      headers: new Map(Object.entries(headers)),
    });
  }

  data(stream: number, text: string, fin = false): void {
    this.send({ kind: 'data', stream, fin, data: Buffer.from(text) });
  }

  textOf(stream: number): string {
    return this.frames
      .map((frame) => (frame.kind === 'data' && frame.stream === stream ? frame.data.toString() : ''))
      .join('');
  }

  /** Whether the server has sent its last on this stream. */
  ended(stream: number): boolean {
    return this.frames.some((frame) => frame.kind === 'data' && frame.stream === stream && frame.fin);
  }
}

export type Dialled =
  | { readonly kind: 'refused'; readonly code: number; readonly body: string }
  | { readonly kind: 'upgraded'; readonly protocol: string; readonly socket: Duplex; readonly client: SpdyTestClient };

export async function dialSpdy(port: number, protocols: readonly string[], upgrade = 'SPDY/3.1'): Promise<Dialled> {
  const headers = {
    connection: 'Upgrade',
    upgrade,
    ...(protocols.length === 0 ? {} : { 'x-stream-protocol-version': [...protocols] }),
  };
  const request = startRequest({ host: '127.0.0.1', port, method: 'POST', path: '/', headers, agent: false });
  request.end();
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString()));
      void once(response, 'end').then(() => resolve({ kind: 'refused', code: response.statusCode ?? 0, body }));
    });
    request.on('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
      const client = new SpdyTestClient((bytes) => socket.write(bytes));
      client.receive(head);
      socket.on('data', (data: Buffer) => client.receive(data));
      socket.on('error', () => socket.destroy());
      resolve({ kind: 'upgraded', protocol: String(response.headers['x-stream-protocol-version']), socket, client });
    });
  });
}
