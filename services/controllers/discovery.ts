/**
 * What the API serves, as it is now: the kinds of CustomResourceDefinitions come and go while controllers run. Controllers that work on
 * every kind ask here at each look and keep no list of their own for longer than `generation` stays the same.
 */
import { apiVersionOf, type Resource } from '../../apimachinery/object.js';

export interface Discovery {
  /** Changes with every kind that comes or goes. */
  generation(): number;
  /** What can be listed, watched and deleted, one resource for each stored thing, without events. */
  deletable(): readonly Resource[];
  /** What can be deleted in a namespace, one resource for each stored thing, events among them. */
  namespaced(): readonly Resource[];
  /** The resource of a kind in any served version, whatever its verbs; undefined: not served now. */
  ofKind(apiVersion: string, kind: string): Resource | undefined;
  /** True of what never goes while the process lives. */
  isBuiltIn(resource: Resource): boolean;
}

/** A discovery of resources that stay as they are. */
export function fixedDiscovery(resources: readonly Resource[]): Discovery {
  const byKind = new Map(resources.map((resource) => [`${apiVersionOf(resource)}/${resource.kind}`, resource]));
  return {
    generation: () => 1,
    deletable: () => resources,
    namespaced: () => resources.filter((resource) => resource.namespaced),
    ofKind: (apiVersion, kind) => byKind.get(`${apiVersion}/${kind}`),
    isBuiltIn: () => true,
  };
}
