/**
 * Creates, patches and deletes the pods of one kind of owner. Each write is expected until the cache shows it, and
 * reported in an event of the owner. A failure ends a creation early; deletions do not wait for each other.
 */
import { pods } from '../../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../../apimachinery/gen/types.js';
import type { KubeObject, ObjectMeta, Resource } from '../../../../apimachinery/object.js';
import { isApiError, isNamespaceTerminating } from '../../../../apimachinery/status.js';
import type { Client } from '../../../../sdk/client.js';
import type { Lister } from '../../../../sdk/informer/object-cache.js';
import { keyOf, refOf } from '../../../../sdk/key.js';
import type { ControllerContext } from '../../context.js';
import { ignoring } from '../errors.js';
import { eventsFor, type KindEvents } from '../events.js';
import { expectationsOf, type Expectations } from '../expectations.js';
import { controllerRef } from '../owners.js';
import { isActive } from '../pods.js';
import { slowStart } from './slow-start.js';

/** A change of a pod's metadata: its fields replace those of the pod. */
export interface PodPatch {
  readonly pod: Pod;
  readonly metadata: Pick<ObjectMeta, 'labels' | 'annotations' | 'finalizers'>;
}

/** What is to happen to an owner's pods, in this order. */
export interface PodPlan {
  /** Without owner reference. */
  readonly create?: readonly Pod[];
  readonly patch?: readonly PodPatch[];
  readonly remove?: readonly Pod[];
}

/** Whose pods, and until when. */
interface PodScope {
  readonly owner: KubeObject;
  readonly signal: AbortSignal;
}

export class PodControl {
  readonly #client: Client;
  readonly #events: KindEvents;
  readonly #pods: Lister<Pod>;
  readonly #resource: Resource;
  readonly #expectations: Expectations;

  constructor(context: ControllerContext, resource: Resource) {
    const informer = context.informers.informer(pods);
    this.#client = context.client;
    this.#events = eventsFor(context.events, resource);
    this.#pods = informer.lister;
    this.#resource = resource;
    this.#expectations = expectationsOf(informer, context.clock);
  }

  /**
   * False: the cache does not show yet what was done to the pods of this owner. Counting them would lead to doing it
   * again.
   */
  isSettled(owner: KubeObject): boolean {
    return this.#expectations.satisfied(keyOf(owner));
  }

  /** The owner of this key is gone. */
  forget(key: string): void {
    this.#expectations.forget(key);
  }

  /** Returns the first failure. */
  async apply({ create = [], patch = [], remove = [] }: PodPlan, scope: PodScope): Promise<Error | undefined> {
    const { failure } = await slowStart(create, (draft) => this.#create(draft, scope));
    const patches = await Promise.allSettled(patch.map((one) => this.#patch(one, scope)));
    const removals = await Promise.allSettled(remove.map((pod) => this.#remove(pod, scope)));
    const failed = [...patches, ...removals].find((result) => result.status === 'rejected');
    return failure ?? (failed?.reason as Error | undefined);
  }

  /**
   * The pods of the list as they are by now. One that was asked to go is left out, though the cache may still show it
   * as active: rollouts rely on the owner's counts.
   */
  current(known: readonly Pod[]): Pod[] {
    return known.flatMap((pod) => {
      const now = this.#pods.get(keyOf(pod));
      const uid = pod.metadata?.uid ?? '';
      if (now === undefined || now.metadata?.uid !== uid || (isActive(pod) && this.#expectations.pending(uid)))
        return [];
      return [now];
    });
  }

  async #create(draft: Pod, { owner, signal }: PodScope): Promise<Pod> {
    const ownerReferences = [controllerRef(owner, this.#resource)];
    try {
      const pod = await this.#client.create(
        pods,
        { ...draft, metadata: { ...draft.metadata, ownerReferences } },
        { signal },
      );
      if (this.#pods.get(keyOf(pod)) === undefined) this.#expectations.expect(keyOf(owner), pod.metadata?.uid ?? '');
      this.#events.normal(owner, 'SuccessfulCreate', `Created pod: ${pod.metadata?.name ?? ''}`);
      return pod;
    } catch (error) {
      if (!signal.aborted && !isNamespaceTerminating(error))
        this.#events.warning(owner, 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  /** A conflict is a failure: the plan was made of an older pod. */
  async #patch({ pod, metadata }: PodPatch, { signal }: PodScope): Promise<void> {
    const { uid, resourceVersion } = pod.metadata ?? {};
    const body = { metadata: { uid, resourceVersion, ...metadata } };
    await this.#client.patch(pods, refOf(pod), { type: 'merge', body }, { signal }).catch(ignoring('NotFound'));
  }

  async #remove(pod: Pod, { owner, signal }: PodScope): Promise<void> {
    const uid = pod.metadata?.uid ?? '';
    this.#expectations.expect(keyOf(owner), uid);
    try {
      await this.#client.delete(pods, refOf(pod), { preconditions: { uid }, propagationPolicy: 'Background', signal });
      this.#events.normal(owner, 'SuccessfulDelete', `Deleted pod: ${pod.metadata?.name ?? ''}`);
    } catch (error) {
      this.#expectations.seen(uid);
      if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) return;
      if (!signal.aborted) this.#events.warning(owner, 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw error;
    }
  }
}
