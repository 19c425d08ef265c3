import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { StoreError } from '../../store/store.js';
import type { KeyValue, Revision, Store, StoreEvent } from '../../store/store.js';

const PAGE = 2000;
/** Upper bound of what a linearizable read waits for when others write outside the prefix. */
const PROGRESS_INTERVAL_MS = 100;
const RETRY_DELAY_MS_MIN = 20;
const RETRY_DELAY_MS_MAX = 1000;

export interface FeedSink {
  /** Everything below the prefix as of `revision`; what was known before is void, and so is every watch on it. */
  reset(kvs: readonly KeyValue[], revision: Revision): void;
  /** The events of whole revisions, in order. */
  apply(events: readonly StoreEvent[]): void;
  /** All events up to here have been applied. */
  progress(revision: Revision): void;
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

/**
 * Follows everything below one prefix of the store by a single watch, and feeds it to the caches. Restarts the watch
 * from where it stopped when it breaks, and reads everything anew when that has been compacted.
 */
export class StoreFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sink: FeedSink;
  readonly #range: { readonly key: Buffer; readonly rangeEnd: Buffer };
  readonly #abort = new AbortController();
  #waiters: Waiter[] = [];
  #revision = 0 as Revision;
  #running: Promise<void> | undefined;

  constructor(options: { store: Store; clock: Clock; logger: Logger; prefix: string; sink: FeedSink }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#sink = options.sink;
    this.#range = { key: Buffer.from(options.prefix), rangeEnd: prefixEnd(options.prefix) };
  }

  /** Everything up to this revision has reached the sink. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Resolves when the first full read is done; keeps trying while the store is unavailable. */
  async start(): Promise<void> {
    await this.#retrying(() => this.#load());
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new StoreError('closed', 'the feed has been stopped'));
    await this.#running;
  }

  /** Resolves once `revision` has reached the sink; fails with ResourceVersionTooLarge after `timeout_ms`. */
  waitFor(
    revision: number,
    options: { readonly timeout_ms: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const settle = () => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        revision,
        resolve: () => {
          settle();
          resolve();
        },
      };
      const onAbort = () => {
        settle();
        reject(signal?.reason as Error);
      };
      const timer: Timer = this.#clock.after(options.timeout_ms, () => {
        settle();
        reject(apiErrors.resourceVersionTooLarge(revision, this.#revision));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await this.#retrying(async () => {
        try {
          await this.#follow();
        } catch (error) {
          if (!(error instanceof StoreError && error.code === 'compacted')) throw error;
          this.#logger.warn(
            { revision: this.#revision },
            'the store has dropped the history this cache needs; reading everything anew',
          );
          await this.#load();
        }
      });
    }
  }

  async #follow(): Promise<void> {
    const startRevision = (this.#revision + 1) as Revision;
    const awaited = () => this.#waiters.reduce((newest, { revision }) => Math.max(newest, revision), 0);
    const request = {
      ...this.#range,
      startRevision,
      prevKv: false,
      progressInterval_ms: PROGRESS_INTERVAL_MS,
      awaited,
    };
    for await (const batch of this.#store.watch(request, { signal: this.#abort.signal })) {
      if (batch.events.length > 0) this.#sink.apply(batch.events);
      this.#advance(batch.revision);
    }
    if (!this.#abort.signal.aborted) throw new StoreError('unavailable', 'the watch ended');
  }

  async #load(): Promise<void> {
    const { signal } = this.#abort;
    const kvs: KeyValue[] = [];
    let key = this.#range.key;
    let pinned: Revision | undefined;
    for (;;) {
      const page = await this.#store.range(
        { key, rangeEnd: this.#range.rangeEnd, limit: PAGE, ...(pinned === undefined ? {} : { revision: pinned }) },
        { signal },
      );
      pinned ??= page.revision;
      kvs.push(...page.kvs);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
    this.#sink.reset(kvs, pinned);
    this.#advance(pinned);
  }

  #advance(revision: Revision): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#sink.progress(revision);
    if (this.#waiters.length === 0) return;
    for (const waiter of this.#waiters.filter((candidate) => candidate.revision <= revision)) waiter.resolve();
  }

  /** Runs `work` until it succeeds or the feed is stopped, with growing pauses. */
  async #retrying(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#abort;
    for (let delay_ms = RETRY_DELAY_MS_MIN; !signal.aborted; delay_ms = Math.min(delay_ms * 2, RETRY_DELAY_MS_MAX)) {
      try {
        await work();
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn({ error: String(error), retry_ms: delay_ms }, 'the feed from the store broke; trying again');
        await this.#clock.sleep(delay_ms, signal).catch(() => undefined);
      }
    }
  }
}

/** The first key after every key that begins with `prefix`. */
export function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
