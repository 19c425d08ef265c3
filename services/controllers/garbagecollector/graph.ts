/** Who owns whom, by uid, kept by events. Owners that no event has named yet are known by their dependents alone. */
import type { KubeObject, OwnerReference, Resource } from '../../../apimachinery/object.js';
import { resourceKeyOf } from '../../../sdk/key.js';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

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

/** It goes when its dependents have gone. */
export const isDeletingDependents = (node: GraphNode): boolean => node.deleting && node.finalizers.includes(FOREGROUND);

/** Whether the owner may be one of the dependent: what lives in a namespace owns nothing outside of it. */
export const isReachable = (owner: GraphNode, dependent: GraphNode): boolean =>
  owner.namespace === '' || owner.namespace === dependent.namespace;

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((id) => this.#nodes.get(id)).filter((node) => node !== undefined);
  }

  /** The dependents that an owner in foreground deletion waits for. An object does not wait for itself. */
  blockersOf(owner: GraphNode): GraphNode[] {
    return this.dependentsOf(owner.uid).filter(
      (dependent) =>
        dependent.uid !== owner.uid &&
        isReachable(owner, dependent) &&
        dependent.owners.some((reference) => reference.uid === owner.uid && reference.blockOwnerDeletion === true),
    );
  }

  /**
   * Those of the owner's blockers that in the end wait for the owner themselves: without help, none of the circle would
   * ever go.
   */
  circleOf(owner: GraphNode): GraphNode[] {
    return this.blockersOf(owner).filter(
      (blocker) => isDeletingDependents(blocker) && this.#waitsFor(blocker, owner.uid),
    );
  }

  #waitsFor(from: GraphNode, uid: string): boolean {
    const seen = new Set([from.uid]);
    const open = [from];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const blocker of this.blockersOf(node)) {
        if (blocker.uid === uid) return true;
        if (seen.has(blocker.uid) || !isDeletingDependents(blocker)) continue;
        seen.add(blocker.uid);
        open.push(blocker);
      }
    }
    return false;
  }

  /** Returns the uids whose situation may have changed. */
  upsert(resource: Resource, object: KubeObject): Set<string> {
    const node = nodeOf(resource, object);
    const old = this.#nodes.get(node.uid);
    for (const owner of old?.owners ?? []) this.#unlink(owner.uid, node.uid);
    this.#nodes.set(node.uid, node);
    for (const owner of node.owners) this.#link(owner.uid, node.uid);
    const concerned = new Set([node.uid]);
    // Dependents judged it by its name alone until now.
    if (old === undefined) for (const uid of this.#dependents.get(node.uid) ?? []) concerned.add(uid);
    // An owner that waits hears of a dependent that lets go of it, blocks it no more, or begins to wait itself.
    const changed =
      old !== undefined &&
      (isDeletingDependents(old) !== isDeletingDependents(node) ||
        JSON.stringify(old.owners) !== JSON.stringify(node.owners));
    if (changed) for (const owner of [...old.owners, ...node.owners]) concerned.add(owner.uid);
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

  /** Forgets every object of a resource that is served no more. */
  removeAll(resource: Resource): Set<string> {
    const key = resourceKeyOf(resource);
    const concerned = new Set<string>();
    for (const node of [...this.#nodes.values()]) {
      if (resourceKeyOf(node.resource) !== key) continue;
      for (const uid of this.remove(node.uid)) concerned.add(uid);
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
    uid: metadata?.uid ?? '',
    resource,
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    owners: metadata?.ownerReferences ?? [],
    finalizers: metadata?.finalizers ?? [],
    deleting: metadata?.deletionTimestamp !== undefined,
  };
}
