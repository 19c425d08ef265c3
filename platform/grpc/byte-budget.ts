/**
 * Bytes that unfinished requests may hold together. When they exceed the limit, whoever holds most gives way: small
 * requests pass beside large ones that never end.
 */
export interface Holder {
  /** Ends the request; its bytes are released by then. */
  evict(): void;
}

export class ByteBudget<H extends Holder = Holder> {
  readonly #limit_bytes: number;
  readonly #held = new Map<H, number>();
  #total = 0;

  constructor(limit_bytes: number) {
    this.#limit_bytes = limit_bytes;
  }

  get total(): number {
    return this.#total;
  }

  /** Whoever holds anything now. */
  holders(): Iterable<H> {
    return this.#held.keys();
  }

  /** Sets what `holder` holds now; 0 releases. May evict holders, this one among them. */
  set(holder: H, bytes: number): void {
    this.#total += bytes - (this.#held.get(holder) ?? 0);
    if (bytes === 0) this.#held.delete(holder);
    else this.#held.set(holder, bytes);
    while (this.#total > this.#limit_bytes) this.#evictLargest();
  }

  #evictLargest(): void {
    let largest: H | undefined;
    let most = 0;
    for (const [holder, bytes] of this.#held) {
      if (bytes <= most) continue;
      largest = holder;
      most = bytes;
    }
    if (largest === undefined) return;
    this.set(largest, 0);
    largest.evict();
  }
}
