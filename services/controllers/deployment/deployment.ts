/**
 * Deployment: one replica set for each revision of the template; moves the pods from the old sets to the new one as the
 * strategy allows, keeps the history that `rollout undo` needs, and reports progress.
 */
import { deployments, pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { Deployment, Pod, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import { isApiError } from '../../../apimachinery/status.js';
import { Controller, done, requeueAfter, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { byController, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { claim } from '../lib/claim.js';
import { equalJson } from '../lib/equal.js';
import { byControllerUid, controllerOf, controllerRef, CONTROLLER_INDEX } from '../lib/owners.js';
import { isFinished } from '../lib/pods.js';
import { byCreation, isObserved, newSetReplicas, oldSetReplicas, proportionalReplicas, replicasOf, surgeOf } from './numbers.js';
import {
  byRevision, copiedAnnotations, DESIRED_REPLICAS, findNewSet, HASH_LABEL, laterRevision, MAX_REPLICAS, maxRevision, REVISION, REVISION_HISTORY, revisionOf,
  sameTemplate, templateHash,
} from './revision.js';
import { AVAILABLE_REASON, deadline_ms, isComplete, statusOf, TIMED_OUT_REASON } from './status.js';

const OWNER = { group: 'apps', kind: 'Deployment' };

interface Look {
  readonly deployment: Deployment;
  readonly signal: AbortSignal;
}

class DeploymentReconciler {
  readonly #context: ControllerContext;
  readonly #deployments: Lister<Deployment>;
  readonly #sets: Lister<ReplicaSet>;
  readonly #pods: Lister<Pod>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#deployments = context.informers.informer(deployments).lister;
    this.#sets = context.informers.informer(replicaSets).lister;
    this.#pods = context.informers.informer(pods).lister;
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return done;
    const look = { deployment, signal };
    const sets = await this.#claim(look);
    if (deployment.metadata?.deletionTimestamp !== undefined) return this.#report(look, sets);
    // What is acted on below is what the cache shows; each step writes at most once and the next event continues.
    if (deployment.spec?.paused === true) {
      await this.#scale(look, sets);
      return this.#report(look, sets);
    }
    if (this.#isScaling(deployment, sets)) {
      await this.#scale(look, sets);
      return this.#report(look, sets);
    }
    const current = deployment.spec?.strategy?.type === 'Recreate' ? await this.#recreate(look, sets) : await this.#roll(look, sets);
    return this.#report(look, current);
  }

  async #claim({ deployment, signal }: Look): Promise<ReplicaSet[]> {
    const selector = labelSelectorOf(deployment.spec?.selector);
    return claim({
      client: this.#context.client, owner: deployment, ownerResource: deployments, resource: replicaSets, signal,
      own: this.#sets.byIndex(CONTROLLER_INDEX, deployment.metadata?.uid ?? ''),
      orphans: this.#sets.byIndex(CONTROLLER_INDEX, ''),
      matches: (set) => selector.matches(set.metadata?.labels ?? {}),
    });
  }

  // ---- Rolling ----

  async #roll(look: Look, sets: readonly ReplicaSet[]): Promise<readonly ReplicaSet[]> {
    const newSet = await this.#newSet(look, sets, true);
    const all = newSet === undefined || sets.some((set) => set.metadata?.uid === newSet.metadata?.uid) ? replace(sets, newSet) : [...sets, newSet];
    if (newSet === undefined) return all;
    const size = replicasOf(newSet) > replicasOf(look.deployment)
      ? replicasOf(look.deployment)
      : newSetReplicas(look.deployment, all, newSet);
    if (size !== replicasOf(newSet)) return replace(all, await this.#resize(look, newSet, size));
    let current = all;
    for (const [name, smaller] of oldSetReplicas(look.deployment, all, newSet)) {
      const set = all.find((candidate) => candidate.metadata?.name === name);
      if (set !== undefined) current = replace(current, await this.#resize(look, set, smaller));
    }
    await this.#cleanUp(look, current, newSet);
    return current;
  }

  async #recreate(look: Look, sets: readonly ReplicaSet[]): Promise<readonly ReplicaSet[]> {
    const existing = findNewSet(look.deployment, sets);
    const old = sets.filter((set) => set !== existing);
    let current = sets;
    let stopping = false;
    for (const set of old) {
      if (replicasOf(set) > 0) {
        current = replace(current, await this.#resize(look, set, 0));
        stopping = true;
      }
    }
    // The new pods start only when the last old one has gone from its node.
    if (stopping || old.some((set) => this.#hasPods(set))) return current;
    const newSet = await this.#newSet(look, current, true);
    if (newSet === undefined) return current;
    current = current.some((set) => set.metadata?.uid === newSet.metadata?.uid) ? replace(current, newSet) : [...current, newSet];
    if (replicasOf(newSet) !== replicasOf(look.deployment)) {
      return replace(current, await this.#resize(look, newSet, replicasOf(look.deployment)));
    }
    await this.#cleanUp(look, current, newSet);
    return current;
  }

  #hasPods(set: ReplicaSet): boolean {
    return this.#pods.byIndex(CONTROLLER_INDEX, set.metadata?.uid ?? '').some((pod) => !isFinished(pod));
  }

  // ---- Scaling ----

  /** Only the number changed since the sets were sized: no rollout step may hide that. */
  #isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) => replicasOf(set) > 0 && Number(set.metadata?.annotations?.[DESIRED_REPLICAS] ?? Number.NaN) !== replicasOf(deployment)) &&
      sets.every((set) => replicasOf(set) === 0 || set.metadata?.annotations?.[DESIRED_REPLICAS] !== undefined);
  }

  async #scale(look: Look, sets: readonly ReplicaSet[]): Promise<void> {
    const { deployment } = look;
    const active = sets.filter((set) => replicasOf(set) > 0);
    const newSet = findNewSet(deployment, sets);
    const only = active.length <= 1 ? (active[0] ?? newSet) : undefined;
    if (only !== undefined && (active.length === 1 || newSet !== undefined)) {
      if (replicasOf(only) !== replicasOf(deployment) || active.length === 1) await this.#resize(look, only, replicasOf(deployment));
      return;
    }
    if (active.length <= 1) return;
    const before = Number(active[0]?.metadata?.annotations?.[MAX_REPLICAS] ?? replicasOf(deployment));
    const sizes = deployment.spec?.strategy?.type === 'Recreate'
      ? new Map([[newSet?.metadata?.name ?? '', replicasOf(deployment)]])
      : proportionalReplicas(deployment, active, before);
    for (const set of active) await this.#resize(look, set, sizes.get(set.metadata?.name ?? '') ?? replicasOf(set));
  }

  #sizeAnnotations(deployment: Deployment): Record<string, string> {
    const wanted = replicasOf(deployment);
    return { [DESIRED_REPLICAS]: String(wanted), [MAX_REPLICAS]: String(wanted + surgeOf(deployment).surge) };
  }

  async #resize(look: Look, set: ReplicaSet, replicas: number): Promise<ReplicaSet> {
    const { deployment, signal } = look;
    const before = replicasOf(set);
    const annotations = { ...set.metadata?.annotations, ...this.#sizeAnnotations(deployment) };
    if (before === replicas && equalJson(annotations, set.metadata?.annotations)) return set;
    const spec = { ...set.spec, replicas } as NonNullable<ReplicaSet['spec']>;
    const written = await this.#context.client.update(replicaSets, { ...set, metadata: { ...set.metadata, annotations }, spec }, { signal });
    if (before !== replicas) {
      const verb = replicas > before ? 'up' : 'down';
      this.#context.events.event({ resource: deployments, object: deployment }, 'Normal', 'ScalingReplicaSet', `Scaled ${verb} replica set ${set.metadata?.name ?? ''} from ${before} to ${replicas}`);
    }
    return written;
  }

  // ---- The new set ----

  async #newSet(look: Look, sets: readonly ReplicaSet[], create: boolean): Promise<ReplicaSet | undefined> {
    const { deployment } = look;
    const existing = findNewSet(deployment, sets);
    const revision = maxRevision(sets.filter((set) => set !== existing)) + 1n;
    if (existing !== undefined) return this.#adjustNewSet(look, existing, revision);
    return create ? this.#createNewSet(look, sets, revision) : undefined;
  }

  /** A set that becomes the newest again (undo) gets the next revision; the number it had goes into its history. */
  async #adjustNewSet(look: Look, set: ReplicaSet, revision: bigint): Promise<ReplicaSet> {
    const { deployment, signal } = look;
    const old = revisionOf(set);
    const newest = laterRevision(old, revision);
    const annotations: Record<string, string> = {
      ...set.metadata?.annotations, ...copiedAnnotations(deployment), [REVISION]: String(newest),
    };
    if (newest > old && old > 0n) {
      const history = set.metadata?.annotations?.[REVISION_HISTORY];
      annotations[REVISION_HISTORY] = history === undefined ? String(old) : `${history},${old}`;
    }
    const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
    let current = set;
    if (!equalJson(annotations, set.metadata?.annotations) || (set.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
      const spec = { ...set.spec, minReadySeconds } as NonNullable<ReplicaSet['spec']>;
      current = await this.#context.client.update(replicaSets, { ...set, metadata: { ...set.metadata, annotations }, spec }, { signal });
    }
    await this.#writeRevision(look, newest);
    return current;
  }

  /** Through the status, which may set annotations: a change of the object itself would be a new generation. */
  async #writeRevision(look: Look, revision: bigint): Promise<void> {
    if (revisionOf(look.deployment) === revision) return;
    const { metadata } = look.deployment;
    const annotations = { ...metadata?.annotations, [REVISION]: String(revision) };
    await this.#context.client.updateStatus(deployments, { ...look.deployment, metadata: { ...metadata, annotations } }, { signal: look.signal });
  }

  async #createNewSet(look: Look, sets: readonly ReplicaSet[], revision: bigint): Promise<ReplicaSet | undefined> {
    const { deployment, signal } = look;
    const hash = templateHash(deployment.spec?.template, deployment.status?.collisionCount);
    const draft = this.#draft(deployment, hash, revision);
    draft.spec = { ...draft.spec, replicas: newSetReplicas(deployment, [...sets, draft], draft) } as NonNullable<ReplicaSet['spec']>;
    let created: ReplicaSet;
    try {
      created = await this.#context.client.create(replicaSets, draft, { signal });
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return this.#nameTaken(look, draft);
      if (!signal.aborted) this.#context.events.event({ resource: deployments, object: deployment }, 'Warning', 'ReplicaSetCreateError', `Failed to create new replica set "${draft.metadata?.name ?? ''}": ${(error as Error).message}`);
      throw error;
    }
    if (replicasOf(created) > 0) {
      this.#context.events.event({ resource: deployments, object: deployment }, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${created.metadata?.name ?? ''} from 0 to ${replicasOf(created)}`);
    }
    await this.#writeRevision(look, revision);
    return created;
  }

  #draft(deployment: Deployment, hash: string, revision: bigint): ReplicaSet {
    const template = structuredClone(deployment.spec?.template ?? {});
    const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
    const selector = deployment.spec?.selector ?? {};
    return {
      metadata: {
        name: `${deployment.metadata?.name ?? ''}-${hash}`, namespace: deployment.metadata?.namespace ?? '', labels,
        annotations: { ...copiedAnnotations(deployment), ...this.#sizeAnnotations(deployment), [REVISION]: String(revision) },
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

  /** Ours and equal: the cache was behind. Otherwise the hash collided, and the next one counts a collision in. */
  async #nameTaken(look: Look, draft: ReplicaSet): Promise<ReplicaSet | undefined> {
    const { deployment, signal } = look;
    const other = await this.#context.client.get(replicaSets, refOf(draft), { signal });
    if (controllerOf(other)?.uid === deployment.metadata?.uid && sameTemplate(other.spec?.template, deployment.spec?.template)) return other;
    const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
    await this.#context.client.updateStatus(deployments, { ...deployment, status }, { signal });
    return undefined;
  }

  // ---- History and status ----

  /** Old sets beyond `revisionHistoryLimit` go once the rollout is complete. */
  async #cleanUp(look: Look, sets: readonly ReplicaSet[], newSet: ReplicaSet): Promise<void> {
    const { deployment, signal } = look;
    if (!isComplete(deployment, deployment.status ?? {})) return;
    const idle = sets.filter((set) => set.metadata?.uid !== newSet.metadata?.uid && replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0 &&
      set.metadata?.deletionTimestamp === undefined && isObserved(set));
    const surplus = idle.length - (deployment.spec?.revisionHistoryLimit ?? 10);
    if (surplus <= 0) return;
    const oldest = idle.toSorted((a, b) => byRevision(a, b) || byCreation(a, b)).slice(0, surplus);
    for (const set of oldest) {
      await this.#context.client.delete(replicaSets, refOf(set), { propagationPolicy: 'Background', signal }).catch((error: unknown) => {
        if (!isApiError(error, 'NotFound')) throw error;
      });
    }
  }

  async #report(look: Look, sets: readonly ReplicaSet[]): Promise<ReconcileResult> {
    const { deployment, signal } = look;
    const now_ms = this.#context.clock.now();
    const status = statusOf({ deployment, sets, newSet: findNewSet(deployment, sets), now_ms });
    if (!equalJson(status, deployment.status)) {
      await this.#context.client.updateStatus(deployments, { ...deployment, status }, { signal }).catch((error: unknown) => {
        // A revision was written a moment ago: the event of that brings us back with the new version.
        if (!isApiError(error, 'Conflict')) throw error;
      });
    }
    const progressing = status.conditions?.find((condition) => condition.type === 'Progressing');
    const limit_ms = deadline_ms(deployment);
    const waiting = limit_ms !== undefined && progressing !== undefined && progressing.reason !== AVAILABLE_REASON &&
      progressing.reason !== TIMED_OUT_REASON && deployment.spec?.paused !== true;
    if (!waiting) return done;
    return requeueAfter(Math.max(1000, Date.parse(progressing.lastUpdateTime ?? '') + limit_ms - now_ms + 1000));
  }
}

const refOf = (object: Deployment | ReplicaSet) => ({ namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? '' });

function replace(sets: readonly ReplicaSet[], changed: ReplicaSet | undefined): readonly ReplicaSet[] {
  return changed === undefined ? sets : sets.map((set) => (set.metadata?.uid === changed.metadata?.uid ? changed : set));
}

export function createDeploymentController(context: ControllerContext): Controller {
  const sets = context.informers.informer(replicaSets);
  sets.addIndex(CONTROLLER_INDEX, byControllerUid);
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex(CONTROLLER_INDEX, byControllerUid);
  const all = context.informers.informer(deployments);
  const reconciler = new DeploymentReconciler(context);
  const owners = byController(OWNER);
  const concerned = (set: ReplicaSet): string[] => {
    if (controllerOf(set) !== undefined) return owners(set);
    return all.lister.list()
      .filter((d) => d.metadata?.namespace === set.metadata?.namespace && labelSelectorOf(d.spec?.selector).matches(set.metadata?.labels ?? {}))
      .map(keyOf);
  };
  /** A Recreate waits for the last old pod, whose set has no other way to tell. */
  const ownersOfPod = (pod: Pod): string[] => {
    const reference = controllerOf(pod);
    if (reference?.kind !== 'ReplicaSet') return [];
    const set = sets.lister.getByRef({ namespace: pod.metadata?.namespace, name: reference.name });
    return set === undefined ? [] : owners(set);
  };
  return new Controller({
    name: 'deployment', clock: context.clock, logger: context.logger, workers: 5,
    sources: [sourceOf(all), sourceOf(sets, concerned), sourceOf(podInformer, ownersOfPod, { filter: isFinishedOrGone(context) })],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}

/** Of pods, only the end matters to a deployment. */
function isFinishedOrGone(context: ControllerContext): (pod: Pod) => boolean {
  const lister = context.informers.informer(pods).lister;
  return (pod) => isFinished(pod) || lister.get(keyOf(pod)) === undefined;
}
