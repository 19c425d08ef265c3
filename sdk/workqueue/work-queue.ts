/**
 * A queue of keys for level-triggered work.
 *
 * A key waits at most once, however often it is added. A key that is being worked on is handed to nobody else; when it
 * is added meanwhile, it waits again after `done`. So a worker always sees a state at least as new as the last add, and
 * no two workers see the same key (the promises of client-go's workqueue).
 */
import { assert } from '../../platform/assert.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { ExponentialLimiter } from './rate-limiter.js';
import type { RateLimiter } from './rate-limiter.js';

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly limiter?: RateLimiter;
}

interface Delayed {
  readonly due_ms: number;
  readonly timer: Timer;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #limiter: RateLimiter;
  /** In order of arrival. */
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  /** Added while being worked on. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  #takers: ((key: string | undefined) => void)[] = [];
  #idlers: (() => void)[] = [];
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#limiter = options.limiter ?? new ExponentialLimiter();
  }

  /** Keys that could be taken now. */
  get size(): number {
    return this.#ready.size;
  }

  get isShutDown(): boolean {
    return this.#shutDown;
  }

  add(key: string): void {
    if (this.#shutDown) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    const taker = this.#ready.has(key) ? undefined : this.#takers.shift();
    if (taker === undefined) {
      this.#ready.add(key);
      return;
    }
    this.#working.add(key);
    taker(key);
  }

  /** Adds later; of several delays for one key the earliest counts. Does not hinder an `add` before that. */
  addAfter(key: string, delay_ms: number): void {
    if (this.#shutDown) return;
    if (delay_ms <= 0) {
      this.add(key);
      return;
    }
    const due_ms = this.#clock.monotonic() + delay_ms;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined) {
      if (waiting.due_ms <= due_ms) return;
      waiting.timer.cancel();
    }
    const timer = this.#clock.after(delay_ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due_ms, timer });
  }

  /** Adds after the delay that the limiter gives a key which failed. */
  addRateLimited(key: string): void {
    this.addAfter(key, this.#limiter.next(key));
  }

  /** The key succeeded: its next failure starts from the shortest delay. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  retries(key: string): number {
    return this.#limiter.retries(key);
  }

  /** The next key, or undefined when the queue is shut down. The taker calls `done` when it has finished. */
  take(): Promise<string | undefined> {
    if (this.#shutDown) return Promise.resolve(undefined);
    for (const key of this.#ready) {
      this.#ready.delete(key);
      this.#working.add(key);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(key: string): void {
    assert(this.#working.delete(key), `done(${key}) without take`);
    if (this.#again.delete(key)) this.add(key);
    if (this.#working.size > 0) return;
    for (const resolve of this.#idlers) resolve();
    this.#idlers = [];
  }

  /** Hands out nothing more and forgets what waits. Resolves when the work under way is done. */
  shutDown(): Promise<void> {
    if (!this.#shutDown) {
      this.#shutDown = true;
      for (const { timer } of this.#delayed.values()) timer.cancel();
      this.#delayed.clear();
      this.#ready.clear();
      this.#again.clear();
      for (const taker of this.#takers) taker(undefined);
      this.#takers = [];
    }
    if (this.#working.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }
}
