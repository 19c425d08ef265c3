/**
 * Garbage collection by owner references: deletes what all its owners have left behind, and carries out the
 * `Foreground` and `Orphan` ways of deletion ("Owners and Dependents";
 * k8s.io/kubernetes/pkg/controller/garbagecollector). The graph says whom to look at; `Owners` says what has become of
 * owners; what is done here is done under the version that was judged.
 */
import { apiVersionOf, type OwnerReference } from '../../../apimachinery/object.js';
import type { Service } from '../../../platform/service.js';
import { Controller, done, requeueAfter, type ReconcileResult } from '../../../sdk/controller/controller.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import { ignoring } from '../lib/errors.js';
import { eventsFor } from '../lib/events.js';
import { FOREGROUND, isDeletingDependents, isReachable, ORPHAN, OwnerGraph, type GraphNode } from './graph.js';
import { Monitors } from './monitors.js';
import { Owners, type OwnerState } from './owners.js';

export interface GarbageCollectorOptions {
  readonly discovery: Discovery;
}

/**
 * Until the next look at an object whose owner exists but was in no event yet: the end of such an owner would go
 * unheard.
 */
const UNSEEN_MS = 2_000;

interface Parts {
  readonly context: ControllerContext;
  readonly graph: OwnerGraph;
  readonly owners: Owners;
  readonly enqueue: (uid: string) => void;
  /** Resolves when the graph has everything of all kinds that are served now. */
  readonly whenComplete: (signal: AbortSignal) => Promise<void>;
}

type Propagation = 'Orphan' | 'Foreground' | 'Background';

class GarbageCollector {
  readonly #parts: Parts;
  /** Uids of objects with an owner of a kind that is not served: judged again when kinds come. */
  readonly #undecided = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  kindsChanged(): void {
    for (const uid of this.#undecided) this.#parts.enqueue(uid);
    this.#undecided.clear();
  }

  async reconcile(uid: string, signal: AbortSignal): Promise<ReconcileResult> {
    const node = this.#parts.graph.get(uid);
    if (node === undefined) this.#undecided.delete(uid);
    else if (node.deleting && node.finalizers.includes(ORPHAN)) await this.#orphanDependents(node, signal);
    else if (isDeletingDependents(node)) await this.#awaitDependents(node, signal);
    else if (!node.deleting && node.owners.length > 0) return this.#judge(node, signal);
    return done;
  }

  async #orphanDependents(node: GraphNode, signal: AbortSignal): Promise<void> {
    await this.#parts.whenComplete(signal);
    for (const dependent of this.#parts.graph.dependentsOf(node.uid))
      await this.#dropOwners(dependent, new Set([node.uid]), signal);
    await this.#removeFinalizer(node, ORPHAN, signal);
  }

  /** The owner goes when no dependent blocks it; their own deletion brings us back here. */
  async #awaitDependents(node: GraphNode, signal: AbortSignal): Promise<void> {
    await this.#parts.whenComplete(signal);
    const { graph, enqueue } = this.#parts;
    for (const dependent of graph.dependentsOf(node.uid)) if (!dependent.deleting) enqueue(dependent.uid);
    for (const blocker of graph.circleOf(node)) await this.#unblock(blocker, signal);
    if (graph.blockersOf(node).length === 0) await this.#removeFinalizer(node, FOREGROUND, signal);
  }

  async #judge(node: GraphNode, signal: AbortSignal): Promise<ReconcileResult> {
    this.#reportStrangers(node);
    const states = new Map<OwnerReference, OwnerState>();
    for (const owner of node.owners) states.set(owner, await this.#parts.owners.stateOf(node, owner, signal));
    const uidsOf = (...kinds: OwnerState['kind'][]) =>
      [...states].filter(([, { kind }]) => kinds.includes(kind)).map(([{ uid }]) => uid);
    // No retry will mend a reference out of no namespace into one.
    if (uidsOf('misplaced').length > 0) return done;
    if (uidsOf('unknown').length > 0) {
      this.#undecided.add(node.uid);
      return done;
    }
    if (uidsOf('solid').length > 0) {
      // An owner that waits is let go of: the others keep the object.
      const ending = new Set(uidsOf('dangling', 'waiting'));
      if (ending.size > 0) await this.#dropOwners(node, ending, signal);
    } else {
      await this.#delete(node, uidsOf('waiting').length > 0 ? this.#beforeOwner(node) : ownPolicy(node), signal);
    }
    return [...states.values()].some((state) => 'isSeen' in state && !state.isSeen) ? requeueAfter(UNSEEN_MS) : done;
  }

  /** While an owner waits, what has dependents itself waits for them too. */
  #beforeOwner(node: GraphNode): Propagation {
    return this.#parts.graph.dependentsOf(node.uid).length > 0 ? 'Foreground' : ownPolicy(node);
  }

  #reportStrangers(node: GraphNode): void {
    for (const owner of node.owners) {
      const known = this.#parts.graph.get(owner.uid);
      if (known === undefined || isReachable(known, node)) continue;
      const coordinates = `[${owner.apiVersion}/${owner.kind}, namespace: ${node.namespace}, name: ${owner.name}, uid: ${owner.uid}]`;
      const object = {
        apiVersion: apiVersionOf(node.resource),
        kind: node.resource.kind,
        metadata: { name: node.name, namespace: node.namespace, uid: node.uid },
      };
      eventsFor(this.#parts.context.events, node.resource).warning(
        object,
        'OwnerRefInvalidNamespace',
        `ownerRef ${coordinates} does not exist in namespace ${JSON.stringify(node.namespace)}`,
      );
    }
  }

  async #delete(node: GraphNode, propagationPolicy: Propagation, signal: AbortSignal): Promise<void> {
    const preconditions = { uid: node.uid, resourceVersion: node.resourceVersion };
    await this.#parts.context.client
      .delete(node.resource, refOf(node), { propagationPolicy, preconditions, signal })
      .catch(unlessGone);
  }

  async #dropOwners(node: GraphNode, uids: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#patch(node, { ownerReferences: node.owners.filter((owner) => !uids.has(owner.uid)) }, signal);
  }

  /** Breaks a circle: from now on no owner waits for this object. */
  async #unblock(node: GraphNode, signal: AbortSignal): Promise<void> {
    await this.#patch(
      node,
      { ownerReferences: node.owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })) },
      signal,
    );
  }

  async #removeFinalizer(node: GraphNode, finalizer: string, signal: AbortSignal): Promise<void> {
    await this.#patch(node, { finalizers: node.finalizers.filter((name) => name !== finalizer) }, signal);
  }

  async #patch(node: GraphNode, metadata: object, signal: AbortSignal): Promise<void> {
    const body = { metadata: { uid: node.uid, resourceVersion: node.resourceVersion, ...metadata } };
    await this.#parts.context.client
      .patch(node.resource, refOf(node), { type: 'merge', body }, { signal })
      .catch(unlessGone);
  }
}

const refOf = (node: GraphNode) =>
  node.namespace === '' ? { name: node.name } : { namespace: node.namespace, name: node.name };

/** What its finalizers ask for already. */
function ownPolicy({ finalizers }: GraphNode): Propagation {
  if (finalizers.includes(ORPHAN)) return 'Orphan';
  return finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background';
}

/** Conflicts are thrown: the cache is behind, and the key is tried again. */
const unlessGone = ignoring('NotFound');

export function createGarbageCollector(context: ControllerContext, { discovery }: GarbageCollectorOptions): Service {
  const graph = new OwnerGraph();
  const enqueue = (uid: string) => controller.enqueue(uid);
  const monitors: Monitors = new Monitors({
    context,
    discovery,
    graph,
    enqueue,
    changed: () => collector.kindsChanged(),
  });
  const collector = new GarbageCollector({
    context,
    graph,
    enqueue,
    owners: new Owners({ client: context.client, graph, discovery }),
    async whenComplete(signal) {
      await discovery.refresh(signal);
      monitors.follow();
      await monitors.whenSynced(signal);
    },
  });
  const controller = new Controller({
    name: 'garbage-collector',
    clock: context.clock,
    logger: context.logger,
    workers: 20,
    sources: [{ attach: () => () => undefined, whenSynced: (signal) => monitors.whenSynced(signal) }],
    reconcile: (key, call) => collector.reconcile(key, call.signal),
  });
  return {
    name: 'garbage-collector',
    async start() {
      monitors.start();
      await controller.start();
    },
    async stop() {
      await controller.stop();
      await monitors.stop();
    },
  };
}
