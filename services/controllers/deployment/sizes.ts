/** The arithmetic of rolling updates (k8s.io/kubernetes/pkg/controller/deployment/util). Pure functions. */
import type { Deployment, ReplicaSet } from '../../../apimachinery/gen/types.js';

export interface Surge {
  /** Pods above the wanted number. */
  readonly surge: number;
  /** Pods below the wanted number that may be missing. */
  readonly unavailable: number;
}

function resolve(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = Number.parseInt(value, 10);
  const exact = (percent * total) / 100;
  return roundUp ? Math.ceil(exact) : Math.floor(exact);
}

/** Never both zero: nothing could move then. */
export function surgeOf(deployment: Deployment): Surge {
  const wanted = replicasOf(deployment);
  if (deployment.spec?.strategy?.type === 'Recreate' || wanted === 0) return { surge: 0, unavailable: 0 };
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const surge = resolve(rolling?.maxSurge ?? '25%', wanted, true);
  const unavailable = Math.min(resolve(rolling?.maxUnavailable ?? '25%', wanted, false), wanted);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export function replicasOf(object: Deployment | ReplicaSet): number {
  return object.spec?.replicas ?? 1;
}

export function totalReplicas(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0);
}

export function totalOf(
  sets: readonly ReplicaSet[],
  field: 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas',
): number {
  return sets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0);
}

/** How many the new set is to have now: up to the wanted number, as far as the surge allows. */
export function newSetReplicas(deployment: Deployment, all: readonly ReplicaSet[], newSet: ReplicaSet): number {
  const wanted = replicasOf(deployment);
  if (deployment.spec?.strategy?.type === 'Recreate') return wanted;
  const current = totalReplicas(all);
  const most = wanted + surgeOf(deployment).surge;
  if (current >= most) return replicasOf(newSet);
  return replicasOf(newSet) + Math.min(most - current, wanted - replicasOf(newSet));
}

/** Whether what the set says of its pods is said of the size it has now. */
export function isObserved(set: ReplicaSet): boolean {
  return (set.status?.observedGeneration ?? 0) >= (set.metadata?.generation ?? 0);
}

/**
 * New sizes of the old sets, by name; only those that change. Unhealthy pods go first, then as availability allows.
 * None while a set has yet to report on the size it was given: one that was emptied and grows again (undo) may still
 * boast of pods that are gone.
 */
export function oldSetReplicas(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet,
): ReadonlyMap<string, number> {
  if (!all.every(isObserved)) return new Map();
  const old = all
    .filter((set) => set.metadata?.name !== newSet.metadata?.name && replicasOf(set) > 0)
    .toSorted(byCreation);
  const sizes = new Map(old.map((set) => [set.metadata?.name ?? '', replicasOf(set)]));
  const minAvailable = replicasOf(deployment) - surgeOf(deployment).unavailable;
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  let budget = totalReplicas(all) - minAvailable - newUnavailable;
  for (const set of old) {
    if (budget <= 0) break;
    const unhealthy = replicasOf(set) - (set.status?.availableReplicas ?? 0);
    const cut = Math.min(Math.max(unhealthy, 0), budget);
    shrink(sizes, set, cut);
    budget -= cut;
  }
  let available = totalOf(all, 'availableReplicas') - minAvailable;
  for (const set of old) {
    if (available <= 0) break;
    const cut = Math.min(sizes.get(set.metadata?.name ?? '') ?? 0, available);
    shrink(sizes, set, cut);
    available -= cut;
  }
  return new Map(
    [...sizes].filter(([name, size]) => old.some((set) => set.metadata?.name === name && replicasOf(set) !== size)),
  );
}

function shrink(sizes: Map<string, number>, set: ReplicaSet, by: number): void {
  const name = set.metadata?.name ?? '';
  sizes.set(name, (sizes.get(name) ?? 0) - by);
}

export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const difference = Date.parse(a.metadata?.creationTimestamp ?? '') - Date.parse(b.metadata?.creationTimestamp ?? '');
  if (difference !== 0 && !Number.isNaN(difference)) return difference;
  return (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
}

/**
 * Sizes of all active sets after `spec.replicas` changed in the middle of a rollout: the difference is spread in
 * proportion, the largest sets first ("Proportional scaling"). `before`: the wanted number plus surge that the sets
 * were sized for.
 */
export function proportionalReplicas(
  deployment: Deployment,
  active: readonly ReplicaSet[],
  before: number,
): ReadonlyMap<string, number> {
  const allowed = replicasOf(deployment) === 0 ? 0 : replicasOf(deployment) + surgeOf(deployment).surge;
  const sizes = new Map(active.map((set) => [set.metadata?.name ?? '', replicasOf(set)]));
  let left = allowed - totalReplicas(active);
  const growing = left > 0;
  const sorted = active.toSorted(
    (a, b) => replicasOf(b) - replicasOf(a) || (growing ? byCreation(b, a) : byCreation(a, b)),
  );
  for (const set of sorted) {
    if (left === 0) break;
    const share = Math.round((replicasOf(set) * allowed) / Math.max(before, 1)) - replicasOf(set);
    const change = growing ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
    sizes.set(set.metadata?.name ?? '', replicasOf(set) + change);
    left -= change;
  }
  const largest = sorted[0]?.metadata?.name;
  if (left !== 0 && largest !== undefined) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + left));
  return sizes;
}
