/**
 * The server's end of a SPDY/3.1 connection over any duplex stream of bytes. Clients open streams, the server never
 * does. Whatever is broken in what comes ends the connection with a GOAWAY; nothing here throws into the carrier's
 * events.
 */
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../../platform/clock.js';
import { ReadBudget } from '../inbox.js';
import { HEARTBEAT_MS, LINGER_MS } from '../limits.js';
import { SpdyError } from './error.js';
import { encodeFrame, GOAWAY, RST, SETTING_INITIAL_WINDOW, type Frame, type Setting } from './frames.js';
import { HeaderEncoder } from './headers.js';
import { FrameParser } from './parser.js';
import { SpdyStream, type StreamLink } from './stream.js';
import { ReadCredit, SendWindow, WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX } from './window.js';

/** Open at once. */
export const STREAMS_MAX = 1_000;
/** Payload of a data frame we send. */
const DATA_FRAME_BYTES = 32 * 1024;
/**
 * Answers to control frames that wait for a client which asks and does not read; data waits for room before it is sent.
 */
const BACKLOG_BYTES_MAX = 1 << 20;

export interface SpdyConnectionOptions {
  /** The connection's from now on: it ends and destroys it. */
  readonly carrier: Duplex;
  readonly clock: Clock;
  /** Accepts or refuses each stream. Must not throw. */
  readonly onStream: (stream: SpdyStream) => void;
}

export class SpdyConnection {
  readonly #options: SpdyConnectionOptions;
  readonly #parser = new FrameParser();
  readonly #encoder = new HeaderEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #link: StreamLink;
  readonly #gone = new AbortController();
  readonly #heartbeat: Timer;
  readonly #credit = new ReadCredit();
  #window = new SendWindow();
  #streamWindow_bytes = WINDOW_BYTES_INITIAL;
  /** Whether the client keeps windows: of streams, of the connection. */
  #keeps = { streams: false, connection: false };
  #lastStream = 0;
  #closing = false;
  #waiting: (() => void)[] = [];
  #nextPing = 2;

  constructor(options: SpdyConnectionOptions) {
    this.#options = options;
    const { carrier, clock } = options;
    this.#link = {
      budget: new ReadBudget(carrier),
      send: (frame) => this.#send(frame),
      allowance: (wanted, stream) => this.#allowance(wanted, stream),
      read: (bytes) => this.#read(bytes),
      closed: (stream) => this.#forget(stream),
    };
    // A carrier that is held back does not see its client leave: writing does.
    this.#heartbeat = clock.every(HEARTBEAT_MS, () => this.#ping());
    carrier.on('data', (chunk: Buffer) => this.#receive(chunk));
    carrier.on('drain', () => this.#wake());
    carrier.on('error', () => carrier.destroy());
    carrier.on('end', () => carrier.destroy());
    carrier.on('close', () => this.#over());
    if (carrier.destroyed) this.#over();
  }

  /** Aborts when the client is gone, or has broken the protocol. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Says goodbye after what has been sent; what still comes is dropped. */
  close(): void {
    for (const stream of this.#streams.values()) stream.cancel();
    this.#goAway(GOAWAY.ok);
  }

  #goAway(status: number): void {
    if (this.#closing || this.gone.aborted) return;
    this.#send({ kind: 'goaway', lastStream: this.#lastStream, status });
    this.#closing = true;
    const { carrier, clock } = this.#options;
    carrier.end();
    const linger = clock.after(LINGER_MS, () => carrier.destroy());
    carrier.once('close', () => linger.cancel());
  }

  #over(): void {
    if (this.gone.aborted) return;
    const error = new Error('the client has gone');
    this.#heartbeat.cancel();
    this.#gone.abort(error);
    for (const stream of [...this.#streams.values()]) stream.fail(error);
    this.#wake();
  }

  #receive(chunk: Buffer): void {
    if (this.#closing || this.gone.aborted) return;
    try {
      this.#parser.push(chunk);
      for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) this.#handle(frame);
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      this.#goAway(GOAWAY.protocolError);
      this.#over();
    }
  }

  #handle(frame: Frame): void {
    switch (frame.kind) {
      case 'syn-stream':
        return this.#open(frame);
      case 'syn-reply':
        throw new SpdyError('a reply to a stream that the server has not opened');
      case 'data':
        return this.#data(frame.stream, frame.data, frame.fin);
      case 'headers':
        return this.#data(frame.stream, Buffer.alloc(0), frame.fin);
      case 'rst-stream':
        this.#streams.get(frame.stream)?.fail(new Error('the client has reset the stream'));
        return this.#wake();
      case 'settings':
        return this.#settings(frame.settings);
      // Even ids are ours: an answer.
      case 'ping':
        return frame.id % 2 === 1 ? this.#send(frame) : undefined;
      case 'goaway':
        return undefined;
      case 'window-update':
        return this.#grow(frame.stream, frame.delta);
      default:
        throw frame satisfies never;
    }
  }

  #open(frame: Extract<Frame, { kind: 'syn-stream' }>): void {
    const { stream: id, headers, fin, unidirectional } = frame;
    if (id % 2 === 0 || id <= this.#lastStream) throw new SpdyError(`stream ${id} is not a new stream of a client`);
    this.#lastStream = id;
    if (unidirectional || this.#streams.size >= STREAMS_MAX)
      return this.#send({ kind: 'rst-stream', stream: id, status: RST.refusedStream });
    const stream = new SpdyStream(id, headers, { link: this.#link, window: new SendWindow(this.#streamWindow_bytes) });
    this.#streams.set(id, stream);
    if (fin) stream.receive(Buffer.alloc(0), true);
    this.#options.onStream(stream);
  }

  #data(id: number, data: Buffer, fin: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream.receive(data, fin);
    if (id > this.#lastStream || id % 2 === 0) throw new SpdyError(`data on stream ${id}, which has not been opened`);
    // Sent before the client knew that the stream is closed.
    this.#read(data.length);
  }

  #settings(settings: readonly Setting[]): void {
    for (const { id, value } of settings) {
      if (id !== SETTING_INITIAL_WINDOW) continue;
      if (value > WINDOW_BYTES_MAX) throw new SpdyError('an initial window beyond 2^31-1');
      for (const stream of this.#streams.values()) stream.window.grow(value - this.#streamWindow_bytes);
      this.#streamWindow_bytes = value;
      this.#keeps.streams = true;
    }
    this.#wake();
  }

  #grow(id: number, delta: number): void {
    if (id === 0) {
      this.#keeps.connection = true;
      if (!this.#window.grow(delta)) throw new SpdyError("the connection's window grows beyond 2^31-1");
    } else {
      this.#keeps.streams = true;
      const stream = this.#streams.get(id);
      if (stream?.window.grow(delta) === false) stream.reset(RST.flowControlError);
    }
    this.#wake();
  }

  #send(frame: Frame): void {
    const { carrier } = this.#options;
    if (this.#closing || this.gone.aborted || !carrier.writable) return;
    carrier.write(encodeFrame(frame, this.#encoder));
    if (carrier.writableLength > BACKLOG_BYTES_MAX) carrier.destroy();
  }

  async #allowance(wanted: number, stream: SpdyStream): Promise<number> {
    const { carrier } = this.#options;
    for (;;) {
      if (this.#closing || this.gone.aborted) throw new Error('the client has gone');
      // A reset stream's writer has to learn of it, whatever the windows say.
      if (stream.gone.aborted) return 0;
      const room = Math.min(
        this.#keeps.streams ? stream.window.bytes : wanted,
        this.#keeps.connection ? this.#window.bytes : wanted,
        carrier.writableNeedDrain ? 0 : DATA_FRAME_BYTES,
      );
      const bytes = Math.min(wanted, room);
      if (bytes > 0) {
        stream.window.take(bytes);
        this.#window.take(bytes);
        return bytes;
      }
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #read(bytes: number): void {
    const delta = this.#credit.add(bytes);
    if (delta > 0) this.#send({ kind: 'window-update', stream: 0, delta });
  }

  #forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.#wake();
  }

  #ping(): void {
    this.#send({ kind: 'ping', id: this.#nextPing });
    this.#nextPing = this.#nextPing >= WINDOW_BYTES_MAX - 1 ? 2 : this.#nextPing + 2;
  }
}
