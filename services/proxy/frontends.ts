/** What a Service means on one node: the addresses it answers on, and who answers. Pure. */
import { isIPv4 } from 'node:net';
import type { Endpoint, EndpointSlice, Service, ServicePort } from '../../apimachinery/gen/types.js';

/** Services with this label belong to another proxy (KEP-2447). */
const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

export type Protocol = 'tcp' | 'udp';

/** One address and port that answers. */
export interface Backend {
  readonly address: string;
  readonly port: number;
  /** The pod runs on this node: it may come to talk to itself through the Service. */
  readonly local: boolean;
}

/** Where a client knocks. */
export type FrontendAddress =
  | { readonly kind: 'address'; readonly address: string; readonly protocol: Protocol; readonly port: number }
  | { readonly kind: 'nodePort'; readonly protocol: Protocol; readonly port: number };

export interface Frontend {
  readonly at: FrontendAddress;
  readonly backends: readonly Backend[];
  /** 'client': the same client address reaches the same backend (sessionAffinity ClientIP). */
  readonly balance: 'random' | 'client';
  /** The backend sees this node's address, so that its answers come back this way. */
  readonly masquerade: boolean;
  /**
   * What happens when there are no backends: 'drop' when others than this node's might have some (traffic policy
   * Local).
   */
  readonly empty: 'reject' | 'drop';
}

/** `10.96.0.1 . tcp . 80`, or `tcp . 30080` for a node port: also the element's key in the kernel's maps. */
export function frontendKey(at: FrontendAddress): string {
  return at.kind === 'address' ? `${at.address} . ${at.protocol} . ${at.port}` : `${at.protocol} . ${at.port}`;
}

export interface NodeContext {
  readonly nodeName: string;
  /** Addresses that this node answers itself (cluster DNS): no frontend is made for them. */
  readonly ownAddresses: ReadonlySet<string>;
}

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535;

/** Undefined for SCTP and for what is unknown. */
function protocolOf(protocol: string | undefined): Protocol | undefined {
  if (protocol === undefined || protocol === 'TCP') return 'tcp';
  return protocol === 'UDP' ? 'udp' : undefined;
}

/** False for headless and ExternalName services, and for those that another proxy serves. */
function isProxied(service: Service): boolean {
  const ip = service.spec?.clusterIP ?? '';
  if (service.spec?.type === 'ExternalName' || ip === '' || ip === 'None') return false;
  return service.metadata?.labels?.[SERVICE_PROXY_NAME_LABEL] === undefined;
}

interface Candidate extends Backend {
  readonly state: 'ready' | 'terminating';
}

/** An endpoint that may take new connections, and how willingly. Absent conditions mean ready (EndpointConditions). */
function stateOf(endpoint: Endpoint): Candidate['state'] | undefined {
  const { ready, serving, terminating } = endpoint.conditions ?? {};
  if (terminating === true) return (serving ?? ready ?? true) ? 'terminating' : undefined;
  return (ready ?? true) ? 'ready' : undefined;
}

/** Everybody who could answer for one port of the Service, each address and port once; the willing state wins. */
function candidatesOf(port: ServicePort, slices: readonly EndpointSlice[], context: NodeContext): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    for (const slicePort of slice.ports ?? []) {
      if ((slicePort.name ?? '') !== (port.name ?? '')) continue;
      if (protocolOf(slicePort.protocol) !== protocolOf(port.protocol) || !isPort(slicePort.port)) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const state = stateOf(endpoint);
        const address = endpoint.addresses[0];
        if (state === undefined || address === undefined || !isIPv4(address)) continue;
        const key = `${address}:${slicePort.port}`;
        if (found.get(key)?.state === 'ready') continue;
        found.set(key, { address, port: slicePort.port, local: endpoint.nodeName === context.nodeName, state });
      }
    }
  }
  return [...found.values()];
}

/** Ready ones; if there are none, those that still serve while they end (KEP-1669). In a stable order. */
function willing(candidates: readonly Candidate[]): Backend[] {
  const ready = candidates.filter((candidate) => candidate.state === 'ready');
  return (ready.length > 0 ? ready : candidates)
    .map(({ address, port, local }) => ({ address, port, local }))
    .sort((a, b) => (a.address === b.address ? a.port - b.port : a.address < b.address ? -1 : 1));
}

/** Addresses from outside: external IPs, and load balancers that hand on packets with their address kept. */
function externalAddresses(service: Service): string[] {
  const addresses = [...(service.spec?.externalIPs ?? [])];
  // With source ranges the packets are left to the load balancer, which enforces them.
  if ((service.spec?.loadBalancerSourceRanges ?? []).length === 0) {
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
      if (ingress.ip !== undefined && ingress.ipMode !== 'Proxy') addresses.push(ingress.ip);
    }
  }
  return addresses;
}

/**
 * All frontends of a Service, given its EndpointSlices. Malformed parts are left out, never passed on to the kernel.
 */
export function frontendsOf(service: Service, slices: readonly EndpointSlice[], context: NodeContext): Frontend[] {
  if (!isProxied(service)) return [];
  const spec = service.spec ?? {};
  const balance = spec.sessionAffinity === 'ClientIP' ? 'client' : 'random';
  const usable = (address: string) => isIPv4(address) && !context.ownAddresses.has(address);
  const inside = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(usable);
  const outside = externalAddresses(service).filter(usable);
  const frontends: Frontend[] = [];
  for (const port of spec.ports ?? []) {
    const protocol = protocolOf(port.protocol);
    if (protocol === undefined || !isPort(port.port)) continue;
    const candidates = candidatesOf(port, slices, context);
    const policy = (local: boolean) => ({
      backends: willing(local ? candidates.filter((candidate) => candidate.local) : candidates),
      empty: local && candidates.length > 0 ? ('drop' as const) : ('reject' as const),
    });
    const internal = policy(spec.internalTrafficPolicy === 'Local');
    const keepsClient = spec.externalTrafficPolicy === 'Local';
    const external = { ...policy(keepsClient), balance, masquerade: !keepsClient } as const;
    for (const address of inside) {
      frontends.push({
        at: { kind: 'address', address, protocol, port: port.port },
        ...internal,
        balance,
        masquerade: false,
      });
    }
    for (const address of outside)
      frontends.push({ at: { kind: 'address', address, protocol, port: port.port }, ...external });
    if (isPort(port.nodePort)) frontends.push({ at: { kind: 'nodePort', protocol, port: port.nodePort }, ...external });
  }
  return frontends;
}
