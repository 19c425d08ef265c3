/**
 * The history of an owner's pod templates as ControllerRevisions, which `kubectl rollout history` and `undo` read. Pure
 * functions (k8s.io/kubernetes/pkg/controller/history).
 */
import type { ControllerRevision, PodTemplateSpec } from '../../../../apimachinery/gen/types.js';
import { INT64_MAX, int64Of, type Int64 } from '../../../../apimachinery/int64.js';
import type { KubeObject, OwnerReference } from '../../../../apimachinery/object.js';
import { equalJson } from '../equal.js';
import { hashOf } from './pod-template.js';

/** Of its data, on a revision. */
const REVISION_HASH_LABEL = 'controller.kubernetes.io/hash';
/** What is left of a name of 253 characters for the owner's name. */
const PREFIX_LENGTH_MAX = 223;

export type RevisionData = NonNullable<ControllerRevision['data']>;

/** The data of a revision of a template: the strategic merge patch that brings it back. */
export function templateData(template: PodTemplateSpec | undefined): RevisionData {
  return { spec: { template: { ...template, $patch: 'replace' } } };
}

export interface RevisionSource {
  readonly owner: KubeObject;
  readonly reference: OwnerReference;
  /** So that the owner's selector matches the revision: those of the template. */
  readonly labels: Readonly<Record<string, string>>;
  readonly data: RevisionData;
}

/** Named by the hash of its data. Another collision count gives the same data another name. */
export function revisionDraft(source: RevisionSource, revision: Int64, collisionCount: number): ControllerRevision {
  const { owner, reference, labels, data } = source;
  const hash = hashOf(data, collisionCount);
  return {
    metadata: {
      name: `${(owner.metadata?.name ?? '').slice(0, PREFIX_LENGTH_MAX)}-${hash}`,
      namespace: owner.metadata?.namespace ?? '',
      labels: { ...labels, [REVISION_HASH_LABEL]: hash },
      ownerReferences: [reference],
    },
    data,
    revision,
  };
}

/** For sorting: the older revision first. */
function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  if (a.revision !== b.revision) return a.revision < b.revision ? -1 : 1;
  const [left, right] = [a, b].map(({ metadata }) => [metadata?.creationTimestamp ?? '', metadata?.name ?? '']);
  return String(left) < String(right) ? -1 : 1;
}

/** What to do so that the newest revision is that of the data. */
type RevisionChange =
  | { readonly kind: 'keep'; readonly revision: ControllerRevision }
  /** An older revision has the data (undo): it becomes the newest. */
  | { readonly kind: 'renew'; readonly revision: ControllerRevision; readonly to: Int64 }
  | { readonly kind: 'create'; readonly number: Int64 };

export function changeFor(data: RevisionData, revisions: readonly ControllerRevision[]): RevisionChange {
  const sorted = revisions.toSorted(byRevision);
  const next = nextNumber(sorted.at(-1));
  const same = sorted.findLast((revision) => equalJson(revision.data, data));
  if (same === undefined) return { kind: 'create', number: next };
  return same === sorted.at(-1) ? { kind: 'keep', revision: same } : { kind: 'renew', revision: same, to: next };
}

/** Stays at the largest int64, in whose neighbourhood only a user's own write can bring a revision. */
function nextNumber(newest: ControllerRevision | undefined): Int64 {
  return int64Of(BigInt(newest?.revision ?? 0) + 1n) ?? INT64_MAX;
}

export interface HistoryLimit {
  /** Names of revisions that are in use, whatever the limit. */
  readonly live: ReadonlySet<string>;
  /** Revisions kept beside those. */
  readonly limit: number;
}

/** The revisions to delete, the oldest first. */
export function surplusOf(
  revisions: readonly ControllerRevision[],
  { live, limit }: HistoryLimit,
): ControllerRevision[] {
  const idle = revisions.filter(({ metadata }) => !live.has(metadata?.name ?? '')).toSorted(byRevision);
  return idle.slice(0, Math.max(0, idle.length - Math.max(0, limit)));
}
