/** From a Service and its pods to the endpoints there ought to be (KEP-752). Pure functions. */
import type {
  Endpoint,
  EndpointPortDiscoveryV1,
  Node,
  Pod,
  Service,
  ServicePort,
} from '../../../apimachinery/gen/types.js';
import { isFinished, isReady, isTerminating } from '../lib/pods.js';

export const ENDPOINTS_PER_SLICE_MAX = 100;
const ZONE = 'topology.kubernetes.io/zone';

/** Endpoints that share a set of resolved ports; a named target port may resolve differently from pod to pod. */
export interface EndpointGroup {
  readonly ports: readonly EndpointPortDiscoveryV1[];
  readonly endpoints: readonly Endpoint[];
}

export function desiredGroups(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): EndpointGroup[] {
  const groups = new Map<string, { ports: EndpointPortDiscoveryV1[]; endpoints: Endpoint[] }>();
  for (const pod of pods) {
    const ip = pod.status?.podIP ?? '';
    if (ip === '' || isFinished(pod)) continue;
    const ports = portsFor(service, pod);
    // A service with ports that this pod has none of does not send it traffic.
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
    const id = JSON.stringify(ports);
    const endpoint = endpointOf(service, pod, nodeOf(pod.spec?.nodeName ?? ''));
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { ports, endpoints: [endpoint] });
    else group.endpoints.push(endpoint);
  }
  for (const group of groups.values()) group.endpoints.sort((a, b) => (uidOf(a) < uidOf(b) ? -1 : 1));
  return [...groups.values()];
}

const uidOf = (endpoint: Endpoint) => endpoint.targetRef?.uid ?? '';

function endpointOf(service: Service, pod: Pod, node: Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const always = service.spec?.publishNotReadyAddresses === true;
  const zone = node?.metadata?.labels?.[ZONE];
  const hostname = pod.spec?.subdomain === service.metadata?.name ? pod.spec?.hostname : undefined;
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: { ready: always || (serving && !terminating), serving, terminating },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata?.namespace ?? '',
      name: pod.metadata?.name ?? '',
      uid: pod.metadata?.uid ?? '',
    },
    ...(zone === undefined ? {} : { zone }),
  };
}

function portsFor(service: Service, pod: Pod): EndpointPortDiscoveryV1[] {
  const ports: EndpointPortDiscoveryV1[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPort(port, pod);
    if (number === undefined) continue;
    ports.push({
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    });
  }
  return ports;
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find((p) => p.name === target && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}
