/** Who owns whom, by uid, kept by events. Owners that no event has named yet are known by their dependents alone. */
import type { KubeObject, OwnerReference, Resource } from '../../../apimachinery/object.js';

export interface GraphNode {
  readonly uid: string;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deleting: boolean;
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((id) => this.#nodes.get(id)).filter((node) => node !== undefined);
  }

  /** Returns the uids whose situation may have changed. */
  upsert(resource: Resource, object: KubeObject): Set<string> {
    const node = nodeOf(resource, object);
    const old = this.#nodes.get(node.uid);
    for (const owner of old?.owners ?? []) this.#unlink(owner.uid, node.uid);
    this.#nodes.set(node.uid, node);
    for (const owner of node.owners) this.#link(owner.uid, node.uid);
    const concerned = new Set([node.uid]);
    // An owner that waits for its dependents hears of one that lets go of it.
    for (const owner of old?.owners ?? []) if (!node.owners.some((o) => o.uid === owner.uid)) concerned.add(owner.uid);
    return concerned;
  }

  remove(uid: string): Set<string> {
    const node = this.#nodes.get(uid);
    this.#nodes.delete(uid);
    const concerned = new Set<string>(this.#dependents.get(uid) ?? []);
    for (const owner of node?.owners ?? []) {
      this.#unlink(owner.uid, uid);
      concerned.add(owner.uid);
    }
    return concerned;
  }

  #link(owner: string, dependent: string): void {
    const set = this.#dependents.get(owner);
    if (set === undefined) this.#dependents.set(owner, new Set([dependent]));
    else set.add(dependent);
  }

  #unlink(owner: string, dependent: string): void {
    const set = this.#dependents.get(owner);
    set?.delete(dependent);
    if (set?.size === 0) this.#dependents.delete(owner);
  }
}

function nodeOf(resource: Resource, object: KubeObject): GraphNode {
  const { metadata } = object;
  return {
    uid: metadata?.uid ?? '', resource, namespace: metadata?.namespace ?? '', name: metadata?.name ?? '',
    resourceVersion: metadata?.resourceVersion ?? '', owners: metadata?.ownerReferences ?? [],
    finalizers: metadata?.finalizers ?? [], deleting: metadata?.deletionTimestamp !== undefined,
  };
}
