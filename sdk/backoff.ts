/** Exponential backoff with jitter: spreads the retries of many clients that failed together. */
import type { Random } from '../platform/random.js';

export interface BackoffOptions {
  readonly base_ms: number;
  readonly max_ms: number;
  readonly random: Random;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The wait before the next attempt: between half of and the whole exponential delay. */
  next(): number {
    const { base_ms, max_ms, random } = this.#options;
    const delay_ms = Math.min(max_ms, base_ms * 2 ** Math.min(this.#attempt, 30));
    this.#attempt++;
    return delay_ms * (0.5 + random.next() / 2);
  }

  /** After a success. */
  reset(): void {
    this.#attempt = 0;
  }
}
