/**
 * Writes a server stream no faster than the client reads. What waits is bounded by the HTTP/2 window, gRPC's buffer and
 * one batch; a client that takes nothing for a while loses its stream and may resume.
 */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import { apiErrors } from '../../../apimachinery/status.js';

export interface StreamWriterOptions {
  readonly clock: Clock;
  /** A client that takes nothing for so long is closed. */
  readonly stall_ms: number;
  /** Ends what feeds the stream. */
  readonly abort: AbortController;
}

export class StreamWriter<A> {
  readonly #call: ServerWritableStream<unknown, A>;
  readonly #options: StreamWriterOptions;
  #drained: Promise<void> | undefined;

  constructor(call: ServerWritableStream<unknown, A>, options: StreamWriterOptions) {
    this.#call = call;
    this.#options = options;
  }

  /** Resolves when the next message may be written, or when the call has been given up. */
  ready(): Promise<void> {
    return this.#drained ?? Promise.resolve();
  }

  /** Hands the message over now; ask `ready` before the next one. */
  write(message: A): void {
    if (this.#options.abort.signal.aborted || this.#call.write(message)) return;
    this.#drained ??= this.#drain();
  }

  #drain(): Promise<void> {
    const { clock, stall_ms, abort } = this.#options;
    return new Promise((resolve) => {
      const settle = () => {
        timer.cancel();
        this.#call.off('drain', settle);
        abort.signal.removeEventListener('abort', settle);
        this.#drained = undefined;
        resolve();
      };
      const timer = clock.after(stall_ms, () =>
        abort.abort(apiErrors.tooManyRequests('the client reads too slowly; resume from the last version seen', 1)),
      );
      this.#call.on('drain', settle);
      abort.signal.addEventListener('abort', settle, { once: true });
    });
  }
}

export interface BatchOptions<E, A> {
  readonly clock: Clock;
  readonly writer: StreamWriter<A>;
  readonly bytes_max: number;
  sizeOf(event: E): number;
  message(events: E[]): A;
}

/**
 * Gathers the events of one turn of the event loop into one message: under load few large writes, when idle no delay.
 */
export class EventBatcher<E, A> {
  readonly #options: BatchOptions<E, A>;
  #events: E[] = [];
  #bytes = 0;
  #scheduled = false;

  constructor(options: BatchOptions<E, A>) {
    this.#options = options;
  }

  /** Resolves when the next event may be added. */
  async add(event: E): Promise<void> {
    this.#events.push(event);
    this.#bytes += this.#options.sizeOf(event);
    if (this.#bytes >= this.#options.bytes_max) this.flush();
    else this.#schedule();
    await this.#options.writer.ready();
  }

  flush(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    this.#options.writer.write(this.#options.message(events));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.immediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }
}
