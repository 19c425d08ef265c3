/**
 * A check whose answer is shared by all who ask within seconds, as etcd's is in k8s.io/apiserver
 * (server/storage/storagebackend/factory/etcd3.go limits its rate alike): anybody may ask for `/livez`, and each time a
 * consistent read of the store is more than that is worth. Whoever asks often never waits behind it, unless the store
 * has been silent for `GOOD_MS`.
 */
import type { Clock } from '../../../platform/clock.js';

/** A finding of this age is looked at again, by the next that asks. */
const FRESH_MS = 1000;
/** For so long it is told meanwhile. Beyond it, those who ask wait for what comes. */
const GOOD_MS = 10_000;

interface Finding {
  readonly at_ms: number;
  /** Undefined: all is well. */
  readonly error: unknown;
}

export class RecentCheck {
  readonly #look: () => Promise<void>;
  readonly #clock: Clock;
  #found: Finding | undefined;
  #looking: Promise<Finding> | undefined;

  constructor(look: () => Promise<void>, clock: Clock) {
    this.#look = look;
    this.#clock = clock;
  }

  /** Rejects with what the look that is told of rejected with. */
  async check(): Promise<void> {
    const now_ms = this.#clock.monotonic();
    const age_ms = now_ms - (this.#found?.at_ms ?? -Infinity);
    if (age_ms >= FRESH_MS) this.#looking ??= this.#start(now_ms);
    const { error } =
      this.#found !== undefined && age_ms < GOOD_MS ? this.#found : await (this.#looking ?? this.#start(now_ms));
    if (error !== undefined) throw error;
  }

  /** A finding tells of the moment at which its look began. */
  async #start(at_ms: number): Promise<Finding> {
    const error: unknown = await this.#look().then(
      () => undefined,
      (reason: unknown) => reason ?? new Error('failed'),
    );
    this.#looking = undefined;
    this.#found = { at_ms, error };
    return this.#found;
  }
}
