/** Whether a body is of the type that its URL says, and in kube-apiserver's words what is wrong when it is not. */
import type { Kind, Scheme } from '../../../apimachinery/kind.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { InvariantError } from '../../../platform/assert.js';
import { decodingError } from '../../../apimachinery/schema/typed.js';
import { apiErrors } from '../../../apimachinery/status.js';

/** Versions that are not served any more, which kube-apiserver still can read. */
const FORMER: Readonly<Record<string, readonly string[]>> = {
  '': ['extensions/v1beta1'],
  apps: ['apps/v1beta1', 'apps/v1beta2', 'extensions/v1beta1'],
  batch: ['batch/v1beta1'],
  'admissionregistration.k8s.io': ['admissionregistration.k8s.io/v1beta1'],
  'certificates.k8s.io': ['certificates.k8s.io/v1beta1'],
  'coordination.k8s.io': ['coordination.k8s.io/v1beta1'],
  'discovery.k8s.io': ['discovery.k8s.io/v1beta1'],
  'events.k8s.io': ['events.k8s.io/v1beta1', 'v1'],
  'flowcontrol.apiserver.k8s.io': [
    'flowcontrol.apiserver.k8s.io/v1beta1',
    'flowcontrol.apiserver.k8s.io/v1beta2',
    'flowcontrol.apiserver.k8s.io/v1beta3',
  ],
  'networking.k8s.io': ['networking.k8s.io/v1beta1', 'extensions/v1beta1'],
  'node.k8s.io': ['node.k8s.io/v1alpha1', 'node.k8s.io/v1beta1'],
  policy: ['policy/v1beta1', 'extensions/v1beta1'],
  'rbac.authorization.k8s.io': ['rbac.authorization.k8s.io/v1alpha1', 'rbac.authorization.k8s.io/v1beta1'],
  'resource.k8s.io': ['resource.k8s.io/v1beta1', 'resource.k8s.io/v1beta2'],
  'scheduling.k8s.io': ['scheduling.k8s.io/v1alpha1', 'scheduling.k8s.io/v1beta1'],
  'storage.k8s.io': ['storage.k8s.io/v1alpha1', 'storage.k8s.io/v1beta1'],
};

/** Kinds that every group version of kube-apiserver holds. */
const EVERYWHERE = new Set([
  'CreateOptions',
  'DeleteOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'UpdateOptions',
  'WatchEvent',
]);
/** Groups that servers of their own serve: each knows its own types alone. */
const OWN_SERVER = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

/**
 * Gives a body the type of its URL where it names none. `kind`: the row of the resource. Throws BadRequest for another
 * type.
 */
export function checkType(
  scheme: Scheme,
  draft: KubeObject,
  { kind, shape }: { readonly kind: Kind; readonly shape: GroupVersionKind },
): void {
  const expected = apiVersionOf(shape);
  const isCustom = kind.isCustom === true;
  // What is empty names nothing, but to the server of custom resources.
  if (draft.apiVersion === undefined || (!isCustom && draft.apiVersion === '')) draft.apiVersion = expected;
  if (draft.kind === undefined || (!isCustom && draft.kind === '')) draft.kind = shape.kind;
  // Older clients evict by the version that the subresource had first.
  if (shape.group === 'policy' && shape.kind === 'Eviction' && draft.apiVersion === 'policy/v1beta1')
    draft.apiVersion = expected;
  if (draft.apiVersion === expected && draft.kind === shape.kind) return;
  const given = typeOf(draft);
  if (!isCustom && given !== undefined && !isVersionOf(scheme, given, shape)) throw anotherType(scheme, given, shape);
  if (draft.apiVersion !== expected) {
    throw apiErrors.badRequest(
      `the API version in the data (${String(draft.apiVersion)}) does not match the expected API version (${expected})`,
    );
  }
  throw apiErrors.badRequest(
    `the kind in the data (${String(draft.kind)}) does not match the expected kind (${shape.kind})`,
  );
}

/** Undefined: an apiVersion that is none. */
function typeOf({ apiVersion, kind }: KubeObject): GroupVersionKind | undefined {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const [first = '', second, ...more] = apiVersion.split('/');
  if (more.length > 0) return undefined;
  return second === undefined ? { group: '', version: first, kind } : { group: first, version: second, kind };
}

/** Another version of the same kind: it could be read, and is not what the URL says. */
function isVersionOf(scheme: Scheme, given: GroupVersionKind, shape: GroupVersionKind): boolean {
  if (given.kind !== shape.kind) return false;
  const isServed = given.group === shape.group && scheme.byKind(given) !== undefined;
  return (
    isServed ||
    (FORMER[shape.group] ?? []).includes(apiVersionOf(given)) ||
    (shape.group === '' && given.group === 'events.k8s.io' && shape.kind === 'Event')
  );
}

function anotherType(scheme: Scheme, given: GroupVersionKind, shape: GroupVersionKind): Error {
  const why = isKnown(scheme, given, shape)
    ? `converting (${given.version}.${given.kind}) to (${internalPackage(shape.group)}.${shape.kind}): unknown conversion`
    : `no kind ${JSON.stringify(given.kind)} is registered for version ${JSON.stringify(apiVersionOf(given))} in scheme "pkg/runtime/scheme.go:111"`;
  return decodingError(given, why, shape.kind);
}

/** The package of the group's internal types. Events have one type, whatever their group. */
function internalPackage(group: string): string {
  if (group === '' || group === 'events.k8s.io') return 'core';
  return group === 'rbac.authorization.k8s.io' ? 'rbac' : (group.split('.')[0] ?? '');
}

function isKnown(scheme: Scheme, given: GroupVersionKind, shape: GroupVersionKind): boolean {
  const server = (group: string): string => (OWN_SERVER.has(group) ? group : '');
  if (server(given.group) !== server(shape.group)) return false;
  const rows = scheme
    .kinds()
    .filter((row) => row.group === given.group && row.version === given.version && row.isCustom !== true);
  if (rows.length === 0) return false;
  if (EVERYWHERE.has(given.kind) || (given.group === '' && given.kind === 'Status')) return true;
  return rows.some((row) => row.kind === given.kind || row.listKind === given.kind) || isDefined(scheme, given);
}

/** Bodies of subresources have no row. */
function isDefined(scheme: Scheme, { group, version, kind }: GroupVersionKind): boolean {
  try {
    scheme.definition(`io.k8s.api.${group === '' ? 'core' : internalPackage(group)}.${version}.${kind}`);
    return true;
  } catch (error) {
    if (error instanceof InvariantError) return false;
    throw error;
  }
}
