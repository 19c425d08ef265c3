/** The status of a deployment, from its replica sets. Pure functions of what the cache holds and the time. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { conditionOf, withCondition, withoutCondition } from '../lib/conditions.js';
import { replicasOf, surgeOf, totalOf, totalReplicas } from './sizes.js';

export const AVAILABLE_REASON = 'NewReplicaSetAvailable';
export const TIMED_OUT_REASON = 'ProgressDeadlineExceeded';

export interface Observed {
  readonly deployment: Deployment;
  readonly sets: readonly ReplicaSet[];
  readonly newSet: ReplicaSet | undefined;
  readonly now_ms: number;
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0)
  );
}

export function statusOf(observed: Observed): DeploymentStatus {
  const { deployment, sets, newSet, now_ms } = observed;
  const available = totalOf(sets, 'availableReplicas');
  const counts: DeploymentStatus = {
    ...(deployment.metadata?.generation === undefined ? {} : { observedGeneration: deployment.metadata.generation }),
    ...positive('replicas', totalOf(sets, 'replicas')),
    ...positive('updatedReplicas', newSet?.status?.replicas ?? 0),
    ...positive('readyReplicas', totalOf(sets, 'readyReplicas')),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', Math.max(0, totalReplicas(sets) - available)),
    ...terminating(sets),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
  const conditions = conditionsOf(observed, counts, toTime(now_ms));
  return { ...counts, ...(conditions.length === 0 ? {} : { conditions: [...conditions] }) };
}

/** Zero is said, too: absent is not known, as when a set was last looked at by a controller that did not count. */
function terminating(sets: readonly ReplicaSet[]): Pick<DeploymentStatus, 'terminatingReplicas'> {
  const isUnknown = sets.some(
    ({ status }) => (status?.observedGeneration ?? 0) > 0 && status?.terminatingReplicas === undefined,
  );
  return isUnknown ? {} : { terminatingReplicas: totalOf(sets, 'terminatingReplicas') };
}

function positive<K extends keyof DeploymentStatus>(name: K, value: number): Partial<Record<K, number>> {
  return value === 0 ? {} : ({ [name]: value } as Record<K, number>);
}

function conditionsOf(observed: Observed, counts: DeploymentStatus, now: string): readonly DeploymentCondition[] {
  const { deployment, sets } = observed;
  let conditions: readonly DeploymentCondition[] = deployment.status?.conditions ?? [];
  const enough = (counts.availableReplicas ?? 0) >= replicasOf(deployment) - surgeOf(deployment).unavailable;
  conditions = set(
    conditions,
    now,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
  );
  const failure = sets
    .map((s) => s.status?.conditions?.find((c) => c.type === 'ReplicaFailure'))
    .find((c) => c?.status === 'True');
  conditions =
    failure === undefined
      ? withoutCondition(conditions, 'ReplicaFailure')
      : set(conditions, now, {
          type: 'ReplicaFailure',
          status: 'True',
          reason: failure.reason ?? '',
          message: failure.message ?? '',
        });
  const progress = progressOf(observed, counts);
  if (progress === undefined) return conditions;
  const next = set(conditions, now, progress);
  // Progress that reads like the last one still moves the deadline.
  return next === conditions && madeProgress(deployment, counts)
    ? conditions.map((condition) =>
        condition.type === 'Progressing' ? { ...condition, lastUpdateTime: now } : condition,
      )
    : next;
}

type Change = Pick<DeploymentCondition, 'type' | 'status'> & { readonly reason: string; readonly message: string };

/** `lastUpdateTime` moves with every change: the progress deadline is counted from it. */
function set(conditions: readonly DeploymentCondition[], now: string, change: Change): readonly DeploymentCondition[] {
  return withCondition<DeploymentCondition>(conditions, { ...change, lastTransitionTime: now, lastUpdateTime: now });
}

/** Progress is reported for as long as there is a deadline (`progressDeadlineSeconds`; 2^31-1 means none). */
function deadline_ms(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds === undefined || seconds === 2 ** 31 - 1 ? undefined : seconds * 1000;
}

/**
 * Milliseconds until the deadline of a rollout that is under way; undefined: none is, or it is paused or over its
 * deadline already.
 */
export function progressDeadlineIn_ms(
  deployment: Deployment,
  status: DeploymentStatus,
  now_ms: number,
): number | undefined {
  const limit_ms = deadline_ms(deployment);
  const progressing = conditionOf(status.conditions, 'Progressing');
  if (limit_ms === undefined || progressing === undefined || deployment.spec?.paused === true) return undefined;
  if (progressing.reason === AVAILABLE_REASON || progressing.reason === TIMED_OUT_REASON) return undefined;
  return Date.parse(progressing.lastUpdateTime ?? '') + limit_ms - now_ms;
}

function progressOf(observed: Observed, counts: DeploymentStatus): Change | undefined {
  const { deployment, newSet, now_ms } = observed;
  const limit_ms = deadline_ms(deployment);
  if (limit_ms === undefined) return undefined;
  const current = conditionOf(deployment.status?.conditions, 'Progressing');
  const name =
    newSet === undefined
      ? `Deployment "${deployment.metadata?.name ?? ''}"`
      : `ReplicaSet "${newSet.metadata?.name ?? ''}"`;
  if (deployment.spec?.paused === true) {
    return { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  }
  if (isComplete(deployment, counts)) {
    return {
      type: 'Progressing',
      status: 'True',
      reason: AVAILABLE_REASON,
      message: `${name} has successfully progressed.`,
    };
  }
  // A change of the spec begins a rollout anew: when the one before ended says nothing of this one's deadline.
  const over = current?.reason === AVAILABLE_REASON || current?.reason === TIMED_OUT_REASON;
  if (
    madeProgress(deployment, counts) ||
    current === undefined ||
    current.reason === 'DeploymentPaused' ||
    (over && !sameGeneration(deployment))
  ) {
    return { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `${name} is progressing.` };
  }
  if (current.reason === AVAILABLE_REASON) return undefined;
  const since_ms = Date.parse(current.lastUpdateTime ?? '');
  if (current.reason !== TIMED_OUT_REASON && now_ms > since_ms + limit_ms) {
    return {
      type: 'Progressing',
      status: 'False',
      reason: TIMED_OUT_REASON,
      message: `${name} has timed out progressing.`,
    };
  }
  return undefined;
}

const sameGeneration = (deployment: Deployment) =>
  (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);

function madeProgress(deployment: Deployment, now: DeploymentStatus): boolean {
  const before = deployment.status ?? {};
  const oldReplicas = (s: DeploymentStatus) => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldReplicas(now) < oldReplicas(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}
