/**
 * Validation of IPAddresses and ServiceCIDRs (k8s.io/kubernetes/pkg/apis/networking/validation). The order of
 * complaints is Kubernetes' own.
 */
import { dns1123Subdomain, pathSegment } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { canonicalCidr, parseCidr } from '../lib/addresses.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { at, isRec, same, strs, unset, type Rec } from '../lib/value.js';

function validateParent(complaints: Complaints, parent: unknown, path: string): void {
  if (!isRec(parent)) return complaints.required(path);
  if (!unset(parent['group'])) complaints.form(`${path}.group`, parent['group'], dns1123Subdomain);
  complaints.requiredForm(`${path}.resource`, parent['resource'], pathSegment);
  complaints.requiredForm(`${path}.name`, parent['name'], pathSegment);
  if (!unset(parent['namespace'])) complaints.form(`${path}.namespace`, parent['namespace'], pathSegment);
}

export function validateIPAddress(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const path = 'spec.parentRef';
    const parent = at(object, 'spec', 'parentRef');
    validateParent(complaints, parent, path);
    if (context?.old !== undefined)
      complaints.immutable(path, shown(parent), same(parent, at(context.old, 'spec', 'parentRef')));
  });
}

/** Kubernetes shows its internal type, whose fields have other names. */
function shown(parent: unknown): unknown {
  if (!isRec(parent)) return null;
  const { group = '', resource = '', namespace = '', name = '' } = parent;
  return { Group: group, Resource: resource, Namespace: namespace, Name: name };
}

function validateCidrs(complaints: Complaints, cidrs: readonly string[], path: string): void {
  if (cidrs.length === 0) return complaints.required(path, 'at least one CIDR required');
  if (cidrs.length > 2) return complaints.invalid(path, { CIDRs: cidrs }, 'may only hold up to 2 values');
  for (const [index, cidr] of cidrs.entries()) complaints.form(`${path}[${index}]`, cidr, canonicalCidr);
  const [first, second] = cidrs.map((cidr) => parseCidr(cidr)?.address.family);
  if (first !== undefined && first === second) {
    complaints.invalid(
      path,
      cidrs,
      'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    );
  }
}

/** A second CIDR may be added, of the other family; nothing else changes. */
function validateCidrsUpdate(
  complaints: Complaints,
  cidrs: readonly string[],
  before: readonly string[],
  path: string,
): void {
  const growsToDual = before.length === 1 && cidrs.length === 2;
  if (before.length !== cidrs.length && !growsToDual)
    return complaints.invalid(path, cidrs.length === 0 ? null : cidrs, IMMUTABLE);
  for (const [index, cidr] of before.entries())
    if (cidr !== cidrs[index]) complaints.invalid(`${path}[${index}]`, cidrs[index], IMMUTABLE);
  if (growsToDual) validateCidrs(complaints, cidrs, path);
}

export function validateServiceCidr(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const cidrs = strs(at(object, 'spec', 'cidrs'));
    if (context?.old === undefined) validateCidrs(complaints, cidrs, 'spec.cidrs');
    else if (context.subresource !== 'status')
      validateCidrsUpdate(complaints, cidrs, strs(at(context.old, 'spec', 'cidrs')), 'spec.cidrs');
  });
}
