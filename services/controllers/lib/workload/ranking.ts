/**
 * Which pods go first when there are too many (k8s.io/kubernetes/pkg/controller ActivePodsWithRanks): unassigned,
 * pending, not ready, cheap to delete, doubled up on a node, ready for a short time, restarted often, young. Ages are
 * compared by orders of magnitude, and pods of the same order by uid, so that not always the newest node loses its pods
 * (KEP-2185).
 */
import type { ContainerStatus, Pod } from '../../../../apimachinery/gen/types.js';
import { isActive, isReady, podCondition } from '../pods.js';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const INT32_MAX = 2 ** 31 - 1;
const NANOSECONDS_PER_MS = 1_000_000;

interface RankingOptions {
  /** Pods that count for how crowded a node is: usually those of all owners below the same one. */
  readonly related: readonly Pod[];
  readonly now_ms: number;
}

/** Negative: `a` goes first; positive: `b`; 0: the next criterion decides. */
type Criterion = (a: Pod, b: Pod) => number;

/** Sorted so that the first are deleted first. */
export function rankForDeletion(pods: readonly Pod[], options: RankingOptions): Pod[] {
  const criteria = criteriaOf(options);
  return pods.toSorted((a, b) => {
    for (const criterion of criteria) {
      const difference = criterion(a, b);
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

/** The `count` pods to delete; no ranking is needed to delete all of them. */
export function chooseForDeletion(pods: readonly Pod[], count: number, options: RankingOptions): Pod[] {
  return count >= pods.length ? [...pods] : rankForDeletion(pods, options).slice(0, count);
}

function criteriaOf({ related, now_ms }: RankingOptions): readonly Criterion[] {
  const crowd = perNode(related);
  return [
    ascending((pod) => (nodeOf(pod) === '' ? 0 : 1)),
    ascending((pod) => PHASE_RANK[pod.status?.phase ?? ''] ?? 0),
    ascending((pod) => (isReady(pod) ? 1 : 0)),
    ascending(deletionCost),
    descending((pod) => crowd.get(nodeOf(pod)) ?? 0),
    // Both are ready here, or neither.
    (a, b) => (isReady(a) ? youngerFirst({ a, b, now_ms, timeOf: readySince }) : 0),
    descending((pod) => maxRestarts(pod.status?.containerStatuses)),
    descending(sidecarRestarts),
    (a, b) => youngerFirst({ a, b, now_ms, timeOf: createdAt }),
  ];
}

const ascending =
  (of: (pod: Pod) => number): Criterion =>
  (a, b) =>
    of(a) - of(b);
const descending =
  (of: (pod: Pod) => number): Criterion =>
  (a, b) =>
    of(b) - of(a);

const nodeOf = ({ spec }: Pod): string => spec?.nodeName ?? '';
/** NaN when the time is not known. */
const readySince = (pod: Pod): number => Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '');
const createdAt = ({ metadata }: Pod): number => Date.parse(metadata?.creationTimestamp ?? '');

function perNode(pods: readonly Pod[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const pod of pods) if (isActive(pod)) counts.set(nodeOf(pod), (counts.get(nodeOf(pod)) ?? 0) + 1);
  return counts;
}

/** 0 for what is not an int32 in plain digits: "+10" and "008" count for nothing. */
function deletionCost({ metadata }: Pod): number {
  const text = metadata?.annotations?.[DELETION_COST] ?? '';
  const cost = /^(0|-\d+|[1-9]\d*)$/.test(text) ? Number(text) : 0;
  return cost > INT32_MAX || cost < -INT32_MAX - 1 ? 0 : cost;
}

const maxRestarts = (statuses: readonly ContainerStatus[] = []): number =>
  Math.max(0, ...statuses.map(({ restartCount }) => restartCount));

function sidecarRestarts({ spec, status }: Pod): number {
  const sidecars = new Set(
    (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  );
  return maxRestarts(status?.initContainerStatuses?.filter(({ name }) => sidecars.has(name)));
}

interface AgePair {
  readonly a: Pod;
  readonly b: Pod;
  readonly now_ms: number;
  readonly timeOf: (pod: Pod) => number;
}

function youngerFirst({ a, b, now_ms, timeOf }: AgePair): number {
  const [left, right] = [timeOf(a), timeOf(b)];
  const [isLeftUnknown, isRightUnknown] = [Number.isNaN(left), Number.isNaN(right)];
  if (isLeftUnknown || isRightUnknown) return Number(isRightUnknown) - Number(isLeftUnknown);
  if (left === right) return 0;
  const difference = magnitude(now_ms - left) - magnitude(now_ms - right);
  return difference === 0 ? byUid(a, b) : difference;
}

/**
 * Order of magnitude of an age, base 2, counted in nanoseconds. -1 for an age of nothing, as clocks that differ show
 * it.
 */
const magnitude = (age_ms: number): number => (age_ms > 0 ? Math.floor(Math.log2(age_ms * NANOSECONDS_PER_MS)) : -1);

const byUid = (a: Pod, b: Pod): number => {
  const [left, right] = [a.metadata?.uid ?? '', b.metadata?.uid ?? ''];
  return left === right ? 0 : left < right ? -1 : 1;
};
