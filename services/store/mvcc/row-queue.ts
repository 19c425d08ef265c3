/**
 * Row numbers in the order they were added: taken from the front in bulk, from the back one by one. Four bytes each.
 */
import { assert } from '../../../platform/assert.js';

const ROWS_MIN = 1024;

export class RowQueue {
  #rows = new Uint32Array(ROWS_MIN);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** `0 <= place < length`. */
  at(place: number): number {
    return this.#rows[this.#head + place] as number;
  }

  push(row: number): void {
    if (this.#head + this.#length === this.#rows.length) this.#makeRoom();
    this.#rows[this.#head + this.#length++] = row;
  }

  /** The row that was added last. The queue must not be empty. */
  pop(): number {
    assert(this.#length > 0, 'an empty queue has no last row');
    return this.#rows[this.#head + --this.#length] as number;
  }

  dropFirst(count: number): void {
    assert(count <= this.#length, 'no more rows are dropped than there are');
    this.#head += count;
    this.#length -= count;
    if (this.#rows.length > ROWS_MIN && this.#length * 4 < this.#rows.length) this.#move(this.#length * 2);
  }

  /** Half as much again as there is: a queue of millions that doubled would hold as much in vain. */
  #makeRoom(): void {
    this.#move(this.#length + (this.#length >> 1));
  }

  #move(capacity: number): void {
    const rows = new Uint32Array(Math.max(capacity, ROWS_MIN));
    rows.set(this.#rows.subarray(this.#head, this.#head + this.#length));
    this.#rows = rows;
    this.#head = 0;
  }
}
