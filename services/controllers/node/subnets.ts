/**
 * Node subnets: gives each node a pod CIDR out of the cluster's. What is taken is what the nodes' specs say; a write
 * carries the node's version, and the API server refuses a subnet that another node holds.
 */
import ipaddr from 'ipaddr.js';
import { nodes } from '../../../apimachinery/gen/resources.js';
import type { Node } from '../../../apimachinery/gen/types.js';
import { Controller, done, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { eventsFor } from '../lib/events.js';

export interface NodeSubnetOptions {
  /** IPv4, as `10.244.0.0/16`. */
  readonly clusterCidr: string;
  /** Prefix length of a node's subnet. Kubernetes: 24. */
  readonly nodeBits: number;
}

/** The subnets of the cluster CIDR in order. */
export function* subnetsOf(options: NodeSubnetOptions): Generator<string> {
  const [address, bits] = ipaddr.IPv4.parseCIDR(options.clusterCidr);
  const first = ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${bits}`).octets.reduce(
    (sum, octet) => sum * 256 + octet,
    0,
  );
  const size = 2 ** (32 - options.nodeBits);
  for (let i = 0; i < 2 ** (options.nodeBits - bits); i++) {
    const value = first + i * size;
    yield `${[24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')}/${options.nodeBits}`;
  }
}

export function createNodeSubnetController(context: ControllerContext, options: NodeSubnetOptions): Controller {
  const informer = context.informers.informer(nodes);
  /** Given out by us, perhaps not in the cache yet: subnet -> node. */
  const given = new Map<string, string>();
  const reconcile = async (name: string, signal: AbortSignal): Promise<ReconcileResult> => {
    const node = informer.lister.get(name);
    if (node === undefined) {
      for (const [subnet, holder] of given) if (holder === name) given.delete(subnet);
      return done;
    }
    if ((node.spec?.podCIDR ?? '') !== '' || node.metadata?.deletionTimestamp !== undefined) return done;
    const taken = new Set(informer.lister.list().map((other: Node) => other.spec?.podCIDR ?? ''));
    let subnet: string | undefined;
    for (const candidate of subnetsOf(options)) {
      if (taken.has(candidate) || (given.get(candidate) ?? name) !== name) continue;
      subnet = candidate;
      break;
    }
    if (subnet === undefined) {
      eventsFor(context.events, nodes).warning(
        node,
        'CIDRNotAvailable',
        `Node ${name} status is now: CIDRNotAvailable`,
      );
      throw new Error(
        `no subnet of ${options.clusterCidr} is left for node ${name}; give the cluster a larger --cluster-cidr`,
      );
    }
    given.set(subnet, name);
    await context.client.update(
      nodes,
      { ...node, spec: { ...node.spec, podCIDR: subnet, podCIDRs: [subnet] } },
      { signal },
    );
    return done;
  };
  return new Controller({
    name: 'node-subnets',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [sourceOf(informer, bySelf)],
    reconcile: (key, call) => reconcile(key, call.signal),
  });
}
