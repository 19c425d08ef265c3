/**
 * How long a pod tolerates the NoExecute taints of its node. Pure functions, and the memory of when each taint began to
 * count.
 */
import type { Pod, Taint } from '../../../apimachinery/gen/types.js';
import { approximate } from '../../../apimachinery/int64.js';
import { toleratesTaint } from '../../../apimachinery/kinds/pod/tolerations.js';
import type { Clock } from '../../../platform/clock.js';
import { podCondition } from '../lib/pods.js';

/**
 * Milliseconds until the pod has to go; 0: now; undefined: it may stay. `elapsed_ms` gives how long a taint has counted
 * for the pod.
 */
export function evictionIn_ms(
  pod: Pod,
  taints: readonly Taint[],
  elapsed_ms: (taint: Taint) => number,
): number | undefined {
  let earliest_ms: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const matching = (pod.spec?.tolerations ?? []).filter((toleration) => toleratesTaint(toleration, taint));
    if (matching.length === 0) return 0;
    const limits = matching
      .map((toleration) => toleration.tolerationSeconds)
      .filter((seconds) => seconds !== undefined)
      .map(approximate);
    if (limits.length === 0) continue;
    const left_ms = Math.max(0, Math.max(0, Math.min(...limits)) * 1000 - elapsed_ms(taint));
    if (earliest_ms === undefined || left_ms < earliest_ms) earliest_ms = left_ms;
  }
  return earliest_ms;
}

interface Sighting {
  readonly uid: string;
  /** Taint -> monotonic time from which it counts. */
  readonly since_ms: Map<string, number>;
}

const idOf = ({ key, value, effect }: Taint) => `${key}=${value ?? ''}:${effect}`;

/**
 * From when each taint counts for a pod: fixed at the first look, on this process's own clock, so that no later look
 * moves a deadline. A first look that comes late (the controllers have just moved to this member) goes by the times in
 * the objects, where there are any.
 */
export class TaintSightings {
  readonly #clock: Clock;
  readonly #pods = new Map<string, Sighting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes the taints that are there now, forgets those that went. */
  look(key: string, pod: Pod, taints: readonly Taint[]): void {
    const before = this.#pods.get(key);
    if (taints.length === 0) {
      this.#pods.delete(key);
      return;
    }
    const known = before?.uid === pod.metadata?.uid ? before?.since_ms : undefined;
    const since_ms = new Map(
      taints.map((taint) => [
        idOf(taint),
        known?.get(idOf(taint)) ?? this.#clock.monotonic() - this.#age_ms(pod, taint),
      ]),
    );
    this.#pods.set(key, { uid: pod.metadata?.uid ?? '', since_ms });
  }

  elapsed_ms(key: string, taint: Taint): number {
    const now_ms = this.#clock.monotonic();
    return now_ms - (this.#pods.get(key)?.since_ms.get(idOf(taint)) ?? now_ms);
  }

  forget(key: string): void {
    this.#pods.delete(key);
  }

  /**
   * Neither before the taint was there nor before the pod was; 0 for a taint without time, as `kubectl taint` makes it.
   */
  #age_ms(pod: Pod, taint: Taint): number {
    const scheduled = podCondition(pod, 'PodScheduled')?.lastTransitionTime ?? pod.metadata?.creationTimestamp ?? '';
    const from_ms = Math.max(Date.parse(taint.timeAdded ?? ''), Date.parse(scheduled));
    return Number.isNaN(from_ms) ? 0 : Math.max(0, this.#clock.now() - from_ms);
  }
}
