import type { CachedObject } from './cached-object.js';

/** One change of one object. `current` is absent when it was deleted, `previous` when it was created. */
export interface CacheEvent {
  readonly revision: number;
  readonly current: CachedObject | undefined;
  readonly previous: CachedObject | undefined;
  /** The last state, as of the deletion or of leaving a selector; made once for all watchers. */
  gone(): CachedObject;
}

export function cacheEvent(revision: number, current: CachedObject | undefined, previous: CachedObject | undefined): CacheEvent {
  let gone: CachedObject | undefined;
  return {
    revision, current, previous,
    gone: () => (gone ??= (previous ?? (current as CachedObject)).at(revision)),
  };
}

/** The last events of one resource: what a watch can be resumed from without asking the store. Bounded by count. */
export class EventWindow {
  readonly #limit: number;
  #events: CacheEvent[] = [];
  #head = 0;
  /** Every event after this revision is in the window. */
  #complete: number;

  constructor(limit: number, complete: number) {
    this.#limit = limit;
    this.#complete = complete;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    if (this.#events.length - this.#head <= this.#limit) return;
    const dropped = this.#events[this.#head];
    this.#head++;
    if (dropped !== undefined) this.#complete = dropped.revision;
    if (this.#head >= this.#limit) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Events after `revision`; undefined when some of them are no longer here. */
  after(revision: number): readonly CacheEvent[] | undefined {
    if (revision < this.#complete) return undefined;
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low);
  }
}
