/**
 * The client's side of SPDY/3.1 over an upgraded connection, as far as exec and attach need it: streams of our making,
 * data, half-close. Unlike the WebSocket protocols of the runtime's streaming server it can say that input has ended.
 * What the far end says in headers is not read: streams are told apart by their ids. Streaming servers keep no windows
 * (they are built on spdystream): the connection's own backpressure bounds what waits.
 */
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import type { Clock } from '../../../../platform/clock.js';
import { SPDY_DICTIONARY } from './spdy-dictionary.js';

const VERSION = 0x8003;
const SYN_STREAM = 1;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FLAG_FIN = 1;
const HEADER_BYTES = 8;
const FRAME_BYTES_MAX = 1 << 20;
/** Data is cut into frames of this size, so that control frames get between. */
const CHUNK_BYTES = 32 << 10;
/** A far end that takes its time over its input, or does not echo, is sent more after this. */
const ECHO_MS_MAX = 1_000;

export interface SpdyHandler {
  /** Resolves when more may come. */
  data(stream: number, bytes: Buffer): Promise<void>;
  /** The far end sends nothing more on this stream. */
  end(stream: number): void;
  /** The connection is over; `error` when it broke. Called once. */
  close(error?: Error): void;
}

export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #handler: SpdyHandler;
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  readonly #compressed: Buffer[] = [];
  #buffer: Buffer;
  #nextStream = 1;
  #nextPing = 1;
  readonly #echoes = new Map<number, () => void>();
  #busy = false;
  #closed = false;
  #gone: { readonly error?: Error } | undefined;

  /** `head`: what came with the answer to the upgrade. */
  constructor(
    { socket, head, clock }: { readonly socket: Duplex; readonly head: Buffer; readonly clock: Clock },
    handler: SpdyHandler,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#handler = handler;
    this.#buffer = head;
    this.#deflate.on('data', (chunk: Buffer) => void this.#compressed.push(chunk));
  }

  /** Begins to read: from here on the handler is called. */
  start(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      void this.#parse();
    });
    this.#socket.on('error', (error) => this.#farEnd(error));
    this.#socket.on('close', () => this.#farEnd());
    void this.#parse();
  }

  /** Opens a stream; its id. One at a time: the headers of a connection are one compressed stream. */
  async open(headers: Readonly<Record<string, string>>): Promise<number> {
    const id = this.#nextStream;
    this.#nextStream += 2;
    const block = await this.#compress(headerBlock(headers));
    const fixed = Buffer.alloc(10);
    fixed.writeUInt32BE(id);
    this.#control(SYN_STREAM, Buffer.concat([fixed, block]));
    return id;
  }

  /** Resolves when more may be written. */
  async write(stream: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      if (this.#closed || this.#gone !== undefined) return;
      if (!this.#frame(stream, 0, bytes.subarray(at, at + CHUNK_BYTES))) await this.#drained();
      await this.#echoed();
    }
  }

  /** Half-closes: the far end reads the end of its input. */
  end(stream: number): void {
    this.#frame(stream, FLAG_FIN, Buffer.alloc(0));
  }

  close(): void {
    this.#over();
  }

  /** What was received before the end is still handed over. */
  #farEnd(error?: Error): void {
    this.#gone ??= error === undefined ? {} : { error };
    if (!this.#busy) this.#over(this.#gone.error);
  }

  #over(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deflate.close();
    for (const done of [...this.#echoes.values()]) done();
    this.#socket.destroy();
    this.#handler.close(error);
  }

  #frame(stream: number, flags: number, bytes: Uint8Array): boolean {
    if (this.#closed) return true;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(stream);
    header.writeUInt32BE(flags * 2 ** 24 + bytes.length, 4);
    return this.#socket.write(Buffer.concat([header, bytes]));
  }

  #control(type: number, payload: Buffer): void {
    if (this.#closed) return;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt16BE(VERSION);
    header.writeUInt16BE(type, 2);
    header.writeUInt32BE(payload.length, 4);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  /**
   * Waits until the far end has taken what was sent. A command may end while its input is under way, and its connection
   * with it: a write that fails destroys the socket here, and with it the outcome that has arrived and is not read yet.
   * So nothing is written ahead.
   */
  #echoed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const id = this.#nextPing;
    this.#nextPing += 2;
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#echoes.delete(id);
        resolve();
      };
      const timer = this.#clock.after(ECHO_MS_MAX, done);
      this.#echoes.set(id, done);
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(id);
      this.#control(PING, payload);
    });
  }

  #ping(payload: Buffer): void {
    const id = payload.readUInt32BE(0);
    if (id % 2 === 0) this.#control(PING, payload);
    else this.#echoes.get(id)?.();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #compress(block: Buffer): Promise<Buffer> {
    if (this.#closed) return Promise.resolve(Buffer.alloc(0));
    return new Promise((resolve) => {
      const done = () => {
        this.#deflate.off('close', done);
        resolve(Buffer.concat(this.#compressed.splice(0)));
      };
      this.#deflate.on('close', done);
      this.#deflate.write(block);
      this.#deflate.flush(constants.Z_SYNC_FLUSH, done);
    });
  }

  /** Frame by frame; the socket rests while a frame's receiver does. */
  async #parse(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#socket.pause();
    try {
      while (this.#buffer.length >= HEADER_BYTES && !this.#closed) {
        const length = this.#buffer.readUIntBE(5, 3);
        if (length > FRAME_BYTES_MAX) throw new Error('a SPDY frame is too large');
        if (this.#buffer.length < HEADER_BYTES + length) break;
        const frame = this.#buffer.subarray(0, HEADER_BYTES + length);
        this.#buffer = this.#buffer.subarray(HEADER_BYTES + length);
        await this.#take(frame);
      }
    } catch (error) {
      this.#over(error as Error);
    } finally {
      this.#busy = false;
      if (this.#gone !== undefined) this.#over(this.#gone.error);
      if (!this.#closed) this.#socket.resume();
    }
  }

  async #take(frame: Buffer): Promise<void> {
    const payload = frame.subarray(HEADER_BYTES);
    const isControl = ((frame[0] ?? 0) & 0x80) !== 0;
    if (!isControl) {
      const stream = frame.readUInt32BE(0);
      if (payload.length > 0) await this.#handler.data(stream, payload);
      if (((frame[4] ?? 0) & FLAG_FIN) !== 0) this.#handler.end(stream);
      return;
    }
    switch (frame.readUInt16BE(2)) {
      case PING:
        return this.#ping(payload);
      case RST_STREAM:
        return this.#handler.end(payload.readUInt32BE(0));
      case GOAWAY:
        return this.#over();
      default:
        return undefined;
    }
  }
}

function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const entries = Object.entries(headers);
  const text = (value: string) => [number(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([
    number(entries.length),
    ...entries.flatMap(([name, value]) => [...text(name), ...text(value)]),
  ]);
}
