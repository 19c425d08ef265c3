/**
 * What a PodDisruptionBudget allows now, from its pods and the scales of their controllers. Pure functions of what is
 * handed in (k8s.io/kubernetes/pkg/controller/disruption).
 */
import { withDisruptionAllowed } from '../../../apimachinery/disruption.js';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../../apimachinery/gen/types.js';
import { scaledValue } from '../../../apimachinery/int-or-string.js';
import { toTime } from '../../../platform/clock.js';
import { controllerOf } from '../lib/owners.js';
import { isReady, isTerminating } from '../lib/pods.js';

/** An evicted pod that is still there after this time is not going, whoever booked it. */
const DISRUPTION_MS = 120_000;

/** What a controller, or the one above it, wants; `uid` is that of the object with the number. */
export interface ControllerScale {
  readonly uid: string;
  readonly replicas: number;
}

/** By uid of a pod's controller. */
export type Scales = ReadonlyMap<string, ControllerScale>;

export interface Look {
  readonly budget: PodDisruptionBudget;
  /** Those that its selector matches. */
  readonly pods: readonly Pod[];
  readonly now_ms: number;
}

export interface Decision {
  readonly status: PodDisruptionBudgetStatus;
  /** Until a booked disruption lapses; undefined: none is booked. */
  readonly recheckIn_ms: number | undefined;
  /** Booked, and still there when their time was over. */
  readonly notDeleted: readonly Pod[];
  /** Without a controller, where the budget counts by controllers. */
  readonly unmanaged: readonly Pod[];
}

/** Whether the budget is a share of what the pods' controllers want; a plain `minAvailable` counts pods alone. */
export function countsByScale({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string';
}

export function decide(look: Look, scales: Scales): Decision {
  const { budget, pods, now_ms } = look;
  const { expected, desired } = expectation(look, scales);
  const { disrupted, recheckIn_ms, notDeleted } = booked(look);
  const healthy = pods.filter(
    (pod) => !isTerminating(pod) && disrupted[pod.metadata?.name ?? ''] === undefined && isReady(pod),
  ).length;
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const observedGeneration = budget.metadata?.generation ?? 0;
  return {
    status: {
      observedGeneration,
      disruptionsAllowed,
      currentHealthy: healthy,
      desiredHealthy: desired,
      expectedPods: expected,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      conditions: withDisruptionAllowed(budget.status?.conditions ?? [], {
        disruptionsAllowed,
        observedGeneration,
        now: toTime(now_ms),
      }),
    },
    recheckIn_ms,
    notDeleted,
    unmanaged: countsByScale(budget) ? pods.filter((pod) => controllerOf(pod) === undefined) : [],
  };
}

/** Nothing is known: nothing may be disrupted, and the condition says why. */
export function failedStatus({ budget, now_ms }: Look, failure: string): PodDisruptionBudgetStatus {
  const { status } = budget;
  const verdict = {
    disruptionsAllowed: 0,
    observedGeneration: status?.observedGeneration ?? 0,
    failure,
    now: toTime(now_ms),
  };
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...status,
    disruptionsAllowed: 0,
    conditions: withDisruptionAllowed(status?.conditions ?? [], verdict),
  };
}

function expectation(
  { budget: { spec }, pods }: Look,
  scales: Scales,
): { readonly expected: number; readonly desired: number } {
  const { maxUnavailable, minAvailable } = spec ?? {};
  if (maxUnavailable !== undefined) {
    const expected = wantedOf(pods, scales);
    return { expected, desired: Math.max(0, expected - (scaledValue(maxUnavailable, expected, 'up') ?? 0)) };
  }
  if (typeof minAvailable === 'string') {
    const expected = wantedOf(pods, scales);
    return { expected, desired: scaledValue(minAvailable, expected, 'up') ?? expected };
  }
  return { expected: minAvailable === undefined ? 0 : pods.length, desired: minAvailable ?? 0 };
}

/** The sum over the distinct controllers: several may share one above them. Pods without one count for nothing. */
function wantedOf(pods: readonly Pod[], scales: Scales): number {
  const distinct = new Map<string, number>();
  for (const pod of pods) {
    const scale = scales.get(controllerOf(pod)?.uid ?? '');
    if (scale !== undefined) distinct.set(scale.uid, scale.replicas);
  }
  return [...distinct.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** Which evictions are still awaited. A pod that is going already needs no booking: it counts as unhealthy anyway. */
function booked({ budget, pods, now_ms }: Look): {
  readonly disrupted: Record<string, string>;
  readonly recheckIn_ms: number | undefined;
  readonly notDeleted: readonly Pod[];
} {
  const disrupted: Record<string, string> = {};
  const notDeleted: Pod[] = [];
  let recheckIn_ms: number | undefined;
  for (const pod of pods) {
    const name = pod.metadata?.name ?? '';
    const { [name]: since } = budget.status?.disruptedPods ?? {};
    if (since === undefined || isTerminating(pod)) continue;
    const left_ms = Date.parse(since) + DISRUPTION_MS - now_ms;
    if (left_ms <= 0) {
      notDeleted.push(pod);
      continue;
    }
    disrupted[name] = since;
    recheckIn_ms = Math.min(left_ms, recheckIn_ms ?? left_ms);
  }
  return { disrupted, recheckIn_ms, notDeleted };
}
