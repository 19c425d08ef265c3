/**
 * ReplicaSet: keeps as many pods as `spec.replicas` says that match the selector and are controlled by the set. Adopts
 * orphans that match, releases what no longer does, creates and deletes the difference, reports the status.
 */
import { pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf, labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import { isApiError, isNamespaceTerminating } from '../../../apimachinery/status.js';
import { toTime } from '../../../platform/clock.js';
import { Controller, done, requeueAfter, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { byController, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { claim } from '../lib/claim.js';
import { withCondition, withoutCondition } from '../lib/conditions.js';
import { equalJson } from '../lib/equal.js';
import { Expectations } from '../lib/expectations.js';
import { byControllerUid, controllerOf, controllerRef, CONTROLLER_INDEX } from '../lib/owners.js';
import { availableIn_ms, isActive, isReady, isTerminating } from '../lib/pods.js';
import { rankForDeletion } from './ranking.js';

/** Pods created or deleted in one look at a set. */
const BURST_MAX = 500;
const OWNER = { group: 'apps', kind: 'ReplicaSet' };

class ReplicaSetReconciler {
  readonly #context: ControllerContext;
  readonly #expectations: Expectations;
  readonly #sets: Lister<ReplicaSet>;
  readonly #pods: Lister<Pod>;

  constructor(context: ControllerContext, expectations: Expectations) {
    this.#context = context;
    this.#expectations = expectations;
    this.#sets = context.informers.informer(replicaSets).lister;
    this.#pods = context.informers.informer(pods).lister;
  }

  async reconcile(key: string, call: ReconcileContext): Promise<ReconcileResult> {
    const set = this.#sets.get(key);
    if (set === undefined) {
      this.#expectations.forget(key);
      return done;
    }
    const owned = await this.#claim(set, call.signal);
    const active = owned.filter(isActive);
    let failure: Error | undefined;
    if (this.#expectations.satisfied(key) && set.metadata?.deletionTimestamp === undefined) {
      failure = await this.#manage(key, set, active, call.signal);
    }
    const wait_ms = await this.#report(set, this.#left(owned), failure, call.signal);
    if (failure !== undefined) throw failure;
    return wait_ms === undefined ? done : requeueAfter(wait_ms);
  }

  /** What is left of them by now. What has been asked to go is not counted, though the cache may still show it: rollouts trust the counts. */
  #left(owned: readonly Pod[]): Pod[] {
    return owned.flatMap((pod) => {
      const now = this.#pods.get(keyOf(pod));
      const going = now?.metadata?.uid !== pod.metadata?.uid || (isActive(pod) && this.#expectations.pending(pod.metadata?.uid ?? ''));
      return going || now === undefined ? [] : [now];
    });
  }

  /** The pods that are the set's after adopting and releasing. */
  async #claim(set: ReplicaSet, signal: AbortSignal): Promise<Pod[]> {
    const selector = labelSelectorOf(set.spec?.selector);
    return claim({
      client: this.#context.client, owner: set, ownerResource: replicaSets, resource: pods, signal,
      own: this.#pods.byIndex(CONTROLLER_INDEX, set.metadata?.uid ?? ''),
      orphans: this.#pods.byIndex(CONTROLLER_INDEX, '').filter(isActive),
      matches: (pod) => selector.matches(pod.metadata?.labels ?? {}),
    });
  }

  async #manage(key: string, set: ReplicaSet, active: readonly Pod[], signal: AbortSignal): Promise<Error | undefined> {
    const missing = (set.spec?.replicas ?? 1) - active.length;
    try {
      if (missing > 0) await this.#create(key, set, Math.min(missing, BURST_MAX), signal);
      else if (missing < 0) await this.#remove(key, set, active, Math.min(-missing, BURST_MAX), signal);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  /** In batches of 1, 2, 4, ...: when the first fails (quota, admission), the others are not even tried. */
  async #create(key: string, set: ReplicaSet, count: number, signal: AbortSignal): Promise<void> {
    for (let size = 1, left = count; left > 0; left -= size, size *= 2) {
      const batch = Math.min(size, left);
      const results = await Promise.allSettled(Array.from({ length: batch }, () => this.#createOne(key, set, signal)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }

  async #createOne(key: string, set: ReplicaSet, signal: AbortSignal): Promise<void> {
    const template = set.spec?.template;
    const name = set.metadata?.name ?? '';
    try {
      const pod = await this.#context.client.create(pods, {
        metadata: {
          generateName: `${name}-`, namespace: set.metadata?.namespace ?? '',
          labels: { ...template?.metadata?.labels },
          annotations: { ...template?.metadata?.annotations },
          ...(template?.metadata?.finalizers === undefined ? {} : { finalizers: [...template.metadata.finalizers] }),
          ownerReferences: [controllerRef(set, replicaSets)],
        },
        ...(template?.spec === undefined ? {} : { spec: structuredClone(template.spec) }),
      }, { signal });
      if (this.#pods.get(keyOf(pod)) === undefined) this.#expectations.expect(key, pod.metadata?.uid ?? '');
      this.#context.events.event({ resource: replicaSets, object: set }, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata?.name ?? ''}`);
    } catch (error) {
      if (!signal.aborted && !isNamespaceTerminating(error)) {
        this.#context.events.event({ resource: replicaSets, object: set }, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      }
      throw error;
    }
  }

  async #remove(key: string, set: ReplicaSet, active: readonly Pod[], count: number, signal: AbortSignal): Promise<void> {
    const going = rankForDeletion(active, active).slice(0, count);
    await Promise.all(going.map(async (pod) => {
      const uid = pod.metadata?.uid ?? '';
      this.#expectations.expect(key, uid);
      try {
        await this.#context.client.delete(pods, refOf(pod), { preconditions: { uid }, propagationPolicy: 'Background', signal });
        this.#context.events.event({ resource: replicaSets, object: set }, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata?.name ?? ''}`);
      } catch (error) {
        this.#expectations.seen(uid);
        if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
      }
    }));
  }

  /** Writes the status when it changed; returns when to look again for pods that become available by waiting. */
  async #report(set: ReplicaSet, owned: readonly Pod[], failure: Error | undefined, signal: AbortSignal): Promise<number | undefined> {
    const now_ms = this.#context.clock.now();
    const active = owned.filter(isActive);
    const waits = active.map((pod) => availableIn_ms(pod, set.spec?.minReadySeconds ?? 0, now_ms));
    const template = labelSelectorOfMap(set.spec?.template?.metadata?.labels ?? {});
    const conditions = failureConditions(set, active.length, failure, toTime(now_ms));
    const status: ReplicaSetStatus = {
      replicas: active.length,
      ...count('fullyLabeledReplicas', active.filter((pod) => template.matches(pod.metadata?.labels ?? {})).length),
      ...count('readyReplicas', active.filter(isReady).length),
      ...count('availableReplicas', waits.filter((wait) => wait === 0).length),
      terminatingReplicas: owned.filter(isTerminating).length,
      ...(set.metadata?.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
      ...(conditions.length === 0 ? {} : { conditions: [...conditions] }),
    };
    if (!equalJson(status, set.status)) {
      await this.#context.client.updateStatus(replicaSets, { ...set, status }, { signal });
    }
    const next_ms = waits.reduce((least, wait) => (wait > 0 ? Math.min(least, wait) : least), Infinity);
    return Number.isFinite(next_ms) ? next_ms : undefined;
  }
}

const refOf = (object: Pod | ReplicaSet) => ({ namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? '' });

/** Zero counts are left out, as Kubernetes leaves them out. */
function count<K extends keyof ReplicaSetStatus>(name: K, value: number): Partial<Record<K, number>> {
  return value === 0 ? {} : ({ [name]: value } as Record<K, number>);
}

function failureConditions(set: ReplicaSet, active: number, failure: Error | undefined, now: string): readonly ReplicaSetCondition[] {
  const conditions = set.status?.conditions ?? [];
  if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure');
  const reason = active < (set.spec?.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete';
  return withCondition<ReplicaSetCondition>(conditions, {
    type: 'ReplicaFailure', status: 'True', reason, message: failure.message, lastTransitionTime: now,
  });
}

export function createReplicaSetController(context: ControllerContext): Controller {
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex(CONTROLLER_INDEX, byControllerUid);
  const expectations = new Expectations(context.clock);
  const seen = (pod: Pod) => expectations.seen(pod.metadata?.uid ?? '');
  podInformer.addHandler({
    add: seen,
    update: (pod) => {
      if (isTerminating(pod)) seen(pod);
    },
    delete: seen,
  });
  const reconciler = new ReplicaSetReconciler(context, expectations);
  const owners = byController(OWNER);
  const sets = context.informers.informer(replicaSets);
  /** An orphan concerns every set of its namespace that selects it. */
  const concerned = (pod: Pod): string[] => {
    if (controllerOf(pod) !== undefined) return owners(pod);
    return sets.lister.list()
      .filter((set) => set.metadata?.namespace === pod.metadata?.namespace && labelSelectorOf(set.spec?.selector).matches(pod.metadata?.labels ?? {}))
      .map(keyOf);
  };
  return new Controller({
    name: 'replicaset', clock: context.clock, logger: context.logger, workers: 5,
    sources: [sourceOf(sets), sourceOf(podInformer, concerned)],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
