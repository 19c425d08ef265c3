/**
 * Deployment: one replica set for each revision of the template; moves the pods from the old sets to the new one as the
 * strategy allows, keeps the history that `rollout undo` needs, and reports progress. What it does next stands in
 * `decide.ts`, what it reports in `status.ts`; this file reads the caches and writes.
 */
import { deployments, pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { Deployment, Pod, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import { isApiError } from '../../../apimachinery/status.js';
import {
  Controller,
  done,
  requeueAfter,
  type ReconcileContext,
  type ReconcileResult,
} from '../../../sdk/controller/controller.js';
import { byController, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf, refOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { claim } from '../lib/claim.js';
import { ignoring } from '../lib/errors.js';
import { eventsFor, type KindEvents } from '../lib/events.js';
import { controllerOf, ownedObjects, ownersConcerned, type OwnedObjects } from '../lib/owners.js';
import { sameTemplate } from '../lib/workload/pod-template.js';
import { isFinished } from '../lib/pods.js';
import { writeStatus } from '../lib/writes.js';
import { decide, type Step } from './decide.js';
import { findNewSet, REVISION } from './revision.js';
import { replicasOf } from './sizes.js';
import { progressDeadlineIn_ms, statusOf } from './status.js';

interface Look {
  readonly deployment: Deployment;
  readonly signal: AbortSignal;
}

const selectorOf = ({ spec }: Deployment) => labelSelectorOf(spec?.selector);

class DeploymentReconciler {
  readonly #context: ControllerContext;
  readonly #events: KindEvents;
  readonly #deployments: Lister<Deployment>;
  readonly #sets: OwnedObjects<ReplicaSet>;
  readonly #pods: OwnedObjects<Pod>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = eventsFor(context.events, deployments);
    this.#deployments = context.informers.informer(deployments).lister;
    this.#sets = ownedObjects(context.informers.informer(replicaSets));
    this.#pods = ownedObjects(context.informers.informer(pods));
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return done;
    const look = { deployment, signal };
    let sets: readonly ReplicaSet[] = await this.#claim(look);
    for (const step of decide({ deployment, sets, occupied: this.#occupied(sets) })) {
      const after = await this.#take(look, step, sets);
      if (after === undefined) break;
      sets = after;
    }
    return this.#report(look, sets);
  }

  async #claim({ deployment, signal }: Look): Promise<ReplicaSet[]> {
    const selector = selectorOf(deployment);
    return claim({
      client: this.#context.client,
      owner: deployment,
      ownerResource: deployments,
      resource: replicaSets,
      signal,
      own: this.#sets.of(deployment),
      orphans: this.#sets.orphansFor(deployment),
      matches: (set) => selector.matches(set.metadata?.labels),
    });
  }

  #occupied(sets: readonly ReplicaSet[]): ReadonlySet<string> {
    return new Set(
      sets
        .map(({ metadata }) => metadata?.uid ?? '')
        .filter((uid) => this.#pods.ofUid(uid).some((pod) => !isFinished(pod))),
    );
  }

  /** Returns the sets after the step; undefined: the steps after it have lost their ground. */
  async #take(look: Look, step: Step, sets: readonly ReplicaSet[]): Promise<readonly ReplicaSet[] | undefined> {
    const { deployment, signal } = look;
    const { client } = this.#context;
    switch (step.kind) {
      case 'create': {
        const created = await this.#create(look, step.set);
        return created === undefined ? undefined : [...sets, created];
      }
      case 'update': {
        const written = await client.update(replicaSets, step.after, { signal });
        this.#tellSize(deployment, written, replicasOf(step.before));
        return sets.map((set) => (set === step.before ? written : set));
      }
      case 'delete':
        await client
          .delete(replicaSets, refOf(step.set), { propagationPolicy: 'Background', signal })
          .catch(ignoring('NotFound'));
        return sets;
      case 'revision': {
        // Through the status, which may set annotations: a change of the object itself would be a new generation.
        const annotations = { ...deployment.metadata?.annotations, [REVISION]: String(step.revision) };
        await client.updateStatus(
          deployments,
          { ...deployment, metadata: { ...deployment.metadata, annotations } },
          { signal },
        );
        return sets;
      }
      default:
        return step satisfies never;
    }
  }

  #tellSize(deployment: Deployment, set: ReplicaSet, before: number): void {
    const replicas = replicasOf(set);
    if (before === replicas) return;
    const verb = replicas > before ? 'up' : 'down';
    this.#events.normal(
      deployment,
      'ScalingReplicaSet',
      `Scaled ${verb} replica set ${set.metadata?.name ?? ''} from ${before} to ${replicas}`,
    );
  }

  /** undefined: another object has the name. */
  async #create(look: Look, draft: ReplicaSet): Promise<ReplicaSet | undefined> {
    const { deployment, signal } = look;
    try {
      const created = await this.#context.client.create(replicaSets, draft, { signal });
      this.#tellSize(deployment, created, 0);
      return created;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return this.#nameTaken(look, draft);
      if (!signal.aborted) {
        this.#events.warning(
          deployment,
          'ReplicaSetCreateError',
          `Failed to create new replica set "${draft.metadata?.name ?? ''}": ${(error as Error).message}`,
        );
      }
      throw error;
    }
  }

  /**
   * By its own set with the same template: the cache was behind. Otherwise the hash collided, and the next look makes
   * another one.
   */
  async #nameTaken({ deployment, signal }: Look, draft: ReplicaSet): Promise<ReplicaSet | undefined> {
    const { client } = this.#context;
    const other = await client.get(replicaSets, refOf(draft), { signal });
    const isOwn = controllerOf(other)?.uid === deployment.metadata?.uid;
    if (isOwn && sameTemplate(other.spec?.template, deployment.spec?.template)) return other;
    const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
    await client.updateStatus(deployments, { ...deployment, status }, { signal });
    return undefined;
  }

  async #report({ deployment, signal }: Look, sets: readonly ReplicaSet[]): Promise<ReconcileResult> {
    const now_ms = this.#context.clock.now();
    const status = statusOf({ deployment, sets, newSet: findNewSet(deployment, sets), now_ms });
    // After a conflict (a step has written the revision a moment ago) the event of the newer version brings the next
    // look.
    await writeStatus(this.#context.client, deployments, { object: deployment, status, signal }).catch(
      ignoring('Conflict'),
    );
    const wait_ms = progressDeadlineIn_ms(deployment, status, now_ms);
    return wait_ms === undefined ? done : requeueAfter(Math.max(0, wait_ms) + 1000);
  }
}

export function createDeploymentController(context: ControllerContext): Controller {
  const all = context.informers.informer(deployments);
  const sets = context.informers.informer(replicaSets);
  const podInformer = context.informers.informer(pods);
  const reconciler = new DeploymentReconciler(context);
  const owners = byController(deployments);
  /** A Recreate waits for the last old pod: its end changes nothing else that this controller watches. */
  const ownersOfPod = (pod: Pod): string[] => {
    const reference = controllerOf(pod);
    if (reference?.kind !== 'ReplicaSet') return [];
    const set = sets.lister.getByRef({ namespace: pod.metadata?.namespace, name: reference.name });
    return set === undefined ? [] : owners(set);
  };
  /** Of pods, only the end matters to a deployment. */
  const hasEnded = (pod: Pod) => isFinished(pod) || podInformer.lister.get(keyOf(pod)) === undefined;
  return new Controller({
    name: 'deployment',
    clock: context.clock,
    logger: context.logger,
    workers: 5,
    sources: [
      sourceOf(all),
      sourceOf(sets, ownersConcerned({ informer: all, selectorOf })),
      sourceOf(podInformer, ownersOfPod, { filter: hasEnded }),
    ],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
