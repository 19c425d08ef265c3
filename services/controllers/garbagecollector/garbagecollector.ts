/**
 * Garbage collection by owner references: deletes what all its owners have left behind, and carries out the `Foreground` and
 * `Orphan` ways of deletion ("Owners and Dependents"). An owner counts as gone only after the API server itself said so.
 */
import { apiVersionOf, type KubeObject, type OwnerReference, type Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { Controller, done, type ReconcileResult } from '../../../sdk/controller/controller.js';
import type { Source } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { OwnerGraph, type GraphNode } from './graph.js';

export interface GarbageCollectorOptions {
  /** Resources that can be listed, watched and deleted. Events are left out by the caller: nothing owns them. */
  readonly resources: readonly Resource[];
}

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';
const ABSENT_MAX = 10_000;

class GarbageCollector {
  readonly #context: ControllerContext;
  readonly #graph: OwnerGraph;
  readonly #byKind: ReadonlyMap<string, Resource>;
  /** Uids of owners that the API server said do not exist; a uid never comes back. */
  readonly #absent = new Set<string>();

  constructor(context: ControllerContext, graph: OwnerGraph, resources: readonly Resource[]) {
    this.#context = context;
    this.#graph = graph;
    this.#byKind = new Map(resources.map((resource) => [`${apiVersionOf(resource)}/${resource.kind}`, resource]));
  }

  async reconcile(uid: string, signal: AbortSignal): Promise<ReconcileResult> {
    const node = this.#graph.get(uid);
    if (node === undefined) return done;
    if (node.deleting && node.finalizers.includes(ORPHAN)) await this.#orphanDependents(node, signal);
    else if (node.deleting && node.finalizers.includes(FOREGROUND)) await this.#deleteDependents(node, signal);
    else if (!node.deleting && node.owners.length > 0) await this.#judge(node, signal);
    return done;
  }

  async #orphanDependents(node: GraphNode, signal: AbortSignal): Promise<void> {
    for (const dependent of this.#graph.dependentsOf(node.uid)) await this.#dropOwners(dependent, new Set([node.uid]), signal);
    await this.#removeFinalizer(node, ORPHAN, signal);
  }

  /** The owner goes when no dependent that blocks it is left; their own deletion brings us back here. */
  async #deleteDependents(node: GraphNode, signal: AbortSignal): Promise<void> {
    const dependents = this.#graph.dependentsOf(node.uid);
    const blocking = dependents.filter((dependent) => dependent.owners.some((owner) => owner.uid === node.uid && owner.blockOwnerDeletion === true));
    for (const dependent of dependents) {
      if (!dependent.deleting) await this.#delete(dependent, 'Foreground', signal);
    }
    if (blocking.length === 0) await this.#removeFinalizer(node, FOREGROUND, signal);
  }

  async #judge(node: GraphNode, signal: AbortSignal): Promise<void> {
    const gone = new Set<string>();
    let solid = 0;
    for (const owner of node.owners) {
      if (await this.#exists(node, owner, signal)) solid++;
      else gone.add(owner.uid);
    }
    if (gone.size === 0) return;
    if (solid > 0) {
      await this.#dropOwners(node, gone, signal);
      return;
    }
    const policy = node.finalizers.includes(ORPHAN) ? 'Orphan' : node.finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background';
    await this.#delete(node, policy, signal);
  }

  async #exists(node: GraphNode, owner: OwnerReference, signal: AbortSignal): Promise<boolean> {
    if (this.#graph.get(owner.uid) !== undefined) return true;
    if (this.#absent.has(owner.uid)) return false;
    const resource = this.#byKind.get(`${owner.apiVersion}/${owner.kind}`);
    // A kind we do not serve (yet): nobody can tell, so nothing is deleted.
    if (resource === undefined) return true;
    const ref = resource.namespaced ? { namespace: node.namespace, name: owner.name } : { name: owner.name };
    try {
      const found = await this.#context.client.get(resource, ref, { signal });
      if (found.metadata?.uid === owner.uid) return true;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    if (this.#absent.size >= ABSENT_MAX) this.#absent.clear();
    this.#absent.add(owner.uid);
    return false;
  }

  async #delete(node: GraphNode, propagationPolicy: 'Orphan' | 'Foreground' | 'Background', signal: AbortSignal): Promise<void> {
    await this.#context.client.delete(node.resource, refOf(node), { propagationPolicy, preconditions: { uid: node.uid }, signal })
      .catch(unlessGone);
  }

  async #dropOwners(node: GraphNode, uids: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const ownerReferences = node.owners.filter((owner) => !uids.has(owner.uid));
    const body = { metadata: { uid: node.uid, resourceVersion: node.resourceVersion, ownerReferences } };
    await this.#context.client.patch(node.resource, refOf(node), { type: 'merge', body }, { signal }).catch(unlessGone);
  }

  async #removeFinalizer(node: GraphNode, finalizer: string, signal: AbortSignal): Promise<void> {
    const finalizers = node.finalizers.filter((name) => name !== finalizer);
    const body = { metadata: { uid: node.uid, resourceVersion: node.resourceVersion, finalizers } };
    await this.#context.client.patch(node.resource, refOf(node), { type: 'merge', body }, { signal }).catch(unlessGone);
  }
}

const refOf = (node: GraphNode) => (node.namespace === '' ? { name: node.name } : { namespace: node.namespace, name: node.name });

/** Conflicts are thrown: the cache is behind, and the key is tried again. */
function unlessGone(error: unknown): void {
  if (!isApiError(error, 'NotFound')) throw error;
}

export function createGarbageCollector(context: ControllerContext, options: GarbageCollectorOptions): Controller {
  const graph = new OwnerGraph();
  const collector = new GarbageCollector(context, graph, options.resources);
  const sources = options.resources.map((resource): Source => {
    const informer = context.informers.informer(resource);
    return {
      attach(enqueue) {
        const tell = (uids: Iterable<string>) => {
          for (const uid of uids) enqueue(uid);
        };
        return informer.addHandler({
          add: (object: KubeObject) => tell(graph.upsert(resource, object)),
          update: (object: KubeObject, old: KubeObject) => {
            // The same name, another object: a relist swallowed the deletion.
            if (old.metadata?.uid !== object.metadata?.uid) tell(graph.remove(old.metadata?.uid ?? ''));
            tell(graph.upsert(resource, object));
          },
          delete: (object: KubeObject) => tell(graph.remove(object.metadata?.uid ?? '')),
        });
      },
      whenSynced: (signal) => informer.whenSynced(signal),
    };
  });
  return new Controller({
    name: 'garbage-collector', clock: context.clock, logger: context.logger, workers: 5, sources,
    reconcile: (key, call) => collector.reconcile(key, call.signal),
  });
}
