/**
 * From a target to the endpoints that may be tried, in that order. What is a pod's address is decided by the
 * pod's status here, and by the runtime on the worker; an EndpointSlice alone decides nothing (services/proxy of
 * kube-apiserver: isValidAddress).
 */
import { endpointSlices, nodes, pods, services } from '../../../apimachinery/gen/resources.js';
import type {
  Endpoint as SliceEndpoint,
  EndpointSlice,
  Node,
  Pod,
  Service,
  ServicePort,
} from '../../../apimachinery/gen/types.js';
import type { DialTarget } from '../../../apimachinery/dialer.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Random } from '../../../platform/random.js';
import type { ObjectReader } from '../ports.js';
import { dialable } from './address.js';

export type Endpoint =
  | {
      readonly kind: 'pod';
      readonly node: string;
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      /** Checked. */
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: 'node'; readonly name: string; readonly port: number }
  | { readonly kind: 'url'; readonly host: string; readonly port: number };

interface ResolveParts {
  readonly reader: ObjectReader;
  readonly random: Random;
}

/** Endpoints of a Service that are tried. */
const ENDPOINTS_TRIED_MAX = 2;

type ClusterTarget = Exclude<DialTarget, { kind: 'url' }>;
type ServiceTarget = Extract<DialTarget, { kind: 'service' }>;

/** One, or of a Service up to two. Throws NotFound, BadRequest and ServiceUnavailable. */
export async function endpointsOf(target: ClusterTarget, parts: ResolveParts): Promise<readonly Endpoint[]> {
  const { reader } = parts;
  switch (target.kind) {
    case 'node': {
      await existing<Node>(reader, nodes, { name: target.name });
      return [{ kind: 'node', name: target.name, port: target.port }];
    }
    case 'pod': {
      const { namespace, name, port } = target;
      return [podEndpoint(await existing<Pod>(reader, pods, { namespace, name }), port)];
    }
    case 'service': {
      const { namespace, name } = target;
      return serviceEndpoints(await existing<Service>(reader, services, { namespace, name }), target, parts);
    }
  }
}

/**
 * From the cache, and from the store when it is not there yet: it may have been created through another member a
 * moment ago.
 */
async function existing<T extends KubeObject>(
  reader: ObjectReader,
  resource: Resource<T>,
  ref: { namespace?: string; name: string },
): Promise<T> {
  const found = reader.get(resource, ref) ?? (await reader.getFresh(resource, ref));
  if (found === undefined) throw apiErrors.notFound(resource, ref.name);
  return found as T;
}

/** Throws for a pod that cannot be reached now. */
function podEndpoint(pod: Pod, port: number): Endpoint {
  const name = pod.metadata?.name ?? '';
  const [address] = addressesIn(pod);
  if (pod.spec?.nodeName === undefined || pod.spec.nodeName === '')
    throw apiErrors.badRequest(`pod ${name} does not have a host assigned`);
  const endpoint = address === undefined ? undefined : endpointAt(pod, address, port);
  if (endpoint === undefined) throw apiErrors.badRequest('address not allowed');
  return endpoint;
}

function endpointAt(pod: Pod, text: string, port: number): Endpoint | undefined {
  const address = dialable(text);
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const node = pod.spec?.nodeName ?? '';
  return address === undefined || node === ''
    ? undefined
    : { kind: 'pod', node, namespace, pod: name, uid, address, port };
}

function addressesIn(pod: Pod): string[] {
  const { podIP, podIPs } = pod.status ?? {};
  return [...new Set([podIP ?? '', ...(podIPs ?? []).map(({ ip }) => ip ?? '')])].filter((ip) => ip !== '');
}

function serviceEndpoints(
  service: Service,
  target: ServiceTarget,
  { reader, random }: ResolveParts,
): readonly Endpoint[] {
  const { namespace, name, beyondPods } = target;
  if (service.spec?.type === 'ExternalName') return [externalEndpoint(service, target)];
  const portName = portOf(service, target);
  const slices = reader.list(endpointSlices, { namespace }) as readonly EndpointSlice[];
  const [primary = 'IPv4'] = service.spec?.ipFamilies ?? [];
  const ready = slices
    .filter((slice) => slice.metadata?.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) =>
      readyIn(slice, portName).map((endpoint) => ({ ...endpoint, isPrimary: slice.addressType === primary })),
    );
  const shuffled = shuffle(ready, random);
  const endpoints: Endpoint[] = [];
  // Endpoints of the Service's first address family come first. Those that are not tried are not looked up.
  for (const { endpoint, port } of [
    ...shuffled.filter(({ isPrimary }) => isPrimary),
    ...shuffled.filter(({ isPrimary }) => !isPrimary),
  ]) {
    const dialled = slicedEndpoint(endpoint, port, { reader, namespace, beyondPods: beyondPods === true });
    if (dialled !== undefined && endpoints.push(dialled) === ENDPOINTS_TRIED_MAX) break;
  }
  if (endpoints.length === 0)
    throw apiErrors.serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return endpoints;
}

function externalEndpoint(service: Service, { beyondPods, port }: ServiceTarget): Endpoint {
  const host = service.spec?.externalName ?? '';
  if (beyondPods !== true || host === '') throw apiErrors.serviceUnavailable('unsupported service type "ExternalName"');
  const number = typeof port === 'number' ? port : service.spec?.ports?.find((own) => own.name === port)?.port;
  if (number === undefined)
    throw apiErrors.serviceUnavailable(
      `no service port ${JSON.stringify(port)} found for service ${JSON.stringify(service.metadata?.name)}`,
    );
  return { kind: 'url', host, port: number };
}

/** The name that the port has in the Service's EndpointSlices. */
function portOf(service: Service, { port, name }: ServiceTarget): string {
  if (typeof port === 'string') return port;
  const found = service.spec?.ports?.find((own: ServicePort) => own.port === port);
  if (found === undefined)
    throw apiErrors.serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
  return found.name ?? '';
}

/** Ready endpoints of the slice with the number that the port has there; target ports by name have one already. */
function readyIn(
  slice: EndpointSlice,
  portName: string,
): { readonly endpoint: SliceEndpoint; readonly port: number }[] {
  const port = slice.ports?.find((own) => (own.name ?? '') === portName && (own.protocol ?? 'TCP') === 'TCP')?.port;
  if (port === undefined || slice.addressType === 'FQDN') return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .map((endpoint) => ({ endpoint, port }));
}

interface SliceParts {
  readonly reader: ObjectReader;
  readonly namespace: string;
  readonly beyondPods: boolean;
}

/** Undefined for an endpoint that may not be dialled. */
function slicedEndpoint(
  endpoint: SliceEndpoint,
  port: number,
  { reader, namespace, beyondPods }: SliceParts,
): Endpoint | undefined {
  const [address = ''] = endpoint.addresses;
  const { targetRef } = endpoint;
  if (targetRef?.kind !== 'Pod')
    return beyondPods && dialable(address) !== undefined ? { kind: 'url', host: address, port } : undefined;
  if (targetRef.namespace !== namespace) return undefined;
  const pod = reader.get(pods, { namespace, name: targetRef.name ?? '' }) as Pod | undefined;
  if (pod === undefined || !addressesIn(pod).includes(address)) return undefined;
  if (targetRef.uid !== undefined && targetRef.uid !== pod.metadata?.uid) return undefined;
  return endpointAt(pod, address, port);
}

/** Fisher and Yates. */
function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = random.int(last + 1);
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
