/**
 * A controller: `reconcile(key)` reads the caches, compares with what is wanted, and acts. It never sees an event.
 *
 * In: sources that name keys. Out: calls of `reconcile`, never two at once for one key, at least one after each change.
 * A throw is an operating error: the key is tried again with growing delay. State lives in the API, never in the
 * controller, which may be stopped between any two awaits.
 */
import { setMaxListeners } from 'node:events';
import { InvariantError } from '../../platform/assert.js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import { isApiError, isNamespaceTerminating } from '../../apimachinery/status.js';
import type { RateLimiter } from '../workqueue/rate-limiter.js';
import { WorkQueue } from '../workqueue/work-queue.js';
import type { Source } from './source.js';

/** What is to happen next to the key: nothing until something changes, or another look after a while. */
export type ReconcileResult = { readonly kind: 'done' } | { readonly kind: 'requeue'; readonly after_ms: number };

export const done: ReconcileResult = { kind: 'done' };

export function requeueAfter(after_ms: number): ReconcileResult {
  return { kind: 'requeue', after_ms };
}

/** Thrown by `reconcile` when trying again is of no use until something changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ReconcileContext {
  /** Aborts when the controller stops: hand it to every call. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export type Reconcile = (key: string, context: ReconcileContext) => Promise<ReconcileResult>;

export interface ControllerOptions {
  readonly name: string;
  readonly sources: readonly Source[];
  readonly reconcile: Reconcile;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Keys worked on at the same time; 1 when absent. */
  readonly workers?: number;
  /** Delays of keys that failed; exponential from 5 ms to a minute when absent. */
  readonly limiter?: RateLimiter;
}

export class Controller implements Service {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #detach: (() => void)[] = [];
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#logger = options.logger.child({ controller: options.name });
    // One signal ends every wait and every call of the controller: many listeners are no leak here.
    setMaxListeners(0, this.#stop.signal);
    this.#queue = new WorkQueue({
      clock: options.clock,
      ...(options.limiter === undefined ? {} : { limiter: options.limiter }),
    });
  }

  /** For keys that no source names, such as those of timers. */
  enqueue(key: string): void {
    this.#queue.add(key);
  }

  enqueueAfter(key: string, delay_ms: number): void {
    this.#queue.addAfter(key, delay_ms);
  }

  /**
   * Waits until the caches of all sources are complete, then starts the workers. The informers are started by their
   * owner.
   */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    signal.throwIfAborted();
    for (const source of this.#options.sources) this.#detach.push(source.attach((key) => this.#queue.add(key)));
    await Promise.all(this.#options.sources.map((source) => source.whenSynced(signal)));
    if (signal.aborted) return;
    for (let i = 0; i < (this.#options.workers ?? 1); i++) this.#workers.push(this.#work());
    this.#logger.debug({ workers: this.#workers.length }, 'controller started');
  }

  /** Aborts the calls under way by their signal and waits for them. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error(`controller ${this.name} was stopped`));
    for (const detach of this.#detach) detach();
    this.#detach = [];
    await this.#queue.shutDown();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.#queue.take();
      if (key === undefined) return;
      try {
        await this.#reconcile(key);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #reconcile(key: string): Promise<void> {
    try {
      const result = await this.#options.reconcile(key, { signal: this.#stop.signal, logger: this.#logger });
      this.#queue.forget(key);
      if (result.kind === 'requeue') this.#queue.addAfter(key, result.after_ms);
    } catch (error) {
      this.#failed(key, error);
    }
  }

  #failed(key: string, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    if (error instanceof TerminalError) {
      this.#queue.forget(key);
      this.#logger.error({ key, error: error.message }, 'reconcile failed for good');
      return;
    }
    if (isNamespaceTerminating(error)) {
      this.#queue.forget(key);
      this.#logger.debug({ key, error: String(error) }, 'reconcile made nothing in a namespace that is being deleted');
      return;
    }
    this.#queue.addRateLimited(key);
    const fields = { key, retries: this.#queue.retries(key), error: String(error) };
    // The cache was behind: the next look will be better. Nothing for a log that people read.
    if (isApiError(error, 'Conflict')) this.#logger.debug(fields, 'reconcile met a conflict; trying again');
    else if (error instanceof Error && !isApiError(error))
      this.#logger.error({ ...fields, stack: error.stack }, 'reconcile threw; trying again');
    else this.#logger.warn(fields, 'reconcile failed; trying again');
    // A broken invariant must not be retried in silence for ever: the process ends.
    if (error instanceof InvariantError) throw error;
  }
}
