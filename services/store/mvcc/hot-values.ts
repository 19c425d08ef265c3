/**
 * Encoded versions that are in memory, by row: all that are not on disk yet, and of the others the newest, up to a limit; the
 * oldest of those go first. Without a disk nothing is ever on it, and everything stays.
 */

/** What an entry costs beside its bytes: the Buffer and its place in the map. */
const ENTRY_BYTES = 128;

export class HotValues {
  readonly #limit_bytes: number;
  readonly #pending = new Map<number, Buffer>();
  /** In the order they came. */
  readonly #hot = new Map<number, Buffer>();
  #hot_bytes = 0;

  constructor(limit_bytes: number) {
    this.#limit_bytes = limit_bytes;
  }

  get(row: number): Buffer | undefined {
    return this.#pending.get(row) ?? this.#hot.get(row);
  }

  /** Not on disk yet: it stays until `settled`. */
  add(row: number, bytes: Buffer): void {
    this.#pending.set(row, bytes);
  }

  /** These bytes are on disk. Passed over when the row is another's by now. */
  settled(row: number, bytes: Buffer): void {
    if (this.#pending.get(row) !== bytes) return;
    this.#pending.delete(row);
    this.keep(row, bytes);
  }

  /** On disk, and perhaps wanted again. */
  keep(row: number, bytes: Buffer): void {
    this.#hot.set(row, bytes);
    this.#hot_bytes += bytes.length + ENTRY_BYTES;
    if (this.#hot_bytes > this.#limit_bytes) this.#shrink();
  }

  /** The version is gone. */
  drop(row: number): void {
    if (this.#pending.delete(row)) return;
    const bytes = this.#hot.get(row);
    if (bytes === undefined) return;
    this.#hot.delete(row);
    this.#hot_bytes -= bytes.length + ENTRY_BYTES;
  }

  /** An eighth at once: a map remembers what was taken from its front until it is rebuilt, and walks over it each time. */
  #shrink(): void {
    const goal_bytes = this.#limit_bytes * (7 / 8);
    for (const [row, { length }] of this.#hot) {
      if (this.#hot_bytes <= goal_bytes) return;
      this.#hot.delete(row);
      this.#hot_bytes -= length + ENTRY_BYTES;
    }
  }
}
