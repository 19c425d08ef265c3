/**
 * Owner references as controllers set and follow them, and who owns what in a cache (API conventions; KEP on controller
 * references).
 */
import { present } from '../../../platform/assert.js';
import { apiVersionOf, type KubeObject, type OwnerReference, type Resource } from '../../../apimachinery/object.js';
import type { LabelSelector } from '../../../apimachinery/selector/labels.js';
import { byController, type KeyMapper } from '../../../sdk/controller/source.js';
import type { Informer } from '../../../sdk/informer/informer.js';
import { keyOf } from '../../../sdk/key.js';
import { byNamespace, NAMESPACE_INDEX } from './indexes.js';

export function controllerRef(owner: KubeObject, resource: Resource): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: present(owner.metadata?.name, 'an owner has a name'),
    uid: present(owner.metadata?.uid, 'an owner has a uid'),
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((reference) => reference.controller === true);
}

const CONTROLLER_INDEX = 'controller';

const orphansOf = (namespace: string) => `orphans of ${namespace}`;

/** The uid of the controller. Orphans stand under their namespace: an owner looks for them in its own alone. */
const byOwner = (object: KubeObject): string[] => [
  controllerOf(object)?.uid ?? orphansOf(object.metadata?.namespace ?? ''),
];

/** Reads a cache by owner. */
export interface OwnedObjects<T extends KubeObject> {
  /** Those whose controller is the owner. */
  of(owner: KubeObject): T[];
  ofUid(uid: string): T[];
  /** Those without a controller, in the owner's namespace. */
  orphansFor(owner: KubeObject): T[];
}

/** Call it before the informer has many objects: it adds the index. */
export function ownedObjects<T extends KubeObject>(informer: Informer<T>): OwnedObjects<T> {
  informer.addIndex(CONTROLLER_INDEX, byOwner);
  const ofUid = (uid: string) => informer.lister.byIndex(CONTROLLER_INDEX, uid);
  return {
    of: ({ metadata }) => ofUid(present(metadata?.uid, 'an owner has a uid')),
    ofUid,
    orphansFor: ({ metadata }) => informer.lister.byIndex(CONTROLLER_INDEX, orphansOf(metadata?.namespace ?? '')),
  };
}

interface OwnerSource<O extends KubeObject> {
  readonly informer: Informer<O>;
  readonly selectorOf: (owner: O) => LabelSelector;
}

/**
 * Keys of the owners that a change of an owned object concerns: its controller's; for an orphan, of all in its
 * namespace that select it.
 */
export function ownersConcerned<O extends KubeObject>({ informer, selectorOf }: OwnerSource<O>): KeyMapper<KubeObject> {
  informer.addIndex(NAMESPACE_INDEX, byNamespace);
  const byReference = byController(informer.resource);
  return (object) => {
    if (controllerOf(object) !== undefined) return byReference(object);
    const { namespace = '', labels = {} } = object.metadata ?? {};
    return informer.lister
      .byIndex(NAMESPACE_INDEX, namespace)
      .filter((owner) => selectorOf(owner).matches(labels))
      .map(keyOf);
  };
}
