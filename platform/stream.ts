/** Bounded hand-over between a producer that cannot wait and a consumer that iterates. */

export interface PushStreamOptions<T> {
  /** Items that may wait. One more closes the stream with the overflow error: never drop in silence. */
  readonly limit: number;
  readonly onOverflow: () => Error;
  /** What an item counts in `weight` while it waits; nothing when absent. */
  readonly weigh?: (item: T) => number;
  /** Called once when the consumer leaves or the stream ends, whichever comes first. */
  readonly onClose?: () => void;
}

type State = { kind: 'open' } | { kind: 'ended' } | { kind: 'failed'; error: Error };

/**
 * An async iterable fed by `push`. One consumer. What was pushed before `end` or `fail` is still delivered before the
 * iteration ends or throws.
 */
export class PushStream<T> implements AsyncIterableIterator<T> {
  readonly #options: PushStreamOptions<T>;
  /** Places before the head are empty: what has been taken is held no longer. */
  #buffer: (T | undefined)[] = [];
  #head = 0;
  #weight = 0;
  #state: State = { kind: 'open' };
  #closed = false;
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void } | undefined;

  constructor(options: PushStreamOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#buffer.length - this.#head;
  }

  /** Of all items that wait. */
  get weight(): number {
    return this.#weight;
  }

  /** False when the stream takes nothing any more. */
  push(item: T): boolean {
    if (this.#state.kind !== 'open') return false;
    if (this.#waiting !== undefined) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: item });
      return true;
    }
    if (this.size >= this.#options.limit) {
      this.fail(this.#options.onOverflow());
      return false;
    }
    this.#buffer.push(item);
    this.#weight += this.#options.weigh?.(item) ?? 0;
    return true;
  }

  end(): void {
    this.#finish({ kind: 'ended' });
  }

  fail(error: Error): void {
    this.#finish({ kind: 'failed', error });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#head < this.#buffer.length) {
      const value = this.#buffer[this.#head] as T;
      this.#buffer[this.#head] = undefined;
      this.#weight -= this.#options.weigh?.(value) ?? 0;
      this.#head++;
      if (this.#head > 1024 && this.#head * 2 > this.#buffer.length) {
        this.#buffer = this.#buffer.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.#state.kind === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#state.kind === 'failed') {
      const { error } = this.#state;
      this.#state = { kind: 'ended' };
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#buffer = [];
    this.#head = 0;
    this.#weight = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(state: State): void {
    if (this.#state.kind !== 'open') return;
    this.#state = state;
    if (!this.#closed) {
      this.#closed = true;
      this.#options.onClose?.();
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    if (state.kind === 'failed') {
      this.#state = { kind: 'ended' };
      waiting.reject(state.error);
    } else {
      waiting.resolve({ done: true, value: undefined });
    }
  }
}
