/**
 * Channels over WebSocket: frames whose first byte is a channel (v5, v4 and the older channel.k8s.io, binary or
 * base64). v5 adds `0xFF n`: the client has closed channel n (KEP-4006). Owns the socket and its channels.
 */
import type { WebSocket } from 'ws';
import type { Clock } from '../../../../platform/clock.js';
import type { Channel } from '../channels.js';
import { Inbox, ReadBudget } from '../inbox.js';
import { HEARTBEAT_MS } from '../limits.js';

export const V5 = 'v5.channel.k8s.io';
const BASE64 = new Set(['v4.base64.channel.k8s.io', 'base64.channel.k8s.io']);
const CLOSE_SIGNAL = 0xff;
const ASCII_ZERO = 0x30;
/** Bytes waiting in the client's socket before the container's output is held back. */
const BACKLOG_BYTES_MAX = 256 * 1024;

const toBuffer = (data: Buffer | ArrayBuffer | Buffer[]): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);

export class WebSocketConnection {
  readonly #socket: WebSocket;
  readonly #base64: boolean;
  readonly #halfClose: boolean;
  readonly #budget: ReadBudget;
  readonly #inboxes = new Map<number, Inbox>();
  readonly #gone = new AbortController();

  constructor(socket: WebSocket, protocol: string, clock: Clock) {
    this.#socket = socket;
    this.#base64 = BASE64.has(protocol);
    this.#halfClose = protocol === V5;
    this.#budget = new ReadBudget(socket);
    // A carrier that is held back does not see its client leave: writing does.
    const heartbeat = clock.every(HEARTBEAT_MS, () => socket.ping());
    socket.on('message', (data: Buffer | ArrayBuffer | Buffer[]) => this.#receive(toBuffer(data)));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      heartbeat.cancel();
      this.#over();
    });
  }

  /** Aborts when the client is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Frames to a channel that nobody has asked for are dropped. */
  channel(number: number): Channel {
    const inbox = new Inbox({ budget: this.#budget });
    this.#inboxes.set(number, inbox);
    return {
      write: (data) => this.#send(number, data),
      end: () => undefined,
      cancel: () => inbox.cancel(),
      [Symbol.asyncIterator]: () => inbox,
    };
  }

  /** Says goodbye; what still comes is dropped. */
  close(): void {
    for (const inbox of this.#inboxes.values()) inbox.cancel();
    this.#socket.close(1000);
  }

  #send(channel: number, data: Uint8Array): Promise<void> {
    const frame = this.#base64
      ? `${channel}${Buffer.from(data).toString('base64')}`
      : Buffer.concat([Buffer.of(channel), data]);
    return new Promise((resolve, reject) => {
      const slow = this.#socket.bufferedAmount > BACKLOG_BYTES_MAX;
      this.#socket.send(frame, (error) => {
        if (error !== undefined && error !== null) reject(error);
        else if (slow) resolve();
      });
      if (!slow) resolve();
    });
  }

  #receive(frame: Buffer): void {
    const [first] = frame;
    if (first === undefined) return;
    if (first === CLOSE_SIGNAL && this.#halfClose) {
      const closed = frame[1];
      if (closed !== undefined) this.#inboxes.get(closed)?.end();
      return;
    }
    const data = frame.subarray(1);
    if (this.#base64) this.#inboxes.get(first - ASCII_ZERO)?.push(Buffer.from(data.toString('latin1'), 'base64'));
    else this.#inboxes.get(first)?.push(data);
  }

  #over(): void {
    const error = new Error('the client has gone');
    for (const inbox of this.#inboxes.values()) inbox.fail(error);
    this.#gone.abort(error);
  }
}
