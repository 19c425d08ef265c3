/**
 * The IP families of Services (KEP-563) on a cluster that has one, IPv4: every Service with an address, or that could
 * have one, says which; what asks for more than there is, is refused. Services without selector and address may name
 * families that their own endpoints have.
 */
import type { Service, ServiceSpec } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { fieldErrors, type FieldError } from '../../../apimachinery/status.js';

const FAMILY = 'IPv4';
const FAMILIES = ['IPv4', 'IPv6'];

/** Nobody but the Service's own users knows what its endpoints are. */
const isFree = (spec: ServiceSpec) => spec.clusterIP === 'None' && spec.selector === undefined;

const isBoth = (spec: ServiceSpec) => (spec.ipFamilies ?? []).length > 1 || (spec.clusterIPs ?? []).length > 1;

const policyOf = (spec: ServiceSpec): string =>
  spec.ipFamilyPolicy ?? (isBoth(spec) || isFree(spec) ? 'RequireDualStack' : 'SingleStack');

/** What the cluster cannot do, before anything is filled in. */
export function familyErrors({ spec = {} }: Service): FieldError[] {
  const { ipFamilies = [], ipFamilyPolicy } = spec;
  if (spec.type === 'ExternalName') return [];
  const single =
    ipFamilyPolicy === 'SingleStack'
      ? ([
          ['cluster IPs', spec.clusterIPs],
          ['IP families', ipFamilies],
        ] as const)
      : [];
  const tooMany = single
    .filter(([, list]) => (list ?? []).length === 2)
    .map(([what]) =>
      fieldErrors.invalid(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
      ),
    );
  if (tooMany.length > 0) return tooMany;
  const foreignIP = (spec.clusterIPs ?? [spec.clusterIP ?? '']).findIndex((ip) => ip.includes(':'));
  if (foreignIP >= 0)
    return [
      fieldErrors.invalid(
        `spec.clusterIPs[${foreignIP}]`,
        spec.clusterIPs ?? [spec.clusterIP],
        'IPv6 is not configured on this cluster',
      ),
    ];
  if (isFree(spec)) return [];
  const foreign = ipFamilies.findIndex((family) => family !== FAMILY);
  if (foreign >= 0)
    return [fieldErrors.invalid(`spec.ipFamilies[${foreign}]`, ipFamilies[foreign], 'not configured on this cluster')];
  if (policyOf(spec) === 'RequireDualStack') {
    return [
      fieldErrors.invalid(
        'spec.ipFamilyPolicy',
        'RequireDualStack',
        'this cluster is not configured for dual-stack services',
      ),
    ];
  }
  return [];
}

/** Fills in what is missing; the spec is changed in place. */
export function fillFamilies(spec: ServiceSpec): void {
  if (spec.type === 'ExternalName') return;
  const policy = policyOf(spec);
  const [first = FAMILY] = spec.ipFamilies ?? [];
  spec.ipFamilyPolicy = policy;
  const other = FAMILIES.find((family) => family !== first) ?? FAMILY;
  spec.ipFamilies = isFree(spec) && policy !== 'SingleStack' ? [first, other] : [first];
}

/**
 * A Service that an older version stored: its families are filled in whenever it is read. True if anything was missing.
 */
export function completeStoredService(service: KubeObject): boolean {
  const { spec } = service as Service;
  if (
    spec === undefined ||
    spec.type === 'ExternalName' ||
    (spec.ipFamilies !== undefined && spec.ipFamilyPolicy !== undefined)
  )
    return false;
  fillFamilies(spec);
  return true;
}
