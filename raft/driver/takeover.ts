/**
 * Asks for votes before an election timeout: when the leader's stream broke, and when a cluster starts. If the others noticed too,
 * they grant a pre-vote; if not, nothing is disturbed. Somebody may notice later than we ask, or the vote be split, so it asks
 * again until there is a leader, a few times; then it is left to the election timeout.
 */
import type { Clock, Timer } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import type { MemberSettings } from './options.js';

const ATTEMPTS = 5;

export interface TakeoverOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: MemberSettings;
  /** Asks, unless there is a leader: then it returns false. */
  ask(): boolean;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  #timer: Timer | undefined;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** `rank`: how many who may ask too come before this member. One after the other, or they would split the vote. */
  leaderLost(rank: number): void {
    const { random, settings } = this.#options;
    this.#askAfter((rank + random.next() / 4) * settings.takeover_ms, ATTEMPTS);
  }

  /** If there is a leader, it is heard before, or voters ignore us. */
  started(rank: number): void {
    const { random, settings } = this.#options;
    this.#askAfter((1 + rank + random.next() / 4) * settings.heartbeat_ms, ATTEMPTS);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #askAfter(delay_ms: number, attempts: number): void {
    const { clock, random, settings, ask } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.after(delay_ms, () => {
      if (attempts > 0 && ask()) this.#askAfter((2 + 2 * random.next()) * settings.takeover_ms, attempts - 1);
    });
  }
}
