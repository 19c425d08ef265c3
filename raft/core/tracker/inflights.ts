/** Append messages that are under way to one follower: a ring limited by count and by bytes. */
import { assert } from '../../../platform/assert.js';
import type { LogIndex } from '../types/ids.js';

const INITIAL_SLOTS = 16;

export class Inflights {
  readonly #count_max: number;
  /** Infinity: no limit by bytes. */
  readonly #bytes_max: number;
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(count_max: number, bytes_max: number) {
    this.#count_max = count_max;
    this.#bytes_max = bytes_max;
  }

  get count(): number {
    return this.#count;
  }

  full(): boolean {
    return this.#count >= this.#count_max || this.#bytes >= this.#bytes_max;
  }

  /** `last` is the last index of the message; indexes must not go back. One message may pass the byte limit. */
  add(last: LogIndex, bytes: number): void {
    assert(!this.full(), 'no room for another append in flight');
    if (this.#count === this.#indexes.length) this.#grow();
    const slot = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[slot] = last;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees every message whose last index is at most `to`. */
  freeUpTo(to: LogIndex): void {
    while (this.#count > 0 && (this.#indexes[this.#start] ?? 0) <= to) {
      this.#bytes -= this.#sizes[this.#start] ?? 0;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const capacity = Math.min(Math.max(this.#indexes.length * 2, INITIAL_SLOTS), this.#count_max);
    const indexes = Array.from<LogIndex>({ length: capacity }).fill(0);
    const sizes = Array.from<number>({ length: capacity }).fill(0);
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#start + i) % this.#indexes.length;
      indexes[i] = this.#indexes[slot] ?? 0;
      sizes[i] = this.#sizes[slot] ?? 0;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
