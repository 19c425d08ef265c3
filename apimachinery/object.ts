/** The shape every Kubernetes object shares (API conventions, "Objects" and "Metadata"). */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: 'FieldsV1';
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** An object whose fields beyond metadata are not known statically. */
export interface UnknownObject extends KubeObject {
  [field: string]: unknown;
}

export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

/**
 * Names a resource as a URL does: `{ group: 'apps', version: 'v1', resource: 'deployments' }`; the core group is ''.
 */
export interface ResourceId {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(id: { readonly group: string; readonly version: string }): string {
  return id.group === '' ? id.version : `${id.group}/${id.version}`;
}

/** `deployments.apps`, or `pods` for the core group: the form messages and CRD names use. */
export function groupResourceOf(id: { readonly group: string; readonly resource: string }): string {
  return id.group === '' ? id.resource : `${id.resource}.${id.group}`;
}

/**
 * A resource with the type of its objects; `apimachinery/gen/resources.ts` has one constant for each built-in resource.
 */
export interface Resource<T extends KubeObject = KubeObject> extends ResourceId {
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type. */
  readonly __type?: T;
}
