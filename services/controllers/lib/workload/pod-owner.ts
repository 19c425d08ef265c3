/**
 * A controller whose objects own pods. It claims them, waits until the cache shows what it did last, creates and
 * deletes as the kind decides, and writes the status. In: a kind, whose `decide` and `report` are pure functions of a
 * look. A ReplicaSet, a Job, a StatefulSet and a DaemonSet differ in nothing else.
 */
import { pods } from '../../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../../apimachinery/gen/types.js';
import type { KubeObject, Resource } from '../../../../apimachinery/object.js';
import type { LabelSelector } from '../../../../apimachinery/selector/labels.js';
import {
  Controller,
  done,
  requeueAfter,
  type ReconcileContext,
  type ReconcileResult,
} from '../../../../sdk/controller/controller.js';
import { sourceOf, type Source } from '../../../../sdk/controller/source.js';
import type { Lister } from '../../../../sdk/informer/object-cache.js';
import type { ControllerContext } from '../../context.js';
import { claim } from '../claim.js';
import { ownedObjects, ownersConcerned, type OwnedObjects } from '../owners.js';
import { PodControl, type PodPlan } from './pod-control.js';
import { writeStatus } from '../writes.js';

type PodOwner = KubeObject & { readonly status?: unknown };

/** What is there: an owner, its pods, and what its kind gathered beside them. */
export interface PodLook<O extends PodOwner, F> {
  readonly owner: O;
  /** The owner's, also those that have finished or are terminating. */
  readonly pods: readonly Pod[];
  readonly facts: F;
  readonly now_ms: number;
}

interface Gathering<O extends PodOwner> {
  readonly owner: O;
  readonly pods: readonly Pod[];
  readonly signal: AbortSignal;
}

export interface PodReport<O extends PodOwner> {
  readonly status: NonNullable<O['status']>;
  /** Milliseconds until the status changes by the passing of time alone. */
  readonly lookAgainIn_ms?: number | undefined;
}

interface PodOwnerKind<O extends PodOwner, F> {
  /** As upstream names the controller. */
  readonly name: string;
  readonly resource: Resource<O>;
  /** Owners worked on at the same time. */
  readonly workers: number;
  readonly selectorOf: (owner: O) => LabelSelector;
  /** Pods that may be adopted and released; all of them when absent. */
  readonly isClaimable?: (pod: Pod) => boolean;
  /**
   * Everything `decide` needs beside the pods: reads caches, keeps the history of revisions. Also called for an owner
   * that is terminating.
   */
  readonly gather: (gathering: Gathering<O>) => F | Promise<F>;
  /** What to do. For an owner that is terminating only the patches are carried out: its pods go with it. */
  readonly decide: (look: PodLook<O, F>) => PodPlan;
  /** The status after that. `failure`: the first thing that could not be done. */
  readonly report: (look: PodLook<O, F>, failure: Error | undefined) => PodReport<O>;
  /** Whatever else makes an owner look again. */
  readonly sources?: readonly Source[];
}

class PodOwnerReconciler<O extends PodOwner, F> {
  readonly #context: ControllerContext;
  readonly #kind: PodOwnerKind<O, F>;
  readonly #owners: Lister<O>;
  readonly #owned: OwnedObjects<Pod>;
  readonly #control: PodControl;

  constructor(context: ControllerContext, kind: PodOwnerKind<O, F>) {
    this.#context = context;
    this.#kind = kind;
    this.#owners = context.informers.informer(kind.resource).lister;
    this.#owned = ownedObjects(context.informers.informer(pods));
    this.#control = new PodControl(context, kind.resource);
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const owner = this.#owners.get(key);
    if (owner === undefined) {
      this.#control.forget(key);
      return done;
    }
    const { clock, client } = this.#context;
    // Before the pods are read: an event that comes in between must not make an older list count as complete.
    const isSettled = this.#control.isSettled(owner);
    const claimed = await this.#claim(owner, signal);
    const facts = await this.#kind.gather({ owner, pods: claimed, signal });
    let failure: Error | undefined;
    if (isSettled) {
      const plan = this.#kind.decide({ owner, pods: claimed, facts, now_ms: clock.now() });
      const isGoing = owner.metadata?.deletionTimestamp !== undefined;
      failure = await this.#control.apply(isGoing ? { patch: plan.patch ?? [] } : plan, { owner, signal });
    }
    const look = { owner, pods: this.#control.current(claimed), facts, now_ms: clock.now() };
    const { status, lookAgainIn_ms } = this.#kind.report(look, failure);
    await writeStatus(client, this.#kind.resource, { object: owner, status, signal, retry: true });
    if (failure !== undefined) throw failure;
    return lookAgainIn_ms === undefined ? done : requeueAfter(lookAgainIn_ms);
  }

  /**
   * Pods that may not be claimed (finished ones, for some kinds) stay with the owner as long as the selector matches
   * them.
   */
  async #claim(owner: O, signal: AbortSignal): Promise<Pod[]> {
    const { resource, selectorOf, isClaimable = () => true } = this.#kind;
    const selector = selectorOf(owner);
    const matches = (pod: Pod) => selector.matches(pod.metadata?.labels);
    const own = this.#owned.of(owner);
    const claimed = await claim({
      client: this.#context.client,
      owner,
      ownerResource: resource,
      resource: pods,
      matches,
      signal,
      own: own.filter(isClaimable),
      orphans: this.#owned.orphansFor(owner).filter(isClaimable),
    });
    return [...claimed, ...own.filter((pod) => !isClaimable(pod) && matches(pod))];
  }
}

export function createPodOwnerController<O extends PodOwner, F>(
  context: ControllerContext,
  kind: PodOwnerKind<O, F>,
): Controller {
  const informer = context.informers.informer(kind.resource);
  const reconciler = new PodOwnerReconciler(context, kind);
  const concerned = ownersConcerned({ informer, selectorOf: kind.selectorOf });
  return new Controller({
    name: kind.name,
    clock: context.clock,
    logger: context.logger,
    workers: kind.workers,
    sources: [sourceOf(informer), sourceOf(context.informers.informer(pods), concerned), ...(kind.sources ?? [])],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
