/** Questions about a pod's state that schedulers, controllers and proxies ask. */
import { conditionOf, conditionTrue } from '../lib/conditions.js';
import { timeOf } from '../lib/duration.js';
import { absent, at, str } from '../lib/value.js';

/** The condition Ready is True. */
export function podReady(pod: unknown): boolean {
  return conditionTrue(pod, 'Ready');
}

/** Ready for at least `minReadySeconds`, at `now_ms`. */
export function podAvailable(pod: unknown, minReadySeconds: number, now_ms: number): boolean {
  if (!podReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since_ms = timeOf(conditionOf(pod, 'Ready')?.['lastTransitionTime']);
  return since_ms !== undefined && since_ms + minReadySeconds * 1000 <= now_ms;
}

/** Succeeded or Failed: it will never run again. */
export function podFinished(pod: unknown): boolean {
  const phase = str(at(pod, 'status', 'phase'));
  return phase === 'Succeeded' || phase === 'Failed';
}

export function beingDeleted(object: unknown): boolean {
  return !absent(at(object, 'metadata', 'deletionTimestamp'));
}

/** Neither finished nor on its way out: what a workload controller counts. */
export function podActive(pod: unknown): boolean {
  return !podFinished(pod) && !beingDeleted(pod);
}
