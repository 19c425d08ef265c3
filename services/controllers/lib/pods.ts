/** Facts about pods that several controllers ask for. */
import type { Pod, PodCondition } from '../../../apimachinery/gen/types.js';

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined;
}

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Counts towards replicas: neither finished nor going. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod);
}

/**
 * Milliseconds until the pod has been ready for `minReadySeconds`: 0 when it is available, Infinity when it is not
 * ready.
 */
export function availableIn_ms(pod: Pod, minReadySeconds: number, now_ms: number): number {
  if (!isReady(pod)) return Number.POSITIVE_INFINITY;
  if (minReadySeconds === 0) return 0;
  const since_ms = Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '');
  if (Number.isNaN(since_ms)) return Number.POSITIVE_INFINITY;
  return Math.max(0, since_ms + minReadySeconds * 1000 - now_ms);
}
