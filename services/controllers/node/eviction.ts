/**
 * Taint eviction: deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer
 * (k8s.io/kubernetes/pkg/controller/tainteviction).
 */
import { nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Node, Pod } from '../../../apimachinery/gen/types.js';
import { Controller, done, requeueAfter, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf } from '../../../sdk/key.js';
import { markDisrupted } from '../../../sdk/pod-disruption.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { eventsFor, type KindEvents } from '../lib/events.js';
import { byNode, NODE_INDEX } from '../lib/indexes.js';
import { isTerminating } from '../lib/pods.js';
import { deleteSame } from '../lib/writes.js';
import { evictionIn_ms, TaintSightings } from './tolerance.js';

const noExecute = (node: Node | undefined) =>
  (node?.spec?.taints ?? []).filter((taint) => taint.effect === 'NoExecute');

class TaintEvictionReconciler {
  readonly #context: ControllerContext;
  readonly #events: KindEvents;
  readonly #pods: Lister<Pod>;
  readonly #nodes: Lister<Node>;
  readonly #sightings: TaintSightings;
  /** Keys of pods that will have to go if nothing changes. */
  readonly #counted = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = eventsFor(context.events, pods);
    this.#pods = context.informers.informer(pods).lister;
    this.#nodes = context.informers.informer(nodes).lister;
    this.#sightings = new TaintSightings(context.clock);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const pod = this.#pods.get(key);
    if (pod === undefined || isTerminating(pod)) {
      this.#forget(key);
      return done;
    }
    const taints = noExecute(this.#nodes.get(pod.spec?.nodeName ?? ''));
    this.#sightings.look(key, pod, taints);
    const left_ms = evictionIn_ms(pod, taints, (taint) => this.#sightings.elapsed_ms(key, taint));
    if (left_ms === undefined) {
      if (this.#counted.delete(key))
        this.#events.normal(pod, 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      return done;
    }
    this.#counted.add(key);
    if (left_ms > 0) return requeueAfter(left_ms);
    await this.#evict(key, pod, signal);
    return done;
  }

  #forget(key: string): void {
    this.#sightings.forget(key);
    this.#counted.delete(key);
  }

  async #evict(key: string, pod: Pod, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#context;
    this.#events.normal(pod, 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await markDisrupted({ client, clock, signal }, pod, {
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    });
    await deleteSame(client, pods, { object: pod, signal });
  }
}

export function createTaintEvictionController(context: ControllerContext): Controller {
  const nodeInformer = context.informers.informer(nodes);
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex(NODE_INDEX, byNode);
  const reconciler = new TaintEvictionReconciler(context);
  return new Controller({
    name: 'taint-eviction',
    clock: context.clock,
    logger: context.logger,
    workers: 4,
    sources: [
      sourceOf(podInformer, bySelf, {
        filter: (pod, old) =>
          old === undefined ||
          isTerminating(pod) ||
          pod.spec?.nodeName !== old.spec?.nodeName ||
          !equalJson(pod.spec?.tolerations, old.spec?.tolerations),
      }),
      sourceOf(nodeInformer, (node) => podInformer.lister.byIndex(NODE_INDEX, node.metadata?.name ?? '').map(keyOf), {
        filter: (node, old) => old === undefined || !equalJson(noExecute(node), noExecute(old)),
      }),
    ],
    reconcile: (key, call) => reconciler.reconcile(key, call.signal),
  });
}
