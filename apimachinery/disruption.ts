/**
 * The condition `DisruptionAllowed` of a PodDisruptionBudget, which the eviction subresource and the disruption
 * controller both write.
 */
import type { Condition } from './gen/types.js';
import type { Int64 } from './int64.js';

export const DISRUPTION_ALLOWED = 'DisruptionAllowed';
/** The budget could not be computed: its numbers are not to be trusted. */
export const SYNC_FAILED = 'SyncFailed';

export interface DisruptionVerdict {
  readonly disruptionsAllowed: number;
  readonly observedGeneration: Int64;
  /** Why nothing could be computed. */
  readonly failure?: string;
  readonly now: string;
}

/** The conditions with this one as the verdict has it; its transition time moves with its status alone. */
export function withDisruptionAllowed(conditions: readonly Condition[], verdict: DisruptionVerdict): Condition[] {
  const { disruptionsAllowed, observedGeneration, failure, now } = verdict;
  const old = conditions.find(({ type }) => type === DISRUPTION_ALLOWED);
  const isAllowed = failure === undefined && disruptionsAllowed > 0;
  const status = isAllowed ? 'True' : 'False';
  const condition: Condition = {
    type: DISRUPTION_ALLOWED,
    status,
    observedGeneration,
    reason: failure !== undefined ? SYNC_FAILED : isAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: failure ?? '',
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
  };
  return old === undefined ? [...conditions, condition] : conditions.map((one) => (one === old ? condition : one));
}
