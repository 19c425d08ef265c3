/**
 * Compaction of an external store by those who use it: etcd drops no history by itself. Every user runs one of these; a
 * key in the store, written once a period, says whose turn it was, so that one of them does it however many there are
 * (as Kubernetes' API servers do). Its own modification revision is the revision of the period before.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import { Coalesced } from '../../../platform/coalesced.js';
import type { Service } from '../../../platform/service.js';
import { revisionOf } from '../errors.js';
import type { AutoCompactionOptions } from '../member/auto-compaction.js';
import type { Store } from '../store.js';

export interface ExternalCompactionOptions {
  readonly store: Pick<Store, 'txn' | 'compact'>;
  /** `periodic` keeps between once and twice its time. */
  readonly keep: AutoCompactionOptions;
  readonly clock: Clock;
}

const KEY = Buffer.from('/navarch/compaction');
const REVISIONS_INTERVAL_MS = 5 * 60_000;

export class ExternalCompaction implements Service {
  readonly name = 'compaction of the external store';
  readonly #options: ExternalCompactionOptions;
  #timer: Timer | undefined;
  /** A failure, also when another was faster with the compaction itself, is put right by the next turn. */
  readonly #turns = new Coalesced({ run: () => this.#turn(), onFailure: () => undefined });
  /** When the key was last written, as far as is known here; 0: never, or not known. */
  #seen = 0;

  constructor(options: ExternalCompactionOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    const { keep, clock } = this.#options;
    const interval_ms = keep.mode === 'periodic' ? keep.keep_ms : (keep.interval_ms ?? REVISIONS_INTERVAL_MS);
    this.#timer = clock.every(interval_ms, () => this.#turns.request());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#turns.stop();
  }

  async #turn(): Promise<void> {
    const { store, keep } = this.#options;
    const { succeeded, revision, results } = await store.txn({
      compare: [{ target: 'modRevision', key: KEY, op: '=', value: this.#seen }],
      success: [{ kind: 'put', key: KEY, value: Buffer.alloc(0) }],
      failure: [{ kind: 'range', request: { key: KEY } }],
    });
    if (!succeeded) {
      const [read] = results;
      this.#seen = read?.kind === 'range' ? (read.range.kvs[0]?.modRevision ?? 0) : 0;
      return;
    }
    const upTo = keep.mode === 'periodic' ? this.#seen : revision - keep.keep;
    this.#seen = revision;
    if (upTo > 0) await store.compact(revisionOf(upTo));
  }
}
