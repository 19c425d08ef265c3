/**
 * The main thread, shared: work that would hold it for long is done in steps, and each step waits here for its turn.
 * One step runs in each turn of the event loop, whoever waits; after it the thread belongs to others for as long as the
 * step took, so that a connection, which needs several turns, is not kept waiting for several steps.
 */
import type { Clock } from './clock.js';

/** A pause that follows a step: at least the next turn of the loop. */
const PAUSE_MS_MAX = 50;

interface Waiting {
  readonly work: string;
  readonly go: () => void;
}

export class Turns {
  readonly #clock: Pick<Clock, 'monotonic' | 'after' | 'immediate'>;
  readonly #onStep: (work: string) => void;
  readonly #waiting: Waiting[] = [];
  #busy = false;

  /** `onStep` is called when a step begins, with the name of the work. */
  constructor(
    clock: Pick<Clock, 'monotonic' | 'after' | 'immediate'>,
    onStep: (work: string) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#onStep = onStep;
  }

  /** Resolves when the caller may hold the thread for one step. */
  next(work: string): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ work, go });
      if (this.#busy) return;
      this.#busy = true;
      this.#clock.immediate(() => this.#run());
    });
  }

  #run(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#busy = false;
      return;
    }
    const started_ms = this.#clock.monotonic();
    this.#onStep(next.work);
    // The step runs as soon as this callback returns, before any other of the loop.
    next.go();
    this.#clock.immediate(() => {
      const took_ms = this.#clock.monotonic() - started_ms;
      if (took_ms < 1) this.#run();
      else this.#clock.after(Math.min(took_ms, PAUSE_MS_MAX), () => this.#run());
    });
  }
}
