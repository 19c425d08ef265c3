/** How many connections are open to each target, and in all, up to limits. */
export interface SlotLimits {
  readonly total: number;
  readonly perTarget: number;
}

export class Slots {
  readonly #limits: SlotLimits;
  readonly #byTarget = new Map<string, number>();
  #total = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Takes a slot until what it returns is called, once or more often. Undefined: a limit is reached. */
  enter(target: string): (() => void) | undefined {
    const count = this.#byTarget.get(target) ?? 0;
    if (this.#total >= this.#limits.total || count >= this.#limits.perTarget) return undefined;
    this.#total++;
    this.#byTarget.set(target, count + 1);
    let inside = true;
    return () => {
      if (inside) this.#leave(target);
      inside = false;
    };
  }

  #leave(target: string): void {
    this.#total--;
    const count = (this.#byTarget.get(target) ?? 1) - 1;
    if (count === 0) this.#byTarget.delete(target);
    else this.#byTarget.set(target, count);
  }
}
