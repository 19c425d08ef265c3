/**
 * How many pods the controllers of some pods want: from the caches for built-in ones, by the scale subresource for all
 * others.
 */
import { deployments, replicaSets, replicationControllers, statefulSets } from '../../../apimachinery/gen/resources.js';
import type {
  Deployment,
  Pod,
  ReplicaSet,
  ReplicationController,
  Scale,
  StatefulSet,
} from '../../../apimachinery/gen/types.js';
import { groupResourceOf, type KubeObject, type OwnerReference, type Resource } from '../../../apimachinery/object.js';
import type { Client } from '../../../sdk/client.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import { ignoring } from '../lib/errors.js';
import { controllerOf } from '../lib/owners.js';
import type { ControllerScale } from './budget.js';

interface Found {
  readonly scales: ReadonlyMap<string, ControllerScale>;
  /** Some came from the API, whose changes no event tells. */
  readonly isAsked: boolean;
}

type Replicated = KubeObject & { readonly spec?: { readonly replicas?: number } };

const splitVersion = (apiVersion: string) => {
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  return { group, version };
};

const unlessAbsent = ignoring('NotFound', 'MethodNotAllowed');

export class ScaleFinder {
  readonly #client: Client;
  readonly #discovery: Discovery;
  readonly #deployments: Lister<Deployment>;
  readonly #replicaSets: Lister<ReplicaSet>;
  readonly #statefulSets: Lister<StatefulSet>;
  readonly #replicationControllers: Lister<ReplicationController>;

  constructor(context: ControllerContext, discovery: Discovery) {
    this.#client = context.client;
    this.#discovery = discovery;
    this.#deployments = context.informers.informer(deployments).lister;
    this.#replicaSets = context.informers.informer(replicaSets).lister;
    this.#statefulSets = context.informers.informer(statefulSets).lister;
    this.#replicationControllers = context.informers.informer(replicationControllers).lister;
  }

  /** Throws for a pod whose controller is not to be found or cannot be scaled: a sum without it would be wrong. */
  async of(pods: readonly Pod[], signal: AbortSignal): Promise<Found> {
    const scales = new Map<string, ControllerScale>();
    let isAsked = false;
    for (const pod of pods) {
      const controller = controllerOf(pod);
      if (controller === undefined || scales.has(controller.uid)) continue;
      const namespace = pod.metadata?.namespace ?? '';
      let scale = this.#inCaches(controller, namespace);
      if (scale === undefined && !this.#isCached(controller)) {
        scale = await this.#ask(controller, namespace, signal);
        isAsked = true;
      }
      if (scale === undefined)
        throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata?.name ?? '')}`);
      scales.set(controller.uid, scale);
    }
    return { scales, isAsked };
  }

  #listerOf({ apiVersion, kind }: OwnerReference): Lister<Replicated> | undefined {
    const { group } = splitVersion(apiVersion);
    if (group === '' && kind === 'ReplicationController') return this.#replicationControllers;
    if (group !== 'apps') return undefined;
    if (kind === 'ReplicaSet') return this.#replicaSets;
    return kind === 'StatefulSet' ? this.#statefulSets : undefined;
  }

  #isCached(controller: OwnerReference): boolean {
    return this.#listerOf(controller) !== undefined;
  }

  #inCaches(controller: OwnerReference, namespace: string): ControllerScale | undefined {
    const object = this.#listerOf(controller)?.getByRef({ namespace, name: controller.name });
    if (object?.metadata?.uid !== controller.uid) return undefined;
    const above = controllerOf(object);
    // Its Deployment decides over all its sets.
    const isOfDeployment =
      above !== undefined && above.kind === 'Deployment' && splitVersion(above.apiVersion).group === 'apps';
    if (!isOfDeployment) return { uid: controller.uid, replicas: object.spec?.replicas ?? 1 };
    const deployment = this.#deployments.getByRef({ namespace, name: above.name });
    return deployment?.metadata?.uid === above.uid
      ? { uid: above.uid, replicas: deployment.spec?.replicas ?? 1 }
      : undefined;
  }

  async #ask(controller: OwnerReference, namespace: string, signal: AbortSignal): Promise<ControllerScale | undefined> {
    const resource = this.#discovery.ofKind(controller.apiVersion, controller.kind);
    if (resource === undefined)
      throw new Error(
        `no matches for kind ${JSON.stringify(controller.kind)} in version ${JSON.stringify(controller.apiVersion)}`,
      );
    const ref = resource.namespaced ? { namespace, name: controller.name } : { name: controller.name };
    const scale = (await this.#client.get(resource, ref, { subresource: 'scale', signal }).catch(unlessAbsent)) as
      | Scale
      | undefined;
    if (scale === undefined) {
      await this.#checkScalable(resource, { ref, uid: controller.uid, signal });
      return undefined;
    }
    return scale.metadata?.uid === controller.uid
      ? { uid: controller.uid, replicas: scale.spec?.replicas ?? 0 }
      : undefined;
  }

  /** The object is there and has no scale: its kind has none. */
  async #checkScalable(
    resource: Resource,
    of: {
      readonly ref: { readonly namespace?: string; readonly name: string };
      readonly uid: string;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const object = await this.#client.get(resource, of.ref, { signal: of.signal }).catch(unlessAbsent);
    if (object?.metadata?.uid === of.uid)
      throw new Error(`${groupResourceOf(resource)} does not implement the scale subresource`);
  }
}
