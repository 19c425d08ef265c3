/** Compaction by itself, on the leader: keep the last so many revisions, or the last so many minutes of history. */
import type { Clock, Timer } from '../../../platform/clock.js';
import { revisionOf } from '../errors.js';
import type { Revision } from '../store.js';

export type AutoCompactionOptions =
  | { readonly mode: 'revisions'; readonly keep: number; readonly interval_ms?: number }
  | { readonly mode: 'periodic'; readonly keep_ms: number };

interface Compactable {
  readonly revision: Revision;
  compact(revision: Revision): Promise<void>;
}

const REVISIONS_INTERVAL_MS = 5 * 60_000;
/** A period is sampled so often; what is kept is up to a tenth longer than asked for. */
const SAMPLES_PER_PERIOD = 10;

export class AutoCompaction {
  readonly #options: AutoCompactionOptions & { readonly clock: Clock; readonly store: Compactable };
  #timer: Timer | undefined;
  #samples: Revision[] = [];
  #compacted = 0;

  constructor(options: AutoCompactionOptions & { readonly clock: Clock; readonly store: Compactable }) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    const options = this.#options;
    const interval_ms =
      options.mode === 'revisions'
        ? (options.interval_ms ?? REVISIONS_INTERVAL_MS)
        : Math.max(1, options.keep_ms / SAMPLES_PER_PERIOD);
    this.#timer = options.clock.every(interval_ms, () => this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#samples = [];
  }

  #tick(): void {
    const options = this.#options;
    if (options.mode === 'revisions') {
      this.#compact(options.store.revision - options.keep);
      return;
    }
    this.#samples.push(options.store.revision);
    if (this.#samples.length > SAMPLES_PER_PERIOD) this.#compact(this.#samples.shift() ?? 0);
  }

  #compact(revision: number): void {
    if (revision <= Math.max(this.#compacted, 1)) return;
    // Another may have compacted further, or the leader changed: the next tick looks again.
    this.#options.store.compact(revisionOf(revision)).then(
      () => (this.#compacted = revision),
      () => undefined,
    );
  }
}
