/** A token bucket: `burst` at once, then `perSecond` on average. */
export interface RateOptions {
  readonly burst: number;
  readonly perSecond: number;
}

export class Rate {
  readonly #options: RateOptions;
  #tokens: number;
  #filled_ms: number;

  constructor(options: RateOptions, now_ms: number) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#filled_ms = now_ms;
  }

  /** False when nothing is left. `now_ms`: monotonic. */
  take(now_ms: number): boolean {
    const { burst, perSecond } = this.#options;
    this.#tokens = Math.min(burst, this.#tokens + ((now_ms - this.#filled_ms) / 1000) * perSecond);
    this.#filled_ms = now_ms;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
