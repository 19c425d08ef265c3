/** Writes the bootstrap roles and bindings where they are missing, and puts back what was taken from them. */
import type { ObjectService } from '../../../apimachinery/object-service.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import {
  bootstrapClusterRoleBindings, bootstrapClusterRoles, type ClusterRole, type ClusterRoleBinding,
} from './bootstrap-policy.js';
import { covers, type Subject } from './rbac-rules.js';

const rbac = (resource: string): ResourceId => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

/** Safe on every member at once and on every start. Fails with an ApiError when the store is not writable. */
export async function ensureBootstrapPolicy(service: ObjectService): Promise<void> {
  for (const role of bootstrapClusterRoles()) {
    await ensure(service, rbac('clusterroles'), role, (stored) => completeRole(stored as ClusterRole, role));
  }
  for (const binding of bootstrapClusterRoleBindings()) {
    await ensure(service, rbac('clusterrolebindings'), binding, (stored) => completeBinding(stored as ClusterRoleBinding, binding));
  }
}

function completeRole(stored: ClusterRole, wanted: ClusterRole): ClusterRole | undefined {
  const missing = (wanted.rules ?? []).filter((rule) => !covers(stored.rules ?? [], rule));
  return missing.length === 0 ? undefined : { ...stored, rules: [...(stored.rules ?? []), ...missing] };
}

function completeBinding(stored: ClusterRoleBinding, wanted: ClusterRoleBinding): ClusterRoleBinding | undefined {
  const same = (a: Subject, b: Subject) => a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
  const missing = (wanted.subjects ?? []).filter((subject) => !(stored.subjects ?? []).some((s) => same(s, subject)));
  return missing.length === 0 ? undefined : { ...stored, subjects: [...(stored.subjects ?? []), ...missing] };
}

async function ensure(
  service: ObjectService, resource: ResourceId, wanted: KubeObject, complete: (stored: KubeObject) => KubeObject | undefined,
): Promise<void> {
  const name = wanted.metadata?.name ?? '';
  try {
    const stored = (await service.get({ resource, name, resourceVersion: '0' })).object;
    if (stored.metadata?.annotations?.[AUTOUPDATE] === 'false') return;
    const better = complete(stored);
    if (better === undefined) return;
    await service.update({ resource, name, object: better });
  } catch (error) {
    if (isApiError(error, 'NotFound')) await createUnlessThere(service, resource, wanted);
    // Another member was faster: it wrote the same.
    else if (!isApiError(error, 'Conflict')) throw error;
  }
}

async function createUnlessThere(service: ObjectService, resource: ResourceId, object: KubeObject): Promise<void> {
  try {
    await service.create({ resource, object });
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}
