/** Keys of caches and work queues: `namespace/name`, or `name` for cluster-scoped objects. */
import type { KubeObject, ResourceId } from '../apimachinery/object.js';
import type { NamedRef } from './client.js';

export function keyOf(object: KubeObject): string {
  return keyOfRef({ namespace: object.metadata?.namespace, name: object.metadata?.name ?? '' });
}

export function keyOfRef(ref: { readonly namespace?: string | undefined; readonly name: string }): string {
  return ref.namespace === undefined || ref.namespace === '' ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Where the object is, for the methods of a Client. */
export function refOf({ metadata }: KubeObject): NamedRef {
  const { namespace, name = '' } = metadata ?? {};
  return namespace === undefined || namespace === '' ? { name } : { namespace, name };
}

/** The reverse of `keyOf`; `namespace` is undefined for cluster-scoped objects. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A map key for a resource. */
export function resourceKeyOf(id: ResourceId): string {
  return `${id.group}/${id.version}/${id.resource}`;
}
