/**
 * How often kube-apiserver looks at the metadata of an object that is changed: once for all kinds, and again in what a
 * kind checks of its own. Each look tells its complaints, so that a cause stands in the answer several times; clients
 * that count causes see no other number.
 */
import type { Kind } from '../kind.js';
import type { FieldError } from '../status.js';

type KindName = Pick<Kind, 'group' | 'resource' | 'isCustom'>;

interface Looks {
  /** At labels, annotations and owners. */
  readonly all: number;
  /** Of these, at names and finalizers too. */
  readonly full: number;
}

const USUAL: Looks = { all: 3, full: 1 };
const THOROUGH: Looks = { all: 4, full: 2 };
const SHORT: Looks = { all: 2, full: 1 };

/** Kinds that are checked as new ones when they change, and then as changed ones. */
const CHECKED_AS_NEW = new Set([
  '/pods',
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/nodes',
  '/configmaps',
  '/secrets',
  '/serviceaccounts',
  '/endpoints',
  'apps/controllerrevisions',
  'batch/jobs',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/deviceclasses',
  'certificates.k8s.io/certificatesigningrequests',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/ingressclasses',
  'networking.k8s.io/ipaddresses',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/volumeattributesclasses',
  'rbac.authorization.k8s.io/roles',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/rolebindings',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'node.k8s.io/runtimeclasses',
]);

/**
 * Groups whose finalizers need no domain: their kinds are judged by k8s.io/apimachinery alone. So are custom ones,
 * which get a warning.
 */
const ANY_FINALIZER = new Set([
  'apiextensions.k8s.io',
  'admissionregistration.k8s.io',
  'coordination.k8s.io',
  'apiregistration.k8s.io',
  'policy',
  'node.k8s.io',
]);

const nameOf = ({ group, resource }: KindName): string => `${group}/${resource}`;

/** Whether a finalizer without a domain must be one of the known ones. */
export const knowsFinalizers = ({ group, isCustom }: KindName): boolean =>
  !ANY_FINALIZER.has(group) && isCustom !== true;

function looksAt(kind: KindName, subresource: string | undefined): Looks {
  const name = nameOf(kind);
  if (name === 'policy/poddisruptionbudgets') return SHORT;
  if (name === 'certificates.k8s.io/certificatesigningrequests') return THOROUGH;
  if (subresource === undefined) return CHECKED_AS_NEW.has(name) ? THOROUGH : USUAL;
  return name === 'batch/cronjobs' ? SHORT : USUAL;
}

const GENERAL = /^metadata\.(labels|annotations|ownerReferences)(\.|$)/;

/** The complaints of one look at the metadata of an update, as often as they are told. */
export function repeated(errors: readonly FieldError[], kind: KindName, subresource: string | undefined): FieldError[] {
  if (errors.length === 0) return [];
  const { all, full } = looksAt(kind, subresource);
  const general = errors.filter(({ field }) => GENERAL.test(field));
  const times = <T>(count: number, items: readonly T[]): T[] => Array.from({ length: count }, () => items).flat();
  return [...times(all - full, general), ...times(full, errors)];
}
