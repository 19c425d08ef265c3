/** A binary heap with keys: the first by order is taken, and any may be replaced or removed. */
export class KeyedHeap<T> {
  readonly #before: (a: T, b: T) => number;
  readonly #keyOf: (item: T) => string;
  readonly #items: T[] = [];
  readonly #at = new Map<string, number>();

  /** `before` is negative when `a` goes first. */
  constructor(before: (a: T, b: T) => number, keyOf: (item: T) => string) {
    this.#before = before;
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#items.length;
  }

  get(key: string): T | undefined {
    const at = this.#at.get(key);
    return at === undefined ? undefined : this.#items[at];
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Adds, or replaces the item of the same key. */
  set(item: T): void {
    const key = this.#keyOf(item);
    const at = this.#at.get(key) ?? this.#items.length;
    this.#put(item, at);
    this.#settle(at);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.delete(this.#keyOf(first));
    return first;
  }

  delete(key: string): T | undefined {
    const at = this.#at.get(key);
    if (at === undefined) return undefined;
    const item = this.#items[at];
    this.#at.delete(key);
    const last = this.#items.pop();
    if (last !== undefined && at < this.#items.length) {
      this.#put(last, at);
      this.#settle(at);
    }
    return item;
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    this.#at.set(this.#keyOf(item), at);
  }

  #settle(start: number): void {
    let at = this.#rise(start);
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let first = at;
      if (this.#goesFirst(left, first)) first = left;
      if (this.#goesFirst(right, first)) first = right;
      if (first === at) return;
      this.#swap(at, first);
      at = first;
    }
  }

  #rise(start: number): number {
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#goesFirst(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
    return at;
  }

  #goesFirst(a: number, b: number): boolean {
    const [x, y] = [this.#items[a], this.#items[b]];
    return x !== undefined && y !== undefined && this.#before(x, y) < 0;
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#items[a], this.#items[b]];
    if (x === undefined || y === undefined) return;
    this.#put(x, b);
    this.#put(y, a);
  }
}
