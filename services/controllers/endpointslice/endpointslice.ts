/**
 * EndpointSlices of Services with a selector: which pods stand behind a Service, and whether they may be sent traffic.
 * Changes as few slices as it can: endpoints stay in the slice they are in, so that a change of one pod is a change of
 * one slice.
 */
import { endpointSlices, nodes, pods, services } from '../../../apimachinery/gen/resources.js';
import type { EndpointSlice, Node, Pod, Service } from '../../../apimachinery/gen/types.js';
import { labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL } from '../../../apimachinery/well-known.js';
import { Controller, done, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf, refOf, splitKey } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';
import { expectationsOf, type Expectations } from '../lib/expectations.js';
import { byNamespace, NAMESPACE_INDEX } from '../lib/indexes.js';
import { controllerRef } from '../lib/owners.js';
import { labelsFrom, serviceOfSlice } from '../lib/slices.js';
import { desiredGroups, type EndpointGroup } from './endpoints.js';
import { planSlices, type SliceContent } from './slices.js';

const MANAGER = 'endpointslice-controller.k8s.io';
const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
const SERVICE_INDEX = 'service';

/** One look at a Service. */
interface Look {
  readonly key: string;
  readonly service: Service;
  readonly existing: readonly EndpointSlice[];
  readonly signal: AbortSignal;
}

class EndpointSliceReconciler {
  readonly #context: ControllerContext;
  readonly #expectations: Expectations;
  readonly #services: Lister<Service>;
  readonly #pods: Lister<Pod>;
  readonly #nodes: Lister<Node>;
  readonly #slices: Lister<EndpointSlice>;

  constructor(context: ControllerContext, expectations: Expectations) {
    this.#context = context;
    this.#expectations = expectations;
    this.#services = context.informers.informer(services).lister;
    this.#pods = context.informers.informer(pods).lister;
    this.#nodes = context.informers.informer(nodes).lister;
    this.#slices = context.informers.informer(endpointSlices).lister;
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const service = this.#services.get(key);
    const existing = this.#slices
      .byIndex(SERVICE_INDEX, key)
      .filter((slice) => slice.metadata?.deletionTimestamp === undefined);
    if (service === undefined || service.spec?.selector === undefined || service.spec.type === 'ExternalName') {
      // Slices of a Service that is gone fall to the garbage collector; of one that lost its selector, to us.
      if (service !== undefined) await this.#removeAll(existing, signal);
      return done;
    }
    // A slice just made that the cache does not show yet would be made twice.
    if (!this.#expectations.satisfied(key)) return done;
    const selector = labelSelectorOfMap(service.spec.selector);
    const { namespace } = splitKey(key);
    const selected = this.#pods
      .byIndex(NAMESPACE_INDEX, namespace ?? '')
      .filter((pod) => selector.matches(pod.metadata?.labels));
    const groups = desiredGroups(service, selected, (name) => this.#nodes.get(name));
    const wanted = groups.length === 0 ? [{ ports: [], endpoints: [] }] : groups;
    await this.#apply({ key, service, existing, signal }, wanted);
    return done;
  }

  async #apply(look: Look, groups: readonly EndpointGroup[]): Promise<void> {
    const { write, remove } = planSlices(look.existing, groups);
    for (const content of write) await this.#write(look, content);
    await this.#removeAll(remove, look.signal);
  }

  async #write({ key, service, signal }: Look, { ports, endpoints, slice }: SliceContent): Promise<void> {
    const labels = labelsOf(service);
    const body = { addressType: 'IPv4', ports: [...ports], endpoints: [...endpoints] };
    const { client } = this.#context;
    if (slice === undefined) {
      const created = await client.create(
        endpointSlices,
        {
          metadata: {
            generateName: `${service.metadata?.name ?? ''}-`,
            namespace: service.metadata?.namespace ?? '',
            labels,
            ownerReferences: [controllerRef(service, services)],
          },
          ...body,
        },
        { signal },
      );
      if (this.#slices.get(keyOf(created)) === undefined) this.#expectations.expect(key, created.metadata?.uid ?? '');
      return;
    }
    const wanted = { ...slice.metadata?.labels, ...labels };
    const same =
      equalJson(slice.endpoints ?? [], body.endpoints) &&
      equalJson(slice.ports ?? [], body.ports) &&
      equalJson(slice.metadata?.labels, wanted);
    if (same) return;
    const { [TRIGGER_TIME]: _, ...annotations } = slice.metadata?.annotations ?? {};
    await client.update(
      endpointSlices,
      { ...slice, metadata: { ...slice.metadata, labels: wanted, annotations }, ...body },
      { signal },
    );
  }

  async #removeAll(slices: readonly EndpointSlice[], signal: AbortSignal): Promise<void> {
    for (const slice of slices) {
      await this.#context.client.delete(endpointSlices, refOf(slice), { signal }).catch(ignoring('NotFound'));
    }
  }
}

function labelsOf(service: Service): Record<string, string> {
  return { ...labelsFrom(service), [SERVICE_NAME_LABEL]: service.metadata?.name ?? '', [SLICE_MANAGER_LABEL]: MANAGER };
}

/** Services that a pod belongs to, or did. */
function servicesOfPod(list: Lister<Service>): (pod: Pod) => string[] {
  return (pod) =>
    list
      .byIndex(NAMESPACE_INDEX, pod.metadata?.namespace ?? '')
      .filter(
        (service) =>
          service.spec?.selector !== undefined &&
          labelSelectorOfMap(service.spec.selector).matches(pod.metadata?.labels),
      )
      .map(keyOf);
}

/** Only of the slices that are ours. */
const serviceOfOwnSlice = (slice: EndpointSlice) =>
  slice.metadata?.labels?.[SLICE_MANAGER_LABEL] === MANAGER ? serviceOfSlice(slice) : [];

export function createEndpointSliceController(context: ControllerContext): Controller {
  const serviceInformer = context.informers.informer(services);
  const podInformer = context.informers.informer(pods);
  const slices = context.informers.informer(endpointSlices);
  serviceInformer.addIndex(NAMESPACE_INDEX, byNamespace);
  podInformer.addIndex(NAMESPACE_INDEX, byNamespace);
  slices.addIndex(SERVICE_INDEX, serviceOfOwnSlice);
  const reconciler = new EndpointSliceReconciler(context, expectationsOf(slices, context.clock));
  return new Controller({
    name: 'endpointslice',
    clock: context.clock,
    logger: context.logger,
    workers: 5,
    sources: [
      sourceOf(serviceInformer, bySelf),
      sourceOf(podInformer, servicesOfPod(serviceInformer.lister)),
      sourceOf(slices, serviceOfOwnSlice),
      sourceOf(context.informers.informer(nodes), () => [], { filter: () => false }),
    ],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
