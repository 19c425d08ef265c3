/**
 * When the next batch of proposals may go out: once the one before is decided, so that what arrives meanwhile becomes
 * one batch. Batches grow with the load, and with them the work of all members shrinks. Where a decision takes longer
 * than `hold_ms`, as between sites, the next batch goes out without it.
 */
import type { Clock, Timer } from '../../platform/clock.js';

export interface BatchPaceOptions {
  readonly clock: Clock;
  readonly hold_ms: number;
  /** The wait that `holds` told of is over. */
  onDue(): void;
}

export class BatchPace {
  readonly #options: BatchPaceOptions;
  #last: { readonly isDecided: () => boolean; readonly since_ms: number } | undefined;
  #timer: Timer | undefined;

  constructor(options: BatchPaceOptions) {
    this.#options = options;
  }

  begins(isDecided: () => boolean): void {
    this.#last = { isDecided, since_ms: this.#options.clock.monotonic() };
  }

  /** Whether the last batch holds the next one back; `onDue` follows. */
  holds(): boolean {
    const wait_ms = this.#wait_ms();
    if (wait_ms <= 0) return false;
    // Never so short that time stands still at the end of it.
    this.#timer ??= this.#options.clock.after(Math.max(Math.ceil(wait_ms), 1), () => {
      this.#timer = undefined;
      this.#options.onDue();
    });
    return true;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #wait_ms(): number {
    if (this.#last?.isDecided() === true) this.#last = undefined;
    return this.#last === undefined ? 0 : this.#last.since_ms + this.#options.hold_ms - this.#options.clock.monotonic();
  }
}
