/**
 * What has become of the owners that an object names. An owner is the object at the coordinates of the reference (kind,
 * the dependent's namespace, name) with the reference's uid: the uid elsewhere is no owner. One counts as gone only
 * after the API server itself said so.
 */
import { apiVersionOf, type OwnerReference } from '../../../apimachinery/object.js';
import type { Client } from '../../../sdk/client.js';
import type { Discovery } from '../discovery.js';
import { ignoring } from '../lib/errors.js';
import { FOREGROUND, isDeletingDependents, type GraphNode, type OwnerGraph } from './graph.js';

/**
 * `solid` exists; `waiting` exists and goes when its dependents have gone; `dangling` does not exist; `unknown`: its
 * kind is not served, so nobody can tell; `misplaced`: it lives in a namespace, the dependent in none. `isSeen`: events
 * will tell of its end.
 */
export type OwnerState =
  | { readonly kind: 'solid' | 'waiting'; readonly isSeen: boolean }
  | { readonly kind: 'dangling' | 'unknown' | 'misplaced' };

const ABSENT_MAX = 10_000;

export interface OwnersParts {
  readonly client: Client;
  readonly graph: OwnerGraph;
  readonly discovery: Discovery;
}

export class Owners {
  readonly #parts: OwnersParts;
  /** Coordinates with uid that the API server said do not exist; a uid never comes back. */
  readonly #absent = new Set<string>();

  constructor(parts: OwnersParts) {
    this.#parts = parts;
  }

  async stateOf(dependent: GraphNode, owner: OwnerReference, signal: AbortSignal): Promise<OwnerState> {
    const { client, discovery } = this.#parts;
    const resource = discovery.ofKind(owner.apiVersion, owner.kind);
    if (resource === undefined) return { kind: 'unknown' };
    if (resource.namespaced && dependent.namespace === '') return { kind: 'misplaced' };
    const known = this.#inGraph(dependent, owner);
    if (known !== undefined) return { kind: isDeletingDependents(known) ? 'waiting' : 'solid', isSeen: true };
    const namespace = resource.namespaced ? dependent.namespace : '';
    const id = [owner.apiVersion, owner.kind, namespace, owner.name, owner.uid].join('\n');
    if (this.#absent.has(id)) return { kind: 'dangling' };
    const found = await client
      .get(resource, namespace === '' ? { name: owner.name } : { namespace, name: owner.name }, { signal })
      .catch(ignoring('NotFound'));
    if (found?.metadata?.uid === owner.uid) {
      const waits =
        found.metadata.deletionTimestamp !== undefined && found.metadata.finalizers?.includes(FOREGROUND) === true;
      return { kind: waits ? 'waiting' : 'solid', isSeen: false };
    }
    // "Not found" is also said of a kind that has just gone.
    if (discovery.ofKind(owner.apiVersion, owner.kind) === undefined) return { kind: 'unknown' };
    if (this.#absent.size >= ABSENT_MAX) this.#absent.clear();
    this.#absent.add(id);
    return { kind: 'dangling' };
  }

  /** The owner, if events showed it where the reference says it is. */
  #inGraph(dependent: GraphNode, owner: OwnerReference): GraphNode | undefined {
    const node = this.#parts.graph.get(owner.uid);
    if (node === undefined || node.name !== owner.name || node.resource.kind !== owner.kind) return undefined;
    if (groupOf(owner.apiVersion) !== groupOf(apiVersionOf(node.resource))) return undefined;
    return node.namespace === '' || node.namespace === dependent.namespace ? node : undefined;
  }
}

const groupOf = (apiVersion: string) => apiVersion.split('/').slice(0, -1).join('/');
