/**
 * Endpoints of Services with a selector, and of the Service `kubernetes`: the form of EndpointSlices that kubectl
 * before 1.31 and old clients read. Made from the slices, so that the two never tell different things. Endpoints of
 * other Services are their users'.
 */
import { endpoints, endpointSlices, services } from '../../../apimachinery/gen/resources.js';
import type { Endpoints, EndpointSlice, Service } from '../../../apimachinery/gen/types.js';
import { Controller, done, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { splitKey } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';
import { labelsFrom, serviceOfSlice, SKIP_MIRROR_LABEL } from '../lib/slices.js';
import { subsetsOf } from './subsets.js';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const SERVICE_INDEX = 'service of any slice';
/** Its slices are the members' own; it has no selector. */
const API_SERVICE = 'default/kubernetes';

/** What the Endpoints of a Service are made from. */
interface Basis {
  readonly existing: Endpoints | undefined;
  readonly slices: readonly EndpointSlice[];
  readonly signal: AbortSignal;
}

class EndpointsReconciler {
  readonly #context: ControllerContext;
  readonly #services: Lister<Service>;
  readonly #slices: Lister<EndpointSlice>;
  readonly #endpoints: Lister<Endpoints>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#services = context.informers.informer(services).lister;
    this.#slices = context.informers.informer(endpointSlices).lister;
    this.#endpoints = context.informers.informer(endpoints).lister;
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const service = this.#services.get(key);
    const existing = this.#endpoints.get(key);
    if (service === undefined || !isOurs(key, service)) {
      // Of a Service that lost its selector they are its user's from then on.
      if (service === undefined && existing?.metadata?.labels?.[MANAGED_BY] === MANAGER)
        await this.#remove(key, signal);
      return done;
    }
    await this.#write(service, { existing, slices: this.#slices.byIndex(SERVICE_INDEX, key), signal });
    return done;
  }

  async #write(service: Service, { existing, slices, signal }: Basis): Promise<void> {
    const { client } = this.#context;
    const { subsets, isTruncated } = subsetsOf(
      slices.filter(({ metadata }) => metadata?.deletionTimestamp === undefined),
    );
    const labels = {
      ...labelsFrom(service),
      [MANAGED_BY]: MANAGER,
      ...(service.spec?.selector === undefined ? { [SKIP_MIRROR_LABEL]: 'true' } : {}),
    };
    const { [OVER_CAPACITY]: _, ...others } = existing?.metadata?.annotations ?? {};
    const annotations = isTruncated ? { ...others, [OVER_CAPACITY]: 'truncated' } : others;
    if (existing === undefined) {
      const { namespace = '', name = '' } = service.metadata ?? {};
      await client.create(endpoints, { metadata: { namespace, name, labels, annotations }, subsets }, { signal });
      return;
    }
    const { metadata } = existing;
    if (
      equalJson(existing.subsets ?? [], subsets) &&
      equalJson(metadata?.labels, labels) &&
      equalJson(metadata?.annotations ?? {}, annotations)
    )
      return;
    await client.update(
      endpoints,
      { ...existing, metadata: { ...metadata, labels, annotations }, subsets },
      { signal },
    );
  }

  async #remove(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key);
    const ref = namespace === undefined ? { name } : { namespace, name };
    await this.#context.client.delete(endpoints, ref, { signal }).catch(ignoring('NotFound'));
  }
}

const isOurs = (key: string, { spec }: Service) =>
  (spec?.selector !== undefined && spec.type !== 'ExternalName') || key === API_SERVICE;

export function createEndpointsController(context: ControllerContext): Controller {
  const slices = context.informers.informer(endpointSlices);
  slices.addIndex(SERVICE_INDEX, serviceOfSlice);
  const reconciler = new EndpointsReconciler(context);
  return new Controller({
    name: 'endpoints',
    clock: context.clock,
    logger: context.logger,
    workers: 5,
    sources: [
      sourceOf(context.informers.informer(services), bySelf),
      sourceOf(slices, serviceOfSlice),
      sourceOf(context.informers.informer(endpoints), bySelf),
    ],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
