/**
 * An ordered map from byte strings (latin1: one character a byte) to values: sorted blocks of up to 512 keys, under one
 * sorted array of the blocks. A tree of two levels whose nodes are flat arrays: a lookup is two binary searches, an
 * insert moves a few hundred pointers, a scan walks arrays, and a key costs two pointers beside itself.
 */

const BLOCK_KEYS_MAX = 512;

interface Block<T> {
  readonly keys: string[];
  readonly values: T[];
}

export class SortedMap<T> {
  /** Never empty; only the first block may hold no key. */
  #blocks: Block<T>[] = [{ keys: [], values: [] }];
  /** Each block's first key, side by side; that of the first block is never looked at. */
  #firsts: string[] = [''];
  #size = 0;
  /** Where the last lookup ended: what is read is often written next. */
  #lastBlock = this.#blocks[0] as Block<T>;
  #lastIndex = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    return this.#find(key) ? this.#lastBlock.values[this.#lastIndex] : undefined;
  }

  set(key: string, value: T): void {
    // A place that was left behind by an insert, a split or a deletion no longer holds the key.
    if (this.#lastBlock.keys[this.#lastIndex] === key) {
      this.#lastBlock.values[this.#lastIndex] = value;
      return;
    }
    const at = this.#blockOf(key);
    const block = this.#blocks[at] as Block<T>;
    const index = lowerBound(block.keys, key);
    if (block.keys[index] === key) {
      block.values[index] = value;
      return;
    }
    this.#size++;
    if (index === block.keys.length) {
      block.keys.push(key);
      block.values.push(value);
    } else {
      block.keys.splice(index, 0, key);
      block.values.splice(index, 0, value);
      if (index === 0) this.#firsts[at] = key;
    }
    if (block.keys.length > BLOCK_KEYS_MAX) this.#split(at, block);
  }

  delete(key: string): boolean {
    const at = this.#blockOf(key);
    const block = this.#blocks[at] as Block<T>;
    const index = lowerBound(block.keys, key);
    if (block.keys[index] !== key) return false;
    this.#size--;
    block.keys.splice(index, 1);
    block.values.splice(index, 1);
    if (block.keys.length > 0) {
      if (index === 0) this.#firsts[at] = block.keys[0] as string;
    } else if (this.#blocks.length > 1) {
      this.#blocks.splice(at, 1);
      this.#firsts.splice(at, 1);
    }
    return true;
  }

  /** Calls `visit` for each key in [start, end), in order, until it returns false. `end` undefined: to the last key. */
  scan(start: string, end: string | undefined, visit: (value: T, key: string) => boolean | undefined): void {
    let at = this.#blockOf(start);
    let index = lowerBound((this.#blocks[at] as Block<T>).keys, start);
    for (; at < this.#blocks.length; at++, index = 0) {
      const { keys, values } = this.#blocks[at] as Block<T>;
      for (; index < keys.length; index++) {
        const key = keys[index] as string;
        if (end !== undefined && key >= end) return;
        if (visit(values[index] as T, key) === false) return;
      }
    }
  }

  /** True when the key is there; then it stands at the last place. */
  #find(key: string): boolean {
    if (this.#lastBlock.keys[this.#lastIndex] === key) return true;
    const block = this.#blocks[this.#blockOf(key)] as Block<T>;
    const index = lowerBound(block.keys, key);
    if (block.keys[index] !== key) return false;
    this.#lastBlock = block;
    this.#lastIndex = index;
    return true;
  }

  #split(at: number, block: Block<T>): void {
    // Keys that arrive in order fill a block to the brim; others halve it.
    const cut = at === this.#blocks.length - 1 ? Math.floor(BLOCK_KEYS_MAX * 0.9) : BLOCK_KEYS_MAX >> 1;
    const right = { keys: block.keys.splice(cut), values: block.values.splice(cut) };
    this.#blocks.splice(at + 1, 0, right);
    this.#firsts.splice(at + 1, 0, right.keys[0] as string);
  }

  /** The last block whose first key is at or below `key`, else the first. */
  #blockOf(key: string): number {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((firsts[middle] as string) <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first key at or above `key`. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
