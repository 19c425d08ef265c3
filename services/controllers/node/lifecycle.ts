/**
 * Node lifecycle: a worker that stops renewing its lease becomes NotReady and is tainted, so that no pods come to it
 * and those on it are moved when their toleration ends (see eviction.ts). Silence is measured on this process's own
 * monotonic clock, from when a renewal was seen: clocks of other machines are never compared.
 */
import { leases, nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Lease, Node, Pod } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import {
  Controller,
  done,
  requeueAfter,
  type ReconcileContext,
  type ReconcileResult,
} from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { refOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';
import { eventsFor, type KindEvents } from '../lib/events.js';
import { byNode, NODE_INDEX } from '../lib/indexes.js';
import { podCondition } from '../lib/pods.js';
import { readyStatus, silentConditions, taintsOf } from './health.js';

export interface NodeLifecycleOptions {
  /** Silence after which a node counts as unreachable. Kubernetes: 40 s. */
  readonly grace_ms: number;
}

export const LEASE_NAMESPACE = 'kube-node-lease';

interface Sign {
  readonly renewTime: string;
  readonly seen_ms: number;
}

class NodeLifecycleReconciler {
  readonly #context: ControllerContext;
  readonly #events: KindEvents;
  readonly #podEvents: KindEvents;
  readonly #options: NodeLifecycleOptions;
  readonly #nodes: Lister<Node>;
  readonly #leases: Lister<Lease>;
  readonly #pods: Lister<Pod>;
  /** Last sign of life of each node. */
  readonly #signs = new Map<string, Sign>();

  constructor(context: ControllerContext, options: NodeLifecycleOptions) {
    this.#context = context;
    this.#events = eventsFor(context.events, nodes);
    this.#podEvents = eventsFor(context.events, pods);
    this.#options = options;
    this.#nodes = context.informers.informer(nodes).lister;
    this.#leases = context.informers.informer(leases, { namespace: LEASE_NAMESPACE }).lister;
    this.#pods = context.informers.informer(pods).lister;
  }

  async reconcile(name: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const node = this.#nodes.get(name);
    if (node === undefined) {
      this.#signs.delete(name);
      return done;
    }
    if (!this.#signs.has(name))
      this.#events.normal(node, 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
    const silence_ms = this.#silence(name);
    const current = silence_ms >= this.#options.grace_ms ? await this.#markUnknown(node, signal) : node;
    await this.#taint(current, signal);
    if (readyStatus(current) !== 'True') await this.#markPodsNotReady(current, signal);
    return requeueAfter(
      silence_ms < this.#options.grace_ms ? this.#options.grace_ms - silence_ms : this.#options.grace_ms,
    );
  }

  #silence(name: string): number {
    const now_ms = this.#context.clock.monotonic();
    const renewTime = this.#leases.get(`${LEASE_NAMESPACE}/${name}`)?.spec?.renewTime ?? '';
    const known = this.#signs.get(name);
    if (known !== undefined && known.renewTime === renewTime) return now_ms - known.seen_ms;
    this.#signs.set(name, { renewTime, seen_ms: now_ms });
    return 0;
  }

  async #markUnknown(node: Node, signal: AbortSignal): Promise<Node> {
    const conditions = silentConditions(node, toTime(this.#context.clock.now()));
    if (conditions === undefined) return node;
    this.#events.normal(node, 'NodeNotReady', `Node ${node.metadata?.name ?? ''} status is now: NodeNotReady`);
    return this.#context.client.updateStatus(nodes, { ...node, status: { ...node.status, conditions } }, { signal });
  }

  async #taint(node: Node, signal: AbortSignal): Promise<void> {
    const taints = taintsOf(node, toTime(this.#context.clock.now()));
    if (equalJson(taints, node.spec?.taints ?? [])) return;
    await this.#context.client.update(nodes, { ...node, spec: { ...node.spec, taints } }, { signal });
  }

  /** Their containers may live, but nobody can tell: Services stop sending to them. */
  async #markPodsNotReady(node: Node, signal: AbortSignal): Promise<void> {
    if (readyStatus(node) !== 'Unknown') return;
    for (const pod of this.#pods.byIndex(NODE_INDEX, node.metadata?.name ?? '')) {
      const ready = podCondition(pod, 'Ready');
      if (ready?.status !== 'True') continue;
      const now = toTime(this.#context.clock.now());
      const conditions = [{ ...ready, status: 'False', reason: 'NodeNotReady', lastTransitionTime: now }];
      const patch = {
        type: 'strategic',
        body: { metadata: { uid: pod.metadata?.uid }, status: { conditions } },
      } as const;
      await this.#context.client
        .patch(pods, refOf(pod), patch, { subresource: 'status', signal })
        .catch(ignoring('NotFound', 'Conflict'));
      this.#podEvents.warning(pod, 'NodeNotReady', 'Node is not ready');
    }
  }
}

export function createNodeLifecycleController(context: ControllerContext, options: NodeLifecycleOptions): Controller {
  const nodeInformer = context.informers.informer(nodes);
  const leaseInformer = context.informers.informer(leases, { namespace: LEASE_NAMESPACE });
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex(NODE_INDEX, byNode);
  const reconciler = new NodeLifecycleReconciler(context, options);
  return new Controller({
    name: 'node-lifecycle',
    clock: context.clock,
    logger: context.logger,
    workers: 4,
    sources: [
      sourceOf(nodeInformer, bySelf),
      sourceOf(leaseInformer, (lease) => [lease.metadata?.name ?? '']),
      // A pod that reports ready while its node is silent came late: look again.
      sourceOf(podInformer, byNode, {
        filter: (pod, old) =>
          podCondition(pod, 'Ready')?.status === 'True' &&
          old !== undefined &&
          podCondition(old, 'Ready')?.status !== 'True',
      }),
    ],
    reconcile: (key, call) => (key === '' ? Promise.resolve(done) : reconciler.reconcile(key, call)),
  });
}
