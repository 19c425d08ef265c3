import type { CachedObject } from './cached-object.js';

/** One change of one object. `current` is absent when it was deleted, `previous` when it was created. */
export interface CacheEvent {
  readonly revision: number;
  readonly current: CachedObject | undefined;
  readonly previous: CachedObject | undefined;
  /** The last state, as of the deletion or of leaving a selector; made once for all watchers. */
  gone(): CachedObject;
}

export function cacheEvent(
  revision: number,
  current: CachedObject | undefined,
  previous: CachedObject | undefined,
): CacheEvent {
  let gone: CachedObject | undefined;
  return {
    revision,
    current,
    previous,
    gone: () => (gone ??= (previous ?? (current as CachedObject)).at(revision)),
  };
}

/** What an event holds, as stored: the state it brought, or the last one of what was deleted. */
const weightOf = ({ current, previous }: CacheEvent): number => (current ?? previous)?.json.length ?? 0;

/**
 * What the windows of all resources hold together, in bytes as stored; parsed forms may come to as much again. The
 * largest window pays: who writes much, or large objects, shortens how far back watches of that resource are resumed
 * without the store, and no other.
 */
export class WindowBudget {
  readonly #limit_bytes: number;
  readonly #windows = new Set<EventWindow>();
  #held_bytes = 0;

  constructor(limit_bytes: number) {
    this.#limit_bytes = limit_bytes;
  }

  join(window: EventWindow): void {
    this.#windows.add(window);
  }

  charge(bytes: number): void {
    this.#held_bytes += bytes;
    while (this.#held_bytes > this.#limit_bytes && this.#largest()?.drop() === true);
  }

  release(bytes: number): void {
    this.#held_bytes -= bytes;
  }

  #largest(): EventWindow | undefined {
    let largest: EventWindow | undefined;
    for (const window of this.#windows) if (window.held_bytes > (largest?.held_bytes ?? 0)) largest = window;
    return largest;
  }
}

/**
 * The last events of one resource: what a watch can be resumed from without asking the store. Bounded by count, and by
 * the budget.
 */
export class EventWindow {
  readonly #limit: number;
  readonly #budget: WindowBudget;
  /** Places before the head are empty. */
  #events: (CacheEvent | undefined)[] = [];
  #head = 0;
  #held_bytes = 0;
  /** Every event after this revision is in the window. */
  #complete: number;

  constructor(limit: number, complete: number, budget: WindowBudget) {
    this.#limit = limit;
    this.#complete = complete;
    this.#budget = budget;
    budget.join(this);
  }

  get held_bytes(): number {
    return this.#held_bytes;
  }

  push(event: CacheEvent): void {
    const bytes = weightOf(event);
    this.#events.push(event);
    this.#held_bytes += bytes;
    this.#budget.charge(bytes);
    if (this.#events.length - this.#head > this.#limit) this.drop();
  }

  /** Forgets the oldest event; false when there is none. */
  drop(): boolean {
    const dropped = this.#events[this.#head];
    if (dropped === undefined) return false;
    const bytes = weightOf(dropped);
    this.#events[this.#head] = undefined;
    this.#head++;
    this.#complete = dropped.revision;
    this.#held_bytes -= bytes;
    this.#budget.release(bytes);
    if (this.#head >= this.#limit) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Forgets everything: what happens after this revision comes anew. */
  restart(complete: number): void {
    this.#budget.release(this.#held_bytes);
    this.#held_bytes = 0;
    this.#events = [];
    this.#head = 0;
    this.#complete = complete;
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
    return this.#events.slice(low) as CacheEvent[];
  }
}
