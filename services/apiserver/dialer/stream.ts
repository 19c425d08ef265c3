/** A worker's stream as a duplex stream of bytes, with backpressure in both directions. */
import { Duplex } from 'node:stream';
import type { PodStream, PodStreamOutput } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock, Timer } from '../../../platform/clock.js';

/** Frames stay well below gRPC's largest message. */
const FRAME_BYTES_MAX = 256 << 10;

export interface StreamOptions {
  /** Without a byte in either direction the stream is destroyed after so long, or up to half of it later. */
  readonly idle_ms: number;
  readonly clock: Clock;
}

export class StreamDuplex extends Duplex {
  readonly #stream: PodStream;
  readonly #output: AsyncIterator<PodStreamOutput>;
  readonly #clock: Clock;
  readonly #idle: Timer;
  #active_ms: number;
  #ended = false;

  constructor(stream: PodStream, { idle_ms, clock }: StreamOptions) {
    // The worker ends its stream in both directions.
    super({ allowHalfOpen: false });
    this.#stream = stream;
    this.#output = stream[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#active_ms = clock.monotonic();
    this.#idle = clock.every(idle_ms / 2, () => {
      if (clock.monotonic() - this.#active_ms >= idle_ms)
        this.destroy(apiErrors.timeout(`no byte has passed for ${idle_ms} ms`));
    });
  }

  override _read(): void {
    this.#next().catch((error: unknown) => this.destroy(error as Error));
  }

  /** Reads on until there are bytes or the end. */
  async #next(): Promise<void> {
    for (;;) {
      const next = await this.#output.next();
      if (next.done === true) {
        this.#ended = true;
        this.push(null);
        return;
      }
      const { value } = next;
      if (value.kind === 'exit' || value.data.length === 0) continue;
      this.#active_ms = this.#clock.monotonic();
      this.push(value.data);
      return;
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send(chunk).then(
      () => callback(),
      (error: unknown) => callback(error as Error),
    );
  }

  async #send(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length && !this.destroyed; at += FRAME_BYTES_MAX) {
      if (this.#ended) throw apiErrors.serviceUnavailable('the far end has closed the connection');
      await this.#stream.write({ kind: 'stdin', data: chunk.subarray(at, at + FRAME_BYTES_MAX) });
      this.#active_ms = this.#clock.monotonic();
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#ended) callback();
    else
      this.#stream.write({ kind: 'stdin-end' }).then(
        () => callback(),
        (error: unknown) => callback(error as Error),
      );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#idle.cancel();
    this.#stream.close();
    callback(error);
  }
}
