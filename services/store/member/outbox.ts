/** Collects frames and posts them as one message a turn of the event loop. */
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../../platform/clock.js';
import { ByteWriter } from '../bytes.js';
import { beginFrame, endFrame } from './frames.js';

/** Posted without waiting for the end of the turn: a flood must not pile up here. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/**
 * A short message costs a third of the time as a string of one character a byte, which V8 copies as it is: to transfer
 * a buffer is dear, however small it is.
 */
const TEXT_BYTES_MAX = 16 * 1024;

/** What `Outbox` posted, as bytes. */
export type PortMessage = string | ArrayBuffer;
export const messageBytes = (message: PortMessage): Uint8Array =>
  typeof message === 'string' ? Buffer.from(message, 'latin1') : new Uint8Array(message);

export class Outbox {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #writer = new ByteWriter(64 * 1024);
  #scheduled = false;
  #closed = false;

  constructor(port: MessagePort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  send(id: number, type: number, write?: (writer: ByteWriter) => void): void {
    if (this.#closed) return;
    const start = beginFrame(this.#writer, id, type);
    try {
      write?.(this.#writer);
    } catch (error) {
      // Half a frame would spoil those after it.
      this.#writer.truncate(start);
      throw error;
    }
    endFrame(this.#writer, start);
    if (this.#writer.length >= MESSAGE_BYTES_MAX) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#clock.immediate(() => this.flush());
    }
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#closed || this.#writer.length === 0) return;
    if (this.#writer.length <= TEXT_BYTES_MAX) {
      this.#port.postMessage(this.#writer.takeLatin1());
      return;
    }
    const message = this.#writer.takeTransferable();
    this.#port.postMessage(message, [message]);
  }

  close(): void {
    this.flush();
    this.#closed = true;
  }
}
