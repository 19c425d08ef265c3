/**
 * PodDisruptionBudgets as preemption sees them: which of the pods that would go are protected beyond what is allowed.
 */
import type { PodDisruptionBudget } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { PodInfo } from '../framework/pod-info.js';

/** The budgets of a namespace. */
export type Budgets = (namespace: string) => readonly PodDisruptionBudget[];

/**
 * The pods whose loss would break a budget, if the pods went in this order. A pod that a budget already counts as gone
 * costs it nothing.
 */
export function violatingPods(pods: readonly PodInfo[], budgets: Budgets): ReadonlySet<PodInfo> {
  const left = new Map<PodDisruptionBudget, number>();
  const violating = new Set<PodInfo>();
  for (const pod of pods) {
    for (const budget of budgets(pod.namespace)) {
      if (!protects(budget, pod)) continue;
      const allowed = (left.get(budget) ?? budget.status?.disruptionsAllowed ?? 0) - 1;
      left.set(budget, allowed);
      if (allowed < 0) violating.add(pod);
    }
  }
  return violating;
}

/**
 * An empty selector protects nothing here, though it protects all from eviction (kube-scheduler,
 * filterPodsWithPDBViolation).
 */
function protects({ spec, status }: PodDisruptionBudget, pod: PodInfo): boolean {
  if (spec?.selector === undefined || Object.hasOwn(status?.disruptedPods ?? {}, pod.pod.metadata?.name ?? ''))
    return false;
  const selector = labelSelectorOf(spec.selector);
  return !selector.isEverything && Object.keys(pod.labels).length > 0 && selector.matches(pod.labels);
}
