/**
 * Many who each do a little, shared out over turns of the event loop: in one turn all of them together do no more than
 * so many units. As long as that is enough nobody waits; afterwards whoever has waited longest goes on in the next
 * turn.
 */
import type { Clock } from './clock.js';

interface Waiting {
  readonly units: number;
  readonly go: () => void;
}

export class TurnBudget {
  readonly #clock: Pick<Clock, 'immediate'>;
  readonly #units: number;
  #left: number;
  #waiting: Waiting[] = [];
  #isTurning = false;

  /** `units`: of one turn. What costs more than all of them has a turn of its own. */
  constructor(clock: Pick<Clock, 'immediate'>, units: number) {
    this.#clock = clock;
    this.#units = units;
    this.#left = units;
  }

  /** Before something that costs so much is done. A promise, when its turn is a later one: to be awaited first. */
  spend(units: number): Promise<void> | undefined {
    if (!this.#isTurning) {
      this.#isTurning = true;
      this.#clock.immediate(() => this.#turn());
    }
    if (this.#waiting.length === 0 && this.#fits(units)) return undefined;
    return new Promise((go) => this.#waiting.push({ units, go }));
  }

  #fits(units: number): boolean {
    if (units > this.#left && this.#left < this.#units) return false;
    this.#left -= units;
    return true;
  }

  #turn(): void {
    this.#left = this.#units;
    if (this.#waiting.length === 0) {
      this.#isTurning = false;
      return;
    }
    this.#clock.immediate(() => this.#turn());
    let gone = 0;
    while (gone < this.#waiting.length && this.#fits(this.#waiting[gone]?.units ?? 0)) this.#waiting[gone++]?.go();
    this.#waiting = this.#waiting.slice(gone);
  }
}
