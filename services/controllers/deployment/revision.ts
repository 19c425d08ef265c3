/** Which replica set belongs to which revision of a deployment's template. */
import type { Deployment, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { INT64_MAX, INT64_MIN } from '../../../apimachinery/int64.js';
import { sameTemplate } from '../lib/workload/pod-template.js';
import { byCreation } from './sizes.js';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const NOT_COPIED = new Set([
  LAST_APPLIED,
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** The oldest set with the deployment's template: several may have it after a race, and the first counts. */
export function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byCreation).find((set) => sameTemplate(set.spec?.template, deployment.spec?.template));
}

/** An int64 in an annotation, which anyone may write: every digit counts. 0 for what is none. */
export function revisionOf(object: Deployment | ReplicaSet | undefined): bigint {
  const text = object?.metadata?.annotations?.[REVISION] ?? '';
  if (!/^[+-]?\d{1,19}$/.test(text)) return 0n;
  const revision = BigInt(text.replace('+', ''));
  return revision >= INT64_MIN && revision <= INT64_MAX ? revision : 0n;
}

const HISTORY_LENGTH_MAX = 2000;

/** The numbers that a set had before, with one more; the oldest go when the text becomes too long. */
export function historyWith(history: string | undefined, revision: bigint): string {
  const all = [...(history ?? '').split(',').filter((text) => text !== ''), String(revision)];
  while (all.join(',').length > HISTORY_LENGTH_MAX) all.shift();
  return all.join(',');
}

export const laterRevision = (a: bigint, b: bigint): bigint => (a > b ? a : b);

export function maxRevision(sets: readonly ReplicaSet[]): bigint {
  return sets.map(revisionOf).reduce(laterRevision, 0n);
}

/** For sorting: the older first. */
export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [revisionOf(a), revisionOf(b)];
  return left === right ? 0 : left < right ? -1 : 1;
}

/** Annotations of a deployment that its replica sets carry too. */
export function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata?.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)),
  );
}
