/** How long a key that failed has to wait before it is tried again. */

export interface RateLimiter {
  /** The delay for one more attempt; counts the attempt. */
  next(key: string): number;
  /** The key succeeded. */
  forget(key: string): void;
  /** Attempts since the last success. */
  retries(key: string): number;
}

export interface ExponentialLimiterOptions {
  /** Default 5. */
  readonly base_ms?: number;
  /** Default 60,000. */
  readonly max_ms?: number;
}

/** Doubles the delay of a key with each failure, independently of other keys. */
export class ExponentialLimiter implements RateLimiter {
  readonly #base_ms: number;
  readonly #max_ms: number;
  readonly #failures = new Map<string, number>();

  constructor(options: ExponentialLimiterOptions = {}) {
    this.#base_ms = options.base_ms ?? 5;
    this.#max_ms = options.max_ms ?? 60_000;
  }

  next(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.min(this.#max_ms, this.#base_ms * 2 ** Math.min(failures, 30));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  retries(key: string): number {
    return this.#failures.get(key) ?? 0;
  }
}
