/**
 * What a cloud provider is to Navarch: where machines run, how traffic comes in, how pods' subnets are routed. The
 * node, route and load-balancer controllers are written against this interface and call a provider's HTTP API through
 * it; a cluster without a provider does without it (k8s.io/cloud-provider, "Cloud Controller Manager").
 *
 * In: facts about nodes and Services. Out: what the provider made of them. A provider keeps no state here: it is asked
 * again, and `ensure` is called as often as anything may have changed. It must never follow a redirect, nor log a
 * credential.
 */
import type { Node, NodeAddress, Service } from '../../apimachinery/gen/types.js';

export interface CallOptions {
  readonly signal: AbortSignal;
}

/** A machine as the provider knows it. */
export interface Instance {
  /** `<provider>://<id>`, what `Node.spec.providerID` becomes. */
  readonly providerId: string;
  /** Becomes the label node.kubernetes.io/instance-type. */
  readonly type: string;
  readonly addresses: readonly NodeAddress[];
  /** Become the labels topology.kubernetes.io/zone and region. */
  readonly zone?: string;
  readonly region?: string;
  /** Stopped, but not gone: its node is tainted, not deleted. */
  readonly shutDown: boolean;
}

export interface Instances {
  /**
   * By `spec.providerID`, or by name while that is unset. Undefined: the provider is sure that there is no such
   * machine.
   */
  find(node: Node, options: CallOptions): Promise<Instance | undefined>;
}

export interface LoadBalancerStatus {
  /** Addresses or names that become `status.loadBalancer.ingress`. */
  readonly ingress: readonly { readonly ip?: string; readonly hostname?: string }[];
}

export interface LoadBalancers {
  /** Undefined: there is none for this Service. */
  get(service: Service, options: CallOptions): Promise<LoadBalancerStatus | undefined>;
  /**
   * Makes it, or brings it up to date: the Service's ports on the given nodes' node ports. Resolves when it takes
   * traffic.
   */
  ensure(service: Service, nodes: readonly Node[], options: CallOptions): Promise<LoadBalancerStatus>;
  /** Removes it; one that is not there is fine. */
  remove(service: Service, options: CallOptions): Promise<void>;
}

export interface Route {
  /** IPv4 CIDR of a node's pods. */
  readonly destination: string;
  readonly node: string;
}

export interface Routes {
  list(options: CallOptions): Promise<readonly Route[]>;
  create(route: Route, options: CallOptions): Promise<void>;
  remove(route: Route, options: CallOptions): Promise<void>;
}

/** What a provider cannot do is absent; its controller is then not started. */
export interface CloudProvider {
  /** The scheme of its provider ids: lower-case letters and digits. */
  readonly name: string;
  readonly instances?: Instances;
  readonly loadBalancers?: LoadBalancers;
  readonly routes?: Routes;
}

/**
 * Fails with this when asking again later may help. Everything else is reported on the object and tried again when that
 * changes.
 */
export class ProviderUnavailableError extends Error {
  override readonly name = 'ProviderUnavailableError';
  readonly retryAfter_ms: number | undefined;

  constructor(message: string, retryAfter_ms?: number) {
    super(message);
    this.retryAfter_ms = retryAfter_ms;
  }
}
