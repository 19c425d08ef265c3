/** Owner references as controllers set and follow them (API conventions; KEP on controller references). */
import { present } from '../../../platform/assert.js';
import { apiVersionOf, type KubeObject, type OwnerReference, type Resource } from '../../../apimachinery/object.js';

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

/** Index function: uid of the controller; '' for orphans, so that those can be found too. */
export function byControllerUid(object: KubeObject): string[] {
  return [controllerOf(object)?.uid ?? ''];
}

export const CONTROLLER_INDEX = 'controller';
