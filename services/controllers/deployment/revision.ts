/** Which replica set belongs to which revision of a deployment's template, and what it is called. */
import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { encodeJson } from '../../../apimachinery/json-value.js';
import { INT64_MAX, INT64_MIN } from '../../../apimachinery/int64.js';
import { equalJson } from '../lib/equal.js';
import { byCreation } from './numbers.js';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const NOT_COPIED = new Set([LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, 'deprecated.deployment.rollback.to']);

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return equalJson(withoutHash(a), withoutHash(b));
}

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

export const laterRevision = (a: bigint, b: bigint): bigint => (a > b ? a : b);

export function maxRevision(sets: readonly ReplicaSet[]): bigint {
  return sets.map(revisionOf).reduce(laterRevision, 0n);
}

/** For sorting: the older first. */
export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [revisionOf(a), revisionOf(b)];
  return left === right ? 0 : left < right ? -1 : 1;
}

// Letters and digits without vowels: no hash spells a word (k8s.io/apimachinery/pkg/util/rand).
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a over the canonical JSON of the template and the collision count, in ten safe characters at most. */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount: number | undefined): string {
  let hash = 0x811c9dc5;
  const text = canonical(withoutHash(template)) + (collisionCount === undefined ? '' : `#${collisionCount}`);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return Array.from(String(hash), (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return encodeJson(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonical(v)}`).join(',')}}`;
}

/** Annotations of a deployment that its replica sets carry too. */
export function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(deployment.metadata?.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)));
}
