/** What makes a controller look at a key: an informer, and a function from its objects to the keys concerned. */
import type { GroupVersionKind, KubeObject } from '../../apimachinery/object.js';
import type { Informer } from '../informer/informer.js';
import { keyOf, keyOfRef } from '../key.js';

export interface Source {
  /** Begins to enqueue; returns the function that ends it. */
  attach(enqueue: (key: string) => void): () => void;
  /** Resolves when everything that exists has been enqueued. */
  whenSynced(signal: AbortSignal): Promise<void>;
}

export interface SourceOptions<T extends KubeObject> {
  /** False: this change concerns nobody. Only for changes that the reconciler provably does not read. */
  readonly filter?: (object: T, old: T | undefined) => boolean;
}

/**
 * Keys that an object concerns. Called for the old and the new object of an update, so that both owners hear of a move.
 */
export type KeyMapper<T extends KubeObject> = (object: T) => Iterable<string>;

export function sourceOf<T extends KubeObject>(
  informer: Informer<T>,
  map: KeyMapper<T> = bySelf,
  options: SourceOptions<T> = {},
): Source {
  const wanted = (object: T, old: T | undefined) => options.filter?.(object, old) ?? true;
  return {
    attach(enqueue) {
      // One change names a key once, though both states map to it.
      const enqueueAll = (...objects: T[]) => {
        for (const key of new Set(objects.flatMap((object) => [...map(object)]))) enqueue(key);
      };
      return informer.addHandler({
        add: (object) => {
          if (wanted(object, undefined)) enqueueAll(object);
        },
        update: (object, old) => {
          if (wanted(object, old)) enqueueAll(old, object);
        },
        delete: (object) => {
          if (wanted(object, undefined)) enqueueAll(object);
        },
      });
    },
    whenSynced: (signal) => informer.whenSynced(signal),
  };
}

export const bySelf = (object: KubeObject): string[] => [keyOf(object)];

/** The key of the owner with `controller: true`, when it is of the given kind (any version of it). */
export function byController(owner: Pick<GroupVersionKind, 'group' | 'kind'>): (object: KubeObject) => string[] {
  return (object) => {
    const reference = object.metadata?.ownerReferences?.find((candidate) => candidate.controller === true);
    if (reference === undefined || reference.kind !== owner.kind || groupOf(reference.apiVersion) !== owner.group)
      return [];
    return [keyOfRef({ namespace: object.metadata?.namespace, name: reference.name })];
  };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
