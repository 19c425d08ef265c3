/**
 * Which pods are garbage (k8s.io/kubernetes/pkg/controller/podgc). Pure functions, and the memory of which nodes are
 * missing since when.
 */
import type { Pod } from '../../../apimachinery/gen/types.js';
import type { Clock } from '../../../platform/clock.js';
import { isFinished, isTerminating } from '../lib/pods.js';

/** Finished pods beyond this number go, the oldest first (--terminated-pod-gc-threshold). */
export const FINISHED_MAX = 12_500;
/** A node must be missing for this long before its pods are given up: it may be registering again. */
export const QUARANTINE_MS = 40_000;

export interface Garbage {
  /** Their node is gone for good: no kubelet will report that they have ended. */
  readonly orphans: readonly Pod[];
  /** Too many finished ones. */
  readonly surplus: readonly Pod[];
}

const nodeOf = ({ spec }: Pod): string => spec?.nodeName ?? '';
const createdAt = ({ metadata }: Pod): number => Date.parse(metadata?.creationTimestamp ?? '');

export function garbageOf(pods: readonly Pod[], givenUp: ReadonlySet<string>): Garbage {
  const finished = pods.filter((pod) => isFinished(pod) && !isTerminating(pod));
  const surplus = Math.max(0, finished.length - FINISHED_MAX);
  return {
    orphans: pods.filter((pod) => givenUp.has(nodeOf(pod))),
    surplus: surplus === 0 ? [] : finished.toSorted((a, b) => createdAt(a) - createdAt(b)).slice(0, surplus),
  };
}

/** Since when the nodes of pods are missing, on this process's own clock. */
export class MissingNodes {
  readonly #clock: Clock;
  readonly #since_ms = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The nodes that pods name and that have been missing for the whole quarantine, at every look since its beginning.
   */
  givenUp(pods: readonly Pod[], isPresent: (node: string) => boolean): ReadonlySet<string> {
    const now_ms = this.#clock.monotonic();
    const missing = new Set(pods.map(nodeOf).filter((name) => name !== '' && !isPresent(name)));
    for (const name of this.#since_ms.keys()) if (!missing.has(name)) this.#since_ms.delete(name);
    for (const name of missing) if (!this.#since_ms.has(name)) this.#since_ms.set(name, now_ms);
    return new Set(
      [...this.#since_ms].filter(([, since_ms]) => now_ms - since_ms >= QUARANTINE_MS).map(([name]) => name),
    );
  }
}
