/**
 * Long work in slices: a generator whose every `yield` is a place where others may have their turn. What is done does
 * not depend on where, or whether, it is interrupted; only when it is done does.
 */
import type { Clock } from './clock.js';

export type Slices<T> = Generator<undefined, T, undefined>;

/** Does all of it at once. */
export function finish<T>(slices: Slices<T>): T {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

/** Called before each slice but the first; what it throws ends the work. */
export type BeforeSlice = () => void;

interface Job {
  /** One slice. True while there are more. */
  step(): boolean;
}

/**
 * Does long work of many in turns of the event loop: all of it together takes at most `turn_ms` of one, and a slice.
 * What comes when there is time left in a turn begins at once.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #turn_ms: number;
  #jobs: Job[] = [];
  /** When the present turn is over; undefined: there is none, everybody rests. */
  #end_ms: number | undefined;

  constructor({ clock, turn_ms }: { readonly clock: Clock; readonly turn_ms: number }) {
    this.#clock = clock;
    this.#turn_ms = turn_ms;
  }

  /** Resolves with what the work gives; rejects with what it, or `beforeSlice`, throws. */
  do<T>(slices: Slices<T>, beforeSlice?: BeforeSlice): Promise<T> {
    return new Promise((resolve, reject) => {
      let isFirst = true;
      const step = (): boolean => {
        try {
          if (!isFirst) beforeSlice?.();
          isFirst = false;
          const slice = slices.next();
          if (slice.done !== true) return true;
          resolve(slice.value);
        } catch (error) {
          slices.return(undefined as T);
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        return false;
      };
      this.#begin({ step });
    });
  }

  #begin(job: Job): void {
    if (this.#end_ms === undefined) {
      this.#end_ms = this.#clock.monotonic() + this.#turn_ms;
      this.#clock.immediate(() => this.#turn());
    } else if (this.#jobs.length > 0 || this.#clock.monotonic() >= this.#end_ms) {
      this.#jobs.push(job);
      return;
    }
    while (job.step()) {
      if (this.#clock.monotonic() < this.#end_ms) continue;
      this.#jobs.push(job);
      return;
    }
  }

  #turn(): void {
    const end_ms = this.#clock.monotonic() + this.#turn_ms;
    this.#end_ms = this.#jobs.length > 0 ? end_ms : undefined;
    if (this.#jobs.length === 0) return;
    do {
      const job = this.#jobs.shift() as Job;
      if (job.step()) this.#jobs.push(job);
    } while (this.#jobs.length > 0 && this.#clock.monotonic() < end_ms);
    this.#clock.immediate(() => this.#turn());
  }
}

/** Counts units of work: `spend` and `charge` say what was done, and `spend` when it is time to yield. */
export class SliceMeter {
  readonly #size: number;
  #left: number;

  /** `size`: units of a slice, at least one. */
  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** True when the slice is full: yield, and go on with a new one. */
  spend(units = 1): boolean {
    this.#left -= units;
    if (this.#left > 0) return false;
    this.#left = this.#size;
    return true;
  }

  /** For work that cannot be interrupted: the next `spend` counts it. */
  charge(units: number): void {
    this.#left -= units;
  }
}

/** Sorts as Array.sort does, stable, in slices. */
export function* sortSlices<T>(items: readonly T[], compare: (a: T, b: T) => number, meter: SliceMeter): Slices<T[]> {
  const run = 64;
  let from: T[] = [];
  for (let at = 0; at < items.length; at += run) {
    for (const item of items.slice(at, at + run).sort(compare)) from.push(item);
    if (meter.spend(run)) yield;
  }
  let to: T[] = new Array<T>(from.length);
  for (let width = run; width < from.length; width *= 2) {
    for (let low = 0; low < from.length; low += 2 * width) {
      const middle = Math.min(low + width, from.length);
      const high = Math.min(low + 2 * width, from.length);
      for (let left = low, right = middle, at = low; at < high; at++) {
        const isLeft = left < middle && (right >= high || compare(from[left] as T, from[right] as T) <= 0);
        to[at] = from[isLeft ? left++ : right++] as T;
        if (meter.spend()) yield;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
