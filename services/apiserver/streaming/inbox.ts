/**
 * What clients have sent and nobody has read yet: bounded for a whole connection, since the carrier is one pipe for
 * all.
 */

/** Unread bytes at which the carrier is paused, and down to which they must fall before it goes on. */
const UNREAD_BYTES_MAX = 2 << 20;
const UNREAD_BYTES_RESUME = 1 << 20;

/**
 * Holds back a connection whose channels are not read. Neither WebSocket channels nor Kubernetes' SPDY clients stop one
 * channel alone: a reader that stands still for long stops its neighbours too, once the allowance is used up.
 */
export class ReadBudget {
  readonly #carrier: { pause(): void; resume(): void };
  #unread = 0;
  #paused = false;

  constructor(carrier: { pause(): void; resume(): void }) {
    this.#carrier = carrier;
  }

  take(bytes: number): void {
    this.#unread += bytes;
    if (this.#paused || this.#unread <= UNREAD_BYTES_MAX) return;
    this.#paused = true;
    this.#carrier.pause();
  }

  give(bytes: number): void {
    this.#unread -= bytes;
    if (!this.#paused || this.#unread > UNREAD_BYTES_RESUME) return;
    this.#paused = false;
    this.#carrier.resume();
  }
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'cancelled' };

interface Waiting {
  readonly resolve: (result: IteratorResult<Buffer>) => void;
  readonly reject: (error: Error) => void;
}

export interface InboxOptions {
  readonly budget: ReadBudget;
  /** Called with each number of bytes that have been read, or dropped. */
  readonly onRead?: (bytes: number) => void;
}

/** One channel's bytes from the client. One consumer. */
export class Inbox implements AsyncIterableIterator<Buffer> {
  readonly #options: InboxOptions;
  #chunks: Buffer[] = [];
  #state: State = { kind: 'open' };
  #waiting: Waiting | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  push(data: Buffer): void {
    if (data.length === 0) return;
    if (this.#state.kind !== 'open') {
      this.#options.onRead?.(data.length);
      return;
    }
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#options.budget.take(data.length);
      this.#chunks.push(data);
      return;
    }
    this.#waiting = undefined;
    this.#options.onRead?.(data.length);
    waiting.resolve({ done: false, value: data });
  }

  /** The client has sent its last; what waits is still delivered. */
  end(): void {
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'ended' };
    this.#settle();
  }

  /** The client is gone; what waits is dropped. */
  fail(error: Error): void {
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'failed', error };
    this.#drop();
    this.#settle();
  }

  /** The reader is gone. */
  cancel(): void {
    this.#state = { kind: 'cancelled' };
    this.#drop();
    this.#settle();
  }

  next(): Promise<IteratorResult<Buffer>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#options.budget.give(chunk.length);
      this.#options.onRead?.(chunk.length);
      return Promise.resolve({ done: false, value: chunk });
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#state.kind !== 'open') this.#settle();
    });
  }

  return(): Promise<IteratorResult<Buffer>> {
    this.cancel();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#state.kind === 'failed') waiting?.reject(this.#state.error);
    else waiting?.resolve({ done: true, value: undefined });
  }

  #drop(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) {
      this.#options.budget.give(chunk.length);
      this.#options.onRead?.(chunk.length);
    }
  }
}
