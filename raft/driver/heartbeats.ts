/**
 * How long a follower hears nothing from its leader: times from one heartbeat to the next, taken where they are worked
 * on, so that the leader's delay, the network's and this member's own are all in them. Those across a change of leader
 * or term do not count.
 */
import type { HeartbeatIntervals } from '../contract.js';

/** Upper bounds in milliseconds. Around the interval (50) and the election timeout (600) they are close. */
const BOUNDS_MS = [10, 25, 45, 55, 65, 80, 100, 125, 150, 200, 300, 450, 600, 1000, 2500] as const;

export class HeartbeatWatch {
  readonly #counts = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  #sum_ms = 0;
  #last: { readonly from: number; readonly term: number; readonly at_ms: number } | undefined;

  heard(from: number, term: number, at_ms: number): void {
    const last = this.#last;
    this.#last = { from, term, at_ms };
    if (last?.from !== from || last.term !== term) return;
    const interval_ms = at_ms - last.at_ms;
    const place = BOUNDS_MS.findIndex((bound_ms) => interval_ms <= bound_ms);
    const at = place === -1 ? BOUNDS_MS.length : place;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum_ms += interval_ms;
  }

  get intervals(): HeartbeatIntervals {
    return { bounds_ms: BOUNDS_MS, counts: [...this.#counts], sum_ms: this.#sum_ms };
  }
}
