/**
 * Pages of long results that were sent ahead to the other thread and are not given back yet: there they take memory
 * until a client has taken them. Beyond the limit reads wait; the oldest alone goes on, so that each comes to its end.
 * A transaction that writes cannot wait while it is applied, since everything behind it would, too: its result is there
 * as a whole, and beyond a limit of its own it is let go.
 */
export class PagesAhead {
  readonly #limit_bytes: number;
  readonly #limitOfWrites_bytes: number;
  /** By call, oldest first. */
  readonly #held = new Map<number, { attempt: number; bytes: number }>();
  #waiting: { readonly id: number; readonly go: () => void }[] = [];
  #total_bytes = 0;

  constructor(limit_bytes: number, limitOfWrites_bytes = Infinity) {
    this.#limit_bytes = limit_bytes;
    this.#limitOfWrites_bytes = limitOfWrites_bytes;
  }

  get total_bytes(): number {
    return this.#total_bytes;
  }

  /** Those of an earlier attempt are void. */
  add(id: number, attempt: number, bytes: number): void {
    const held = this.#held.get(id) ?? { attempt, bytes: 0 };
    if (held.attempt !== attempt) this.#total_bytes -= held.bytes;
    this.#held.set(id, { attempt, bytes: (held.attempt === attempt ? held.bytes : 0) + bytes });
    this.#total_bytes += bytes;
  }

  /**
   * Counts the whole result of a transaction that has been applied. False: there is no room, and nothing was counted.
   * One alone always has it.
   */
  take(id: number, bytes: number): boolean {
    if (this.#total_bytes > 0 && this.#total_bytes + bytes > this.#limitOfWrites_bytes) return false;
    this.add(id, 0, bytes);
    return true;
  }

  isFull(id: number): boolean {
    if (this.#total_bytes <= this.#limit_bytes || !this.#held.has(id)) return false;
    const [oldest] = this.#held.keys();
    return oldest !== id;
  }

  /** Resolves when the call may go on. */
  room(id: number): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ id, go });
      this.#wake();
    });
  }

  /** Given back, or never to be asked for again. */
  release(id: number): void {
    this.#total_bytes -= this.#held.get(id)?.bytes ?? 0;
    this.#held.delete(id);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      if (this.isFull(one.id)) this.#waiting.push(one);
      else one.go();
    }
  }
}
