/**
 * EndpointSlices of Services without a selector, from the Endpoints that their users write: proxies and DNS read slices
 * alone (k8s.io/kubernetes/pkg/controller/endpointslicemirroring). In: Endpoints and Services. Out: slices of this
 * manager, and of no other.
 */
import { endpoints, endpointSlices, services } from '../../../apimachinery/gen/resources.js';
import type { Endpoints, EndpointSlice, Service } from '../../../apimachinery/gen/types.js';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL } from '../../../apimachinery/well-known.js';
import { Controller, done, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf, refOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';
import { eventsFor } from '../lib/events.js';
import { expectationsOf, type Expectations } from '../lib/expectations.js';
import { controllerRef } from '../lib/owners.js';
import { serviceOfSlice, SKIP_MIRROR_LABEL } from '../lib/slices.js';
import { ADDRESSES_PER_SUBSET_MAX, mirroredGroups, planSlices, type MirroredGroup } from './mirror.js';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SERVICE_INDEX = 'service of mirrored slice';
/** Endpoints that are a lock and no endpoints. */
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
const NOT_COPIED = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
]);

const isMirrored = ({ metadata }: Endpoints) =>
  metadata?.labels?.[SKIP_MIRROR_LABEL] !== 'true' && metadata?.annotations?.[LEADER_ANNOTATION] === undefined;

class MirroringReconciler {
  readonly #context: ControllerContext;
  readonly #expectations: Expectations;
  readonly #endpoints: Lister<Endpoints>;
  readonly #services: Lister<Service>;
  readonly #slices: Lister<EndpointSlice>;

  constructor(context: ControllerContext, expectations: Expectations) {
    this.#context = context;
    this.#expectations = expectations;
    this.#endpoints = context.informers.informer(endpoints).lister;
    this.#services = context.informers.informer(services).lister;
    this.#slices = context.informers.informer(endpointSlices).lister;
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    if (!this.#expectations.satisfied(key)) return done;
    const source = this.#endpoints.get(key);
    const service = this.#services.get(key);
    const existing = this.#slices
      .byIndex(SERVICE_INDEX, key)
      .filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    const wanted =
      source !== undefined && isMirrored(source) && service !== undefined && service.spec?.selector === undefined;
    if (!wanted) {
      await this.#remove(existing, signal);
      return done;
    }
    if (source.metadata?.deletionTimestamp === undefined) await this.#mirror(key, { source, existing, signal });
    return done;
  }

  async #mirror(
    key: string,
    from: { readonly source: Endpoints; readonly existing: readonly EndpointSlice[]; readonly signal: AbortSignal },
  ): Promise<void> {
    const { source, existing, signal } = from;
    const { groups, invalid, surplus } = mirroredGroups(source.subsets ?? []);
    const events = eventsFor(this.#context.events, endpoints);
    const warn = (reason: string, message: string) => events.warning(source, reason, message);
    if (invalid > 0)
      warn('InvalidIPAddress', `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`);
    if (surplus > 0) {
      warn(
        'TooManyAddressesToMirror',
        `A max of ${ADDRESSES_PER_SUBSET_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. ${surplus + invalid} addresses were skipped`,
      );
    }
    const { write, remove } = planSlices(existing, groups);
    for (const { group, slice } of write) await this.#write(key, { source, group, slice, signal });
    await this.#remove(remove, signal);
  }

  async #write(
    key: string,
    what: {
      readonly source: Endpoints;
      readonly group: MirroredGroup;
      readonly slice: EndpointSlice | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const {
      source: { metadata },
      group,
      slice,
      signal,
    } = what;
    const { client } = this.#context;
    const labels = { ...metadata?.labels, [SERVICE_NAME_LABEL]: metadata?.name ?? '', [SLICE_MANAGER_LABEL]: MANAGER };
    const annotations = Object.fromEntries(
      Object.entries(metadata?.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name)),
    );
    const ownerReferences = [controllerRef(what.source, endpoints)];
    const body = { addressType: group.addressType, ports: [...group.ports], endpoints: [...group.endpoints] };
    if (slice === undefined) {
      const place = { generateName: `${metadata?.name ?? ''}-`, namespace: metadata?.namespace ?? '' };
      const created = await client.create(
        endpointSlices,
        { metadata: { ...place, labels, annotations, ownerReferences }, ...body },
        { signal },
      );
      if (this.#slices.get(keyOf(created)) === undefined) this.#expectations.expect(key, created.metadata?.uid ?? '');
      return;
    }
    const isSame =
      equalJson(slice.endpoints ?? [], body.endpoints) &&
      equalJson(slice.ports ?? [], body.ports) &&
      equalJson(slice.metadata?.labels, labels) &&
      equalJson(slice.metadata?.annotations ?? {}, annotations) &&
      equalJson(slice.metadata?.ownerReferences, ownerReferences);
    if (!isSame)
      await client.update(
        endpointSlices,
        { ...slice, metadata: { ...slice.metadata, labels, annotations, ownerReferences }, ...body },
        { signal },
      );
  }

  async #remove(slices: readonly EndpointSlice[], signal: AbortSignal): Promise<void> {
    for (const slice of slices)
      await this.#context.client.delete(endpointSlices, refOf(slice), { signal }).catch(ignoring('NotFound'));
  }
}

const serviceOfOwnSlice = (slice: EndpointSlice) =>
  slice.metadata?.labels?.[SLICE_MANAGER_LABEL] === MANAGER ? serviceOfSlice(slice) : [];

export function createEndpointSliceMirroringController(context: ControllerContext): Controller {
  const slices = context.informers.informer(endpointSlices);
  slices.addIndex(SERVICE_INDEX, serviceOfOwnSlice);
  const reconciler = new MirroringReconciler(context, expectationsOf(slices, context.clock));
  const hasNoSelector = (service: Service) => service.spec?.selector === undefined;
  return new Controller({
    name: 'endpointslice-mirroring',
    clock: context.clock,
    logger: context.logger,
    workers: 5,
    sources: [
      sourceOf(context.informers.informer(endpoints), bySelf),
      sourceOf(context.informers.informer(services), bySelf, {
        filter: (service, old) => hasNoSelector(service) || (old !== undefined && hasNoSelector(old)),
      }),
      sourceOf(slices, serviceOfOwnSlice),
    ],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
