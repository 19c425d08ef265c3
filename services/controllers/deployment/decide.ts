/**
 * What a Deployment does next: from the sets that there are to the sets as they ought to be, and from the difference to
 * steps. Pure functions (k8s.io/kubernetes/pkg/controller/deployment). The steps of one look write every object once at
 * most; the events of these writes bring the next look, until there is nothing to do.
 */
import type { Deployment, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { deployments } from '../../../apimachinery/gen/resources.js';
import { equalJson } from '../lib/equal.js';
import { controllerRef } from '../lib/owners.js';
import { HASH_LABEL, templateHash } from '../lib/workload/pod-template.js';
import {
  byRevision,
  copiedAnnotations,
  DESIRED_REPLICAS,
  findNewSet,
  historyWith,
  laterRevision,
  MAX_REPLICAS,
  maxRevision,
  REVISION,
  REVISION_HISTORY,
  revisionOf,
} from './revision.js';
import {
  byCreation,
  isObserved,
  newSetReplicas,
  oldSetReplicas,
  proportionalReplicas,
  replicasOf,
  surgeOf,
} from './sizes.js';
import { isComplete } from './status.js';

interface DeploymentLook {
  readonly deployment: Deployment;
  /** Those that it controls. */
  readonly sets: readonly ReplicaSet[];
  /** Uids of sets with pods that have not finished, whatever the sets' sizes. */
  readonly occupied: ReadonlySet<string>;
}

export type Step =
  | { readonly kind: 'create'; readonly set: ReplicaSet }
  | { readonly kind: 'update'; readonly before: ReplicaSet; readonly after: ReplicaSet }
  | { readonly kind: 'delete'; readonly set: ReplicaSet }
  /** The deployment's own annotation. */
  | { readonly kind: 'revision'; readonly revision: bigint };

/** The look with the newest set as the deployment's annotations and revision want it; the other sets as they are. */
interface Plan extends DeploymentLook {
  readonly newSet: ReplicaSet | undefined;
  /** Of the newest set, whether it exists or not. */
  readonly revision: bigint;
}

const isRecreate = ({ spec }: Deployment): boolean => spec?.strategy?.type === 'Recreate';
const uidOf = ({ metadata }: ReplicaSet): string => metadata?.uid ?? '';
const nameOf = ({ metadata }: ReplicaSet): string => metadata?.name ?? '';

export function decide(look: DeploymentLook): readonly Step[] {
  const { deployment } = look;
  if (deployment.metadata?.deletionTimestamp !== undefined) return [];
  const plan = planOf(look);
  if (deployment.spec?.paused === true || isScaling(look)) {
    const steps = changes(plan, scaled(plan));
    return deployment.spec?.paused === true && steps.length === 0 ? surplus(plan) : steps;
  }
  return isRecreate(deployment) ? recreate(plan) : roll(plan);
}

function planOf(look: DeploymentLook): Plan {
  const existing = findNewSet(look.deployment, look.sets);
  const next = maxRevision(look.sets.filter((set) => set !== existing)) + 1n;
  if (existing === undefined) return { ...look, newSet: undefined, revision: next };
  const newSet = withRevision(look.deployment, existing, next);
  return { ...look, newSet, revision: laterRevision(revisionOf(existing), next) };
}

/** A set that becomes the newest again (undo) gets the next revision; the number it had goes into its history. */
function withRevision(deployment: Deployment, set: ReplicaSet, next: bigint): ReplicaSet {
  const old = revisionOf(set);
  const newest = laterRevision(old, next);
  const annotations: Record<string, string> = {
    ...set.metadata?.annotations,
    ...copiedAnnotations(deployment),
    [REVISION]: String(newest),
  };
  if (newest > old && old > 0n)
    annotations[REVISION_HISTORY] = historyWith(set.metadata?.annotations?.[REVISION_HISTORY], old);
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  const isReadyAsWanted = (set.spec?.minReadySeconds ?? 0) === minReadySeconds;
  if (isReadyAsWanted && equalJson(annotations, set.metadata?.annotations)) return set;
  return {
    ...set,
    metadata: { ...set.metadata, annotations },
    ...(isReadyAsWanted ? {} : { spec: { selector: {}, ...set.spec, minReadySeconds } }),
  };
}

/** Only the number changed since the sets were sized: no rollout step may hide that. */
function isScaling({ deployment, sets }: DeploymentLook): boolean {
  const active = sets.filter((set) => replicasOf(set) > 0);
  const sizedFor = active.map((set) => set.metadata?.annotations?.[DESIRED_REPLICAS]);
  return !sizedFor.includes(undefined) && sizedFor.some((text) => Number(text) !== replicasOf(deployment));
}

function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const wanted = replicasOf(deployment);
  return { [DESIRED_REPLICAS]: String(wanted), [MAX_REPLICAS]: String(wanted + surgeOf(deployment).surge) };
}

/** The set with the size, and with the size of the deployment for which it was chosen. */
function sized(deployment: Deployment, set: ReplicaSet, replicas: number): ReplicaSet {
  const annotations = { ...set.metadata?.annotations, ...sizeAnnotations(deployment) };
  if (replicasOf(set) === replicas && equalJson(annotations, set.metadata?.annotations)) return set;
  return { ...set, metadata: { ...set.metadata, annotations }, spec: { selector: {}, ...set.spec, replicas } };
}

/**
 * Updates of the sets that differ from what they are, and the deployment's revision when its newest set has another
 * one.
 */
function changes({ deployment, sets, newSet, revision }: Plan, wanted: readonly ReplicaSet[]): Step[] {
  const after = new Map([...(newSet === undefined ? [] : [newSet]), ...wanted].map((set) => [uidOf(set), set]));
  const updates = sets.flatMap((before): Step[] => {
    const changed = after.get(uidOf(before)) ?? before;
    return changed === before ? [] : [{ kind: 'update', before, after: changed }];
  });
  const isBehind = newSet !== undefined && revisionOf(deployment) !== revision;
  return [...updates, ...(isBehind ? [{ kind: 'revision', revision } as const] : [])];
}

/** The sets as the plan has them: the newest with its revision. */
const current = ({ sets, newSet }: Plan): ReplicaSet[] =>
  sets.map((set) => (newSet !== undefined && uidOf(set) === uidOf(newSet) ? newSet : set));

// ---- Rolling ----

function roll(plan: Plan): readonly Step[] {
  const { deployment, newSet } = plan;
  if (newSet === undefined) return create(plan);
  const all = current(plan);
  const wanted = replicasOf(deployment);
  const size = replicasOf(newSet) > wanted ? wanted : newSetReplicas(deployment, all, newSet);
  if (size !== replicasOf(newSet)) return changes(plan, [sized(deployment, newSet, size)]);
  // A new minReadySeconds makes other pods available: old ones stay until the set has counted them.
  const isCounted = plan.sets.some((set) => set.spec === newSet.spec);
  const smaller = isCounted ? oldSetReplicas(deployment, all, newSet) : new Map<string, number>();
  const old = all
    .filter((set) => smaller.has(nameOf(set)))
    .map((set) => sized(deployment, set, smaller.get(nameOf(set)) ?? replicasOf(set)));
  return [...changes(plan, old), ...surplusIfComplete(plan)];
}

function recreate(plan: Plan): readonly Step[] {
  const { deployment, newSet, occupied } = plan;
  const old = plan.sets.filter((set) => newSet === undefined || uidOf(set) !== uidOf(newSet));
  const stopping = old.filter((set) => replicasOf(set) > 0);
  // The newest set keeps its revision until it is its turn.
  if (stopping.length > 0)
    return stopping.map((before) => ({ kind: 'update', before, after: sized(deployment, before, 0) }));
  // The new pods start only when the last old one has gone from its node.
  if (old.some((set) => occupied.has(uidOf(set)))) return [];
  if (newSet === undefined) return create(plan);
  const isSized = replicasOf(newSet) === replicasOf(deployment);
  return isSized
    ? [...changes(plan, []), ...surplusIfComplete(plan)]
    : changes(plan, [sized(deployment, newSet, replicasOf(deployment))]);
}

/** With the size that a rollout may begin with. */
function create({ deployment, sets, revision }: Plan): readonly Step[] {
  const draft = draftOf(deployment, revision);
  const replicas = newSetReplicas(deployment, [...sets, draft], draft);
  return [
    { kind: 'create', set: { ...draft, spec: { selector: {}, ...draft.spec, replicas } } },
    { kind: 'revision', revision },
  ];
}

function draftOf(deployment: Deployment, revision: bigint): ReplicaSet {
  const hash = templateHash(deployment.spec?.template, deployment.status?.collisionCount);
  const template = structuredClone(deployment.spec?.template ?? {});
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  const selector = deployment.spec?.selector ?? {};
  return {
    metadata: {
      name: `${deployment.metadata?.name ?? ''}-${hash}`,
      namespace: deployment.metadata?.namespace ?? '',
      labels,
      annotations: { ...copiedAnnotations(deployment), ...sizeAnnotations(deployment), [REVISION]: String(revision) },
      ownerReferences: [controllerRef(deployment, deployments)],
    },
    spec: {
      replicas: 0,
      minReadySeconds: deployment.spec?.minReadySeconds ?? 0,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

// ---- Scaling ----

/** The sets with other sizes, because the deployment's size changed. */
function scaled(plan: Plan): readonly ReplicaSet[] {
  const { deployment, newSet } = plan;
  const wanted = replicasOf(deployment);
  const all = current(plan);
  const active = all.filter((set) => replicasOf(set) > 0);
  if (active.length > 1) return spread(plan, active);
  // With no active set the newest one grows; the size of an active one is noted even when it fits already.
  const only = active[0] ?? newSet ?? all.toSorted(byCreation).at(-1);
  if (only === undefined || (active.length === 0 && replicasOf(only) === wanted)) return [];
  return [sized(deployment, only, wanted)];
}

/** Over several active sets, in proportion. */
function spread(plan: Plan, active: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const { deployment, newSet } = plan;
  const sizes = sizesOf(plan, active);
  const others = isSaturated(deployment, newSet) ? 0 : undefined;
  return active.map((set) => sized(deployment, set, sizes.get(nameOf(set)) ?? others ?? replicasOf(set)));
}

function sizesOf({ deployment, newSet }: Plan, active: readonly ReplicaSet[]): ReadonlyMap<string, number> {
  const wanted = replicasOf(deployment);
  if (isRecreate(deployment) || isSaturated(deployment, newSet))
    return new Map(newSet === undefined ? [] : [[nameOf(newSet), wanted]]);
  return proportionalReplicas(deployment, active, Number(active[0]?.metadata?.annotations?.[MAX_REPLICAS] ?? wanted));
}

/** The newest set alone does all that is wanted: other active sets, as adopted ones, are too much. */
function isSaturated(deployment: Deployment, newSet: ReplicaSet | undefined): boolean {
  const wanted = replicasOf(deployment);
  return (
    newSet !== undefined &&
    replicasOf(newSet) === wanted &&
    Number(newSet.metadata?.annotations?.[DESIRED_REPLICAS]) === wanted &&
    newSet.status?.availableReplicas === wanted
  );
}

// ---- History ----

function surplusIfComplete(plan: Plan): readonly Step[] {
  return isComplete(plan.deployment, plan.deployment.status ?? {}) ? surplus(plan) : [];
}

/** Old sets without pods beyond `revisionHistoryLimit`, the oldest revisions first. */
function surplus({ deployment, sets, newSet }: Plan): readonly Step[] {
  const idle = sets.filter(
    (set) =>
      (newSet === undefined || uidOf(set) !== uidOf(newSet)) &&
      replicasOf(set) === 0 &&
      (set.status?.replicas ?? 0) === 0 &&
      set.metadata?.deletionTimestamp === undefined &&
      isObserved(set),
  );
  const count = Math.max(0, idle.length - (deployment.spec?.revisionHistoryLimit ?? 10));
  return idle
    .toSorted((a, b) => byRevision(a, b) || byCreation(a, b))
    .slice(0, count)
    .map((set) => ({ kind: 'delete', set }));
}
