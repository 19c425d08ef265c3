/** Writes the bootstrap roles and bindings where they are missing, and puts back what was taken from them. */
import type { ObjectService } from '../../../apimachinery/object-service.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
  RETIRED_SUBJECTS,
  type ClusterRole,
  type ClusterRoleBinding,
} from './bootstrap-policy.js';
import { covers } from './rbac-rules.js';
import type { Subject } from './policy-rule.js';

const rbac = (resource: string): ResourceId => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
const CLUSTER_ROLE_BINDINGS = rbac('clusterrolebindings');
const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * Safe on every member at once and on every start. Fails with an ApiError when the store is not writable. The
 * namespaces must be there.
 */
export async function ensureBootstrapPolicy(service: ObjectService): Promise<void> {
  await Promise.all(Object.entries(RETIRED_SUBJECTS).map(([name, subjects]) => retire(service, name, subjects)));
  const role = (stored: KubeObject, wanted: KubeObject) => completeRole(stored as ClusterRole, wanted as ClusterRole);
  const binding = (stored: KubeObject, wanted: KubeObject) =>
    completeBinding(stored as ClusterRoleBinding, wanted as ClusterRoleBinding);
  // Together: they share the store's batches.
  await Promise.all([
    ...bootstrapClusterRoles().map((wanted) => ensure(service, rbac('clusterroles'), { wanted, complete: role })),
    ...bootstrapRoles().map((wanted) => ensure(service, rbac('roles'), { wanted, complete: role })),
  ]);
  await Promise.all([
    ...bootstrapClusterRoleBindings().map((wanted) =>
      ensure(service, CLUSTER_ROLE_BINDINGS, { wanted, complete: binding }),
    ),
    ...bootstrapRoleBindings().map((wanted) => ensure(service, rbac('rolebindings'), { wanted, complete: binding })),
  ]);
}

const isSame = (a: Subject, b: Subject) =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');

function completeRole(stored: ClusterRole, wanted: ClusterRole): ClusterRole | undefined {
  const missing = (wanted.rules ?? []).filter((rule) => !covers(stored.rules ?? [], rule));
  return missing.length === 0 ? undefined : { ...stored, rules: [...(stored.rules ?? []), ...missing] };
}

function completeBinding(stored: ClusterRoleBinding, wanted: ClusterRoleBinding): ClusterRoleBinding | undefined {
  const missing = (wanted.subjects ?? []).filter(
    (subject) => !(stored.subjects ?? []).some((one) => isSame(one, subject)),
  );
  return missing.length === 0 ? undefined : { ...stored, subjects: [...(stored.subjects ?? []), ...missing] };
}

/**
 * Takes subjects away that an older version bound; an administrator who bound them himself says so by the annotation.
 */
async function retire(service: ObjectService, name: string, subjects: readonly Subject[]): Promise<void> {
  const stored = await service.get({ resource: CLUSTER_ROLE_BINDINGS, name, resourceVersion: '0' }).catch(unlessGone);
  const object = stored?.object as ClusterRoleBinding | undefined;
  if (object === undefined || object.metadata?.annotations?.[AUTOUPDATE] === 'false') return;
  const kept = (object.subjects ?? []).filter((subject) => !subjects.some((one) => isSame(one, subject)));
  if (kept.length === (object.subjects ?? []).length) return;
  await service.update({ resource: CLUSTER_ROLE_BINDINGS, name, object: { ...object, subjects: kept } as KubeObject });
}

interface Wish {
  readonly wanted: KubeObject;
  /** What is stored with what it lacks; undefined: nothing. */
  readonly complete: (stored: KubeObject, wanted: KubeObject) => KubeObject | undefined;
}

async function ensure(service: ObjectService, resource: ResourceId, { wanted, complete }: Wish): Promise<void> {
  const { name = '', namespace } = wanted.metadata ?? {};
  const place = namespace === undefined ? { resource } : { resource, namespace };
  try {
    const stored = (await service.get({ ...place, name, resourceVersion: '0' })).object;
    if (stored.metadata?.annotations?.[AUTOUPDATE] === 'false') return;
    const better = complete(stored, wanted);
    if (better === undefined) return;
    await service.update({ ...place, name, object: better });
  } catch (error) {
    if (isApiError(error, 'NotFound')) await createUnlessThere(service, place, wanted);
    // Another member was faster: it wrote the same.
    else if (!isApiError(error, 'Conflict')) throw error;
  }
}

async function createUnlessThere(
  service: ObjectService,
  place: { readonly resource: ResourceId; readonly namespace?: string },
  object: KubeObject,
): Promise<void> {
  try {
    await service.create({ ...place, object });
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}

function unlessGone(error: unknown): undefined {
  if (!isApiError(error, 'NotFound')) throw error;
  return undefined;
}
