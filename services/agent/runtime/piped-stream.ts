/** A PodStream whose far end is code in this process: output is pushed in, input goes to a function. */
import type { PodStream, PodStreamInput, PodStreamOutput } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';

interface Waiting {
  readonly resolve: (result: IteratorResult<PodStreamOutput>) => void;
  readonly reject: (error: Error) => void;
}

/** Bytes that may wait for the consumer before `push` asks its caller to wait too. */
const BUFFERED_BYTES_MAX = 1 << 20;

export interface PipedStreamOptions {
  /** Takes what the client sends; resolves when more may come. */
  readonly onInput?: (input: PodStreamInput) => Promise<void>;
  /** Called once, whichever side ends the stream. */
  readonly onClose?: () => void;
  readonly signal: AbortSignal;
}

const sizeOf = (frame: PodStreamOutput) => (frame.kind === 'exit' ? 0 : frame.data.length);

export class PipedStream implements PodStream {
  readonly #options: PipedStreamOptions;
  readonly #frames: PodStreamOutput[] = [];
  #bytes = 0;
  #waiting: Waiting | undefined;
  #drained: (() => void)[] = [];
  #ended: { error?: Error } | undefined;
  readonly #onAbort = () => this.close();

  constructor(options: PipedStreamOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal.aborted) this.close();
  }

  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Resolves when there is room for more: await it for backpressure. */
  push(frame: PodStreamOutput): Promise<void> {
    if (this.#ended !== undefined) return Promise.resolve();
    if (this.#waiting !== undefined) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: frame });
      return Promise.resolve();
    }
    this.#frames.push(frame);
    this.#bytes += sizeOf(frame);
    if (this.#bytes <= BUFFERED_BYTES_MAX) return Promise.resolve();
    return new Promise((resolve) => void this.#drained.push(resolve));
  }

  /** No more output. What was pushed is still delivered. */
  end(error?: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error === undefined ? {} : { error };
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#release();
    this.#options.onClose?.();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    if (error === undefined) waiting.resolve({ done: true, value: undefined });
    else waiting.reject(error);
  }

  close(): void {
    this.#frames.length = 0;
    this.#bytes = 0;
    this.end();
  }

  async write(input: PodStreamInput): Promise<void> {
    if (this.#ended !== undefined) throw apiErrors.gone('the stream has ended');
    await this.#options.onInput?.(input);
  }

  [Symbol.asyncIterator](): AsyncIterator<PodStreamOutput> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #next(): Promise<IteratorResult<PodStreamOutput>> {
    const frame = this.#frames.shift();
    if (frame !== undefined) {
      this.#bytes -= sizeOf(frame);
      if (this.#bytes <= BUFFERED_BYTES_MAX) this.#release();
      return Promise.resolve({ done: false, value: frame });
    }
    if (this.#ended !== undefined) {
      const { error } = this.#ended;
      this.#ended = {};
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #release(): void {
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }
}
