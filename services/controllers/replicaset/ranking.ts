/**
 * Which pods go first when there are too many (k8s.io/kubernetes/pkg/controller ActivePodsWithRanks): unassigned, pending,
 * not ready, cheap to delete, doubled up on a node, ready for a short time, restarted often, young.
 */
import type { Pod } from '../../../apimachinery/gen/types.js';
import { isReady, podCondition } from '../lib/pods.js';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

type Criterion = (pod: Pod) => number;

const restarts: Criterion = (pod) => Math.max(0, ...(pod.status?.containerStatuses ?? []).map((c) => c.restartCount));
const readySince: Criterion = (pod) => Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '') || 0;
const createdAt: Criterion = (pod) => Date.parse(pod.metadata?.creationTimestamp ?? '') || 0;

/** Sorted so that the first are deleted first. `siblings`: all active pods of the owner, to count those on one node. */
export function rankForDeletion(pods: readonly Pod[], siblings: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of siblings) {
    const node = pod.spec?.nodeName ?? '';
    if (node !== '') perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  // Each criterion: the smaller value goes first.
  const criteria: Criterion[] = [
    (pod) => ((pod.spec?.nodeName ?? '') === '' ? 0 : 1),
    (pod) => PHASE_RANK[pod.status?.phase ?? 'Pending'] ?? 0,
    (pod) => (isReady(pod) ? 1 : 0),
    (pod) => Number.parseInt(pod.metadata?.annotations?.[DELETION_COST] ?? '0', 10) || 0,
    (pod) => -(perNode.get(pod.spec?.nodeName ?? '') ?? 0),
    (pod) => (isReady(pod) ? -readySince(pod) : 0),
    (pod) => -restarts(pod),
    (pod) => -createdAt(pod),
  ];
  return pods.toSorted((a, b) => {
    for (const criterion of criteria) {
      const difference = criterion(a) - criterion(b);
      if (difference !== 0) return difference;
    }
    return (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
  });
}
