/** What a ReplicaSet does and reports. Pure functions of a look (k8s.io/kubernetes/pkg/controller/replicaset). */
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../../../apimachinery/gen/types.js';
import { labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import { toTime } from '../../../platform/clock.js';
import { withCondition, withoutCondition } from '../lib/conditions.js';
import type { PodPlan } from '../lib/workload/pod-control.js';
import type { PodLook, PodReport } from '../lib/workload/pod-owner.js';
import { podFromTemplate } from '../lib/workload/pod-template.js';
import { availableIn_ms, isActive, isFinished, isReady, isTerminating } from '../lib/pods.js';
import { chooseForDeletion } from '../lib/workload/ranking.js';

/** Pods created or deleted in one look at a set. */
export const BURST_MAX = 500;

interface ReplicaSetFacts {
  /** Pods of all sets below the same owner: pods on the node that has most of them go first. */
  readonly related: readonly Pod[];
}

type ReplicaSetLook = PodLook<ReplicaSet, ReplicaSetFacts>;

const wantedOf = ({ spec }: ReplicaSet): number => spec?.replicas ?? 1;

/** The difference between the active pods and the wanted number. */
export function decide({ owner, pods, facts, now_ms }: ReplicaSetLook): PodPlan {
  const active = pods.filter(isActive);
  const missing = wantedOf(owner) - active.length;
  if (missing >= 0) {
    const draft = podFromTemplate(owner, owner.spec?.template);
    return { create: Array.from({ length: Math.min(missing, BURST_MAX) }, () => draft) };
  }
  return { remove: chooseForDeletion(active, Math.min(-missing, BURST_MAX), { related: facts.related, now_ms }) };
}

export function report({ owner, pods, now_ms }: ReplicaSetLook, failure: Error | undefined): PodReport<ReplicaSet> {
  const active = pods.filter(isActive);
  const waits_ms = active.map((pod) => availableIn_ms(pod, owner.spec?.minReadySeconds ?? 0, now_ms));
  const template = labelSelectorOfMap(owner.spec?.template?.metadata?.labels ?? {});
  const conditions = failureConditions(owner, { active: active.length, failure, now: toTime(now_ms) });
  const nextWait_ms = waits_ms.reduce((least, wait) => (wait > 0 ? Math.min(least, wait) : least), Infinity);
  return {
    status: {
      replicas: active.length,
      ...count('fullyLabeledReplicas', active.filter((pod) => template.matches(pod.metadata?.labels)).length),
      ...count('readyReplicas', active.filter(isReady).length),
      ...count('availableReplicas', waits_ms.filter((wait) => wait === 0).length),
      terminatingReplicas: pods.filter((pod) => isTerminating(pod) && !isFinished(pod)).length,
      ...(owner.metadata?.generation === undefined ? {} : { observedGeneration: owner.metadata.generation }),
      ...(conditions.length === 0 ? {} : { conditions: [...conditions] }),
    },
    lookAgainIn_ms: Number.isFinite(nextWait_ms) ? nextWait_ms : undefined,
  };
}

/** Zero counts are left out, as Kubernetes leaves them out. */
function count<K extends keyof ReplicaSetStatus>(name: K, value: number): Partial<Record<K, number>> {
  return value === 0 ? {} : ({ [name]: value } as Record<K, number>);
}

interface Outcome {
  readonly active: number;
  readonly failure: Error | undefined;
  readonly now: string;
}

function failureConditions(set: ReplicaSet, { active, failure, now }: Outcome): readonly ReplicaSetCondition[] {
  const conditions = set.status?.conditions ?? [];
  if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure');
  const reason = active < wantedOf(set) ? 'FailedCreate' : 'FailedDelete';
  return withCondition<ReplicaSetCondition>(conditions, {
    type: 'ReplicaFailure',
    status: 'True',
    reason,
    message: failure.message,
    lastTransitionTime: now,
  });
}
