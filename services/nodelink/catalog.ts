/**
 * What each node is to have: one shared informer per resource, pods indexed by their node. Tells sessions which node a
 * change concerns; never reads anything per node from the API.
 */
import type { Node, Pod, Service } from '../../apimachinery/gen/types.js';
import { nodes, pods, services } from '../../apimachinery/gen/resources.js';
import {
  nodeObjectKind,
  reachableFrom,
  referenceKey,
  referencesOf,
  referencesOfObject,
} from '../../apimachinery/node-objects/references.js';
import type { ObjectReference } from '../../apimachinery/node-objects/references.js';
import type { NodeObjectKind, NodeObjectTable } from '../../apimachinery/node-objects/table.js';
import type { KubeObject } from '../../apimachinery/object.js';
import type { Part } from '../../platform/containment.js';
import type { Informer } from '../../sdk/informer/informer.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { serviceEnvironment } from './service-environment.js';

export interface CatalogListener {
  pod(pod: Pod): void;
  /** Deleted, or bound elsewhere now. */
  podGone(pod: Pod): void;
  /** An object that a pod of the node refers to has changed, or is gone. */
  object(reference: ObjectReference): void;
  node(node: Node): void;
}

const NODE = 'nodelink/node';
/** The keys of what an object refers to. */
const REFERENCES = 'nodelink/references';
const NAMESPACE = 'nodelink/namespace';

const nodeOf = (pod: Pod) => pod.spec?.nodeName ?? '';

function referenceTo({ resource }: NodeObjectKind, { metadata }: KubeObject): ObjectReference {
  return { kind: resource.kind, namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
}

export class Catalog {
  readonly #pods: Informer<Pod>;
  readonly #table: NodeObjectTable;
  readonly #objects: ReadonlyMap<string, Informer<KubeObject>>;
  readonly #services: Informer<Service>;
  readonly #nodes: Informer<Node>;
  readonly #listeners = new Map<string, Map<CatalogListener, Part>>();
  readonly #undo: (() => void)[] = [];

  constructor(informers: InformerFactory, table: NodeObjectTable) {
    this.#table = table;
    this.#pods = informers.informer(pods);
    this.#services = informers.informer(services);
    this.#nodes = informers.informer(nodes);
    this.#pods.addIndex(NODE, (pod) => (nodeOf(pod) === '' ? [] : [nodeOf(pod)]));
    this.#pods.addIndex(REFERENCES, (pod) => (nodeOf(pod) === '' ? [] : referencesOf(pod, table).map(referenceKey)));
    this.#objects = new Map(
      table.kinds.map((kind) => {
        const informer = informers.informer(kind.resource);
        if (kind.refersTo !== undefined)
          informer.addIndex(REFERENCES, (object) => referencesOfObject(kind, object, table).map(referenceKey));
        return [kind.resource.kind, informer];
      }),
    );
    this.#services.addIndex(NAMESPACE, (service) => [service.metadata?.namespace ?? '']);
  }

  start(): void {
    this.#undo.push(
      this.#pods.addHandler({
        add: (pod) => this.#podChanged(pod, undefined),
        update: (pod, old) => this.#podChanged(pod, old),
        delete: (pod) => this.#tell(nodeOf(pod), (listener) => listener.podGone(pod)),
      }),
    );
    for (const kind of this.#table.kinds) this.#follow(kind);
    const nodeChanged = (node: Node) => this.#tell(node.metadata?.name ?? '', (listener) => listener.node(node));
    this.#undo.push(this.#nodes.addHandler({ add: nodeChanged, update: nodeChanged }));
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }

  whenSynced(signal: AbortSignal): Promise<unknown> {
    return Promise.all(
      [this.#pods, ...this.#objects.values(), this.#services, this.#nodes].map((informer) =>
        informer.whenSynced(signal),
      ),
    );
  }

  /** The version up to which the pods are known. */
  get revision(): string {
    return this.#pods.resourceVersion ?? '0';
  }

  podsOf(node: string): Pod[] {
    return this.#pods.lister.byIndex(NODE, node);
  }

  node(name: string): Node | undefined {
    return this.#nodes.lister.getByRef({ name });
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.lister.getByRef({ namespace, name });
  }

  /** Somebody found the node silent for too long, and said so in its conditions. */
  isTakenForDead(node: string): boolean {
    const conditions = this.#nodes.lister.get(node)?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'Unknown');
  }

  object(reference: ObjectReference): KubeObject | undefined {
    return this.#objects.get(reference.kind)?.lister.getByRef(reference);
  }

  /** Whether objects of the kind are sent to nodes. */
  sends(kind: string): boolean {
    return this.#objects.has(kind);
  }

  /** Whether objects of the kind refer to others. */
  leadsOn(kind: string): boolean {
    return nodeObjectKind(this.#table, kind)?.refersTo !== undefined;
  }

  /** All that the pod refers to, also through other objects: what its node may read. */
  objectsOf(pod: Pod): ObjectReference[] {
    return this.objectsFrom(referencesOf(pod, this.#table));
  }

  /** The objects and all that they lead to. */
  objectsFrom(references: readonly ObjectReference[]): ObjectReference[] {
    return reachableFrom(references, (reference) => this.object(reference), this.#table);
  }

  environmentOf(pod: Pod): Record<string, string> {
    const links = pod.spec?.enableServiceLinks !== false;
    const own = links ? this.#services.lister.byIndex(NAMESPACE, pod.metadata?.namespace ?? '') : [];
    const api = this.#services.lister.getByRef({ namespace: 'default', name: 'kubernetes' });
    return serviceEnvironment(api === undefined ? own : [...own.filter((service) => service !== api), api]);
  }

  /** A listener that throws is a fault of `part`. */
  listen(node: string, listener: CatalogListener, part: Part): () => void {
    const listeners = this.#listeners.get(node) ?? new Map<CatalogListener, Part>();
    this.#listeners.set(node, listeners.set(listener, part));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(node) === listeners) this.#listeners.delete(node);
    };
  }

  #podChanged(pod: Pod, old: Pod | undefined): void {
    if (old !== undefined && nodeOf(old) !== nodeOf(pod)) this.#tell(nodeOf(old), (listener) => listener.podGone(old));
    this.#tell(nodeOf(pod), (listener) => listener.pod(pod));
  }

  #follow(kind: NodeObjectKind): void {
    const changed = (object: KubeObject) => {
      const reference = referenceTo(kind, object);
      for (const node of this.#nodesWith(reference)) this.#tell(node, (listener) => listener.object(reference));
    };
    const informer = this.#objects.get(kind.resource.kind);
    const undo = informer?.addHandler({
      add: (object, initial) => {
        if (!initial) changed(object);
      },
      update: changed,
      delete: changed,
    });
    if (undo !== undefined) this.#undo.push(undo);
  }

  /** Nodes with a pod that refers to the object, also through others. */
  #nodesWith(reference: ObjectReference): Set<string> {
    const nodesFound = new Set<string>();
    // A Set's iteration also visits what is added meanwhile.
    const referring = new Set([referenceKey(reference)]);
    for (const key of referring) {
      for (const pod of this.#pods.lister.byIndex(REFERENCES, key)) nodesFound.add(nodeOf(pod));
      for (const kind of this.#table.kinds) {
        if (kind.refersTo === undefined) continue;
        const between = this.#objects.get(kind.resource.kind)?.lister.byIndex(REFERENCES, key) ?? [];
        for (const object of between) referring.add(referenceKey(referenceTo(kind, object)));
      }
    }
    return nodesFound;
  }

  #tell(node: string, call: (listener: CatalogListener) => void): void {
    for (const [listener, part] of this.#listeners.get(node) ?? []) part.contain(() => call(listener));
  }
}
