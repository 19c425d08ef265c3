/**
 * What the API serves, as it is now: the kinds of CustomResourceDefinitions come and go while controllers run.
 * Controllers that work on every kind ask here at each look and keep no list of their own for longer than `generation`
 * stays the same.
 */
import type { ServedResource } from '../../apimachinery/object-service.js';
import { apiVersionOf, type Resource } from '../../apimachinery/object.js';
import type { ResourceCatalog } from '../../sdk/discovery/resource-catalog.js';
import { resourceKeyOf } from '../../sdk/key.js';

export interface Discovery {
  /** Changes with every kind that comes or goes. */
  generation(): number;
  onChange(listener: () => void): () => void;
  /** Asks the server, before a decision that a kind of a moment ago must not escape. */
  refresh(signal: AbortSignal): Promise<void>;
  /** What can be listed, watched and deleted, one resource for each stored thing, without events. */
  deletable(): readonly Resource[];
  /** What can be deleted in a namespace, one resource for each stored thing, events among them. */
  namespaced(): readonly Resource[];
  /** The resource of a kind in any served version, whatever its verbs; undefined: not served now. */
  ofKind(apiVersion: string, kind: string): Resource | undefined;
  /** True of what never goes while the process lives. */
  isBuiltIn(resource: Resource): boolean;
}

const NEEDED = ['list', 'watch', 'delete'];

/** A second version shows the same objects. */
function storedOnce(resources: readonly ServedResource[]): Resource[] {
  const first = new Map<string, Resource>();
  for (const one of resources) if (!first.has(one.stored)) first.set(one.stored, one);
  return [...first.values()];
}

/** Events cannot be owned and outnumber the rest: nobody watches them for their owners. */
export function discoveryOf(catalog: ResourceCatalog): Discovery {
  const where = (matches: (one: ServedResource) => boolean) => storedOnce(catalog.resources.filter(matches));
  return {
    generation: () => catalog.generation,
    onChange: (listener) => catalog.onChange(listener),
    refresh: (signal) => catalog.refresh(signal),
    deletable: () =>
      where(({ resource, verbs }) => resource !== 'events' && NEEDED.every((verb) => verbs.includes(verb))),
    namespaced: () =>
      where(({ namespaced, verbs }) => namespaced && verbs.includes('delete') && verbs.includes('list')),
    ofKind: (apiVersion, kind) =>
      catalog.resources.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion),
    isBuiltIn: (resource) =>
      catalog.resources.some((one) => one.builtIn && resourceKeyOf(one) === resourceKeyOf(resource)),
  };
}

/** A discovery of resources that stay as they are. */
export function fixedDiscovery(resources: readonly Resource[]): Discovery {
  const byKind = new Map(resources.map((resource) => [`${apiVersionOf(resource)}/${resource.kind}`, resource]));
  return {
    generation: () => 1,
    onChange: () => () => undefined,
    refresh: () => Promise.resolve(),
    deletable: () => resources,
    namespaced: () => resources.filter((resource) => resource.namespaced),
    ofKind: (apiVersion, kind) => byKind.get(`${apiVersion}/${kind}`),
    isBuiltIn: () => true,
  };
}
