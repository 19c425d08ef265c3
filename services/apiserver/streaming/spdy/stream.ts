/** One stream of a SPDY connection, opened by the client: a channel. */
import type { Channel } from '../channels.js';
import { Inbox, type ReadBudget } from '../inbox.js';
import { RST, type Frame } from './frames.js';
import type { Headers } from './headers.js';
import { ReadCredit, type SendWindow } from './window.js';

/** What a stream asks of its connection. */
export interface StreamLink {
  readonly budget: ReadBudget;
  /** At once, without regard to windows: control frames, and the end of a stream. */
  send(frame: Frame): void;
  /**
   * Waits until something may be sent on this stream; resolves with the number of bytes, already taken from the
   * windows. Rejects when the connection is over.
   */
  allowance(wanted: number, stream: SpdyStream): Promise<number>;
  /** Bytes of data that have been read. */
  read(bytes: number): void;
  /** Both ends have sent their last, or one has given up. */
  closed(stream: SpdyStream): void;
}

export class SpdyStream implements Channel {
  readonly id: number;
  readonly headers: Headers;
  readonly window: SendWindow;
  readonly #link: StreamLink;
  readonly #inbox: Inbox;
  readonly #credit = new ReadCredit();
  readonly #gone = new AbortController();
  /** Whether this end, and the client, have sent their last. */
  #ended = false;
  #clientEnded = false;

  constructor(id: number, headers: Headers, parts: { readonly link: StreamLink; readonly window: SendWindow }) {
    this.id = id;
    this.headers = headers;
    this.window = parts.window;
    this.#link = parts.link;
    this.#inbox = new Inbox({ budget: this.#link.budget, onRead: (bytes) => this.#onRead(bytes) });
  }

  /** Aborts when the client has reset the stream or is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The first frame of an answer: clients write nothing before it. */
  accept(): void {
    this.#link.send({ kind: 'syn-reply', stream: this.id, fin: false, headers: new Map() });
  }

  refuse(): void {
    this.reset(RST.refusedStream);
  }

  async write(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length;) {
      this.#mustBeOpen();
      const bytes = await this.#link.allowance(data.length - offset, this);
      this.#mustBeOpen();
      this.#link.send({
        kind: 'data',
        stream: this.id,
        fin: false,
        data: Buffer.from(data.buffer, data.byteOffset + offset, bytes),
      });
      offset += bytes;
    }
  }

  end(): void {
    if (this.#ended || this.gone.aborted) return;
    this.#ended = true;
    this.#link.send({ kind: 'data', stream: this.id, fin: true, data: Buffer.alloc(0) });
    if (this.#clientEnded) this.#link.closed(this);
  }

  cancel(): void {
    this.#inbox.cancel();
  }

  /** Gives the stream up and says so. */
  reset(status: number): void {
    if (this.gone.aborted) return;
    this.#link.send({ kind: 'rst-stream', stream: this.id, status });
    this.fail(new Error('the stream has been reset'));
  }

  /** The client has given the stream up, or is gone. */
  fail(error: Error): void {
    if (this.gone.aborted) return;
    this.#clientEnded = true;
    this.#inbox.fail(error);
    this.#gone.abort(error);
    this.#link.closed(this);
  }

  receive(data: Buffer, fin: boolean): void {
    if (this.#clientEnded) {
      this.#link.read(data.length);
      this.reset(RST.streamAlreadyClosed);
      return;
    }
    this.#inbox.push(data);
    if (!fin) return;
    this.#clientEnded = true;
    this.#inbox.end();
    if (this.#ended) this.#link.closed(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this.#inbox;
  }

  #onRead(bytes: number): void {
    this.#link.read(bytes);
    const delta = this.#credit.add(bytes);
    if (delta > 0 && !this.#clientEnded) this.#link.send({ kind: 'window-update', stream: this.id, delta });
  }

  #mustBeOpen(): void {
    if (this.gone.aborted) throw this.gone.reason as Error;
    if (this.#ended) throw new Error('the stream has ended');
  }
}
