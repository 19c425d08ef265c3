/**
 * Cluster IPs and families of a Service: what fits together, and what may change
 * (k8s.io/kubernetes/pkg/apis/core/validation).
 */
import { addressForm, parseAddress } from '../lib/addresses.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, str, strs, unset, type Rec } from '../lib/value.js';

const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const IPS = 'spec.clusterIPs';
const ONCE_SET = 'may not change once set';

const isHeadless = (ips: readonly string[]): boolean => ips.length === 1 && ips[0] === 'None';
const familyOf = (ip: string): string => parseAddress(ip)?.family ?? '';

function validateFirst(complaints: Complaints, spec: Rec, ips: readonly string[]): void {
  if (unset(spec['clusterIP'])) {
    if (ips.length > 0) complaints.invalid(IPS, ips, 'must be empty when `clusterIP` is not specified');
  } else if (ips.length === 0) {
    complaints.required(IPS);
  } else if (ips[0] !== spec['clusterIP']) {
    complaints.invalid(IPS, ips, 'first value must match `clusterIP`');
  }
}

function validateFamilies(complaints: Complaints, spec: Rec): void {
  const seen = new Set<string>();
  for (const [index, family] of strs(spec['ipFamilies']).entries()) {
    complaints.enumerated(`spec.ipFamilies[${index}]`, family, FAMILIES);
    if (seen.has(family)) complaints.duplicate(`spec.ipFamilies[${index}]`, family);
    seen.add(family);
  }
  complaints.enumerated('spec.ipFamilyPolicy', spec['ipFamilyPolicy'], FAMILY_POLICIES);
}

/** False when one of them is no address: nothing further is said of them then. */
function validateEach(complaints: Complaints, ips: readonly string[], known: ReadonlySet<string>): boolean {
  let good = true;
  for (const [index, ip] of ips.entries()) {
    if (index === 0 && ip === 'None') {
      if (ips.length > 1) complaints.invalid(IPS, ips, "'None' must be the first and only value");
      good &&= ips.length === 1;
      continue;
    }
    const wrong = addressForm(known)(ip);
    complaints.form(`${IPS}[${index}]`, ip, () => wrong);
    good &&= wrong.length === 0;
  }
  if (ips.length > 2) complaints.invalid(IPS, ips, 'may only hold up to 2 values');
  return good;
}

export function validateClusterIPs(complaints: Complaints, spec: Rec, before: unknown): void {
  if (spec['type'] === 'ExternalName') return;
  const ips = strs(spec['clusterIPs']);
  validateFirst(complaints, spec, ips);
  validateFamilies(complaints, spec);
  if (!validateEach(complaints, ips, new Set(strs(field(before, 'clusterIPs'))))) return;
  if (ips.length > 1 && new Set(ips.map(familyOf)).size < 2)
    complaints.invalid(IPS, ips, 'may specify no more than one IP for each IP family');
  if (isHeadless(ips)) return;
  const families = strs(spec['ipFamilies']);
  for (const [index, ip] of ips.entries()) {
    const family = families[index];
    if (FAMILIES.includes(str(family)) && familyOf(ip) !== family) {
      complaints.invalid(
        `${IPS}[${index}]`,
        ip,
        `expected an ${str(family)} value as indicated by \`ipFamilies[${index}]\``,
      );
    }
  }
}

interface Change {
  readonly now: readonly string[];
  readonly before: readonly string[];
}

/** A secondary address may come, or go once the policy says so; the primary one stays. */
function validateAddressChange(complaints: Complaints, spec: Rec, { now, before }: Change): void {
  const shown = now.length === 0 ? (absent(spec['clusterIPs']) ? null : []) : now;
  if (before.length === now.length) {
    for (const [index, ip] of before.entries())
      if (ip !== now[index]) complaints.invalid(`${IPS}[${index}]`, shown, ONCE_SET);
    return;
  }
  const releases = before.length > now.length;
  if (releases && now.length === 0) complaints.invalid(`${IPS}[0]`, shown, 'primary clusterIP can not be unset');
  if (before.length > 0 && now.length > 0 && now[0] !== before[0]) complaints.invalid(`${IPS}[0]`, shown, ONCE_SET);
  if (releases && now.length === 1 && spec['ipFamilyPolicy'] !== 'SingleStack') {
    complaints.invalid(
      'spec.ipFamilyPolicy',
      spec['ipFamilyPolicy'],
      "must be set to 'SingleStack' when releasing the secondary clusterIP",
    );
  }
}

/** Kubernetes shows the addresses, not the families, in some of these. */
function validateFamilyChange(complaints: Complaints, spec: Rec, { now, before }: Change): void {
  const path = 'spec.ipFamilies[0]';
  const ips = strs(spec['clusterIPs']);
  if (before.length === now.length) {
    for (const [index, family] of before.entries()) if (family !== now[index]) complaints.invalid(path, now, ONCE_SET);
    return;
  }
  const releases = before.length > now.length;
  if (releases && ips.length === 0)
    complaints.invalid(path, now.length === 0 ? null : now, 'primary ipFamily can not be unset');
  if (now.length > 0 && before.length > 0 && now[0] !== before[0])
    complaints.invalid(path, ips.length === 0 ? null : ips, ONCE_SET);
  if (releases && now.length === 1 && spec['ipFamilyPolicy'] !== 'SingleStack') {
    complaints.invalid(
      'spec.ipFamilyPolicy',
      spec['ipFamilyPolicy'],
      "must be set to 'SingleStack' when releasing the secondary ipFamily",
    );
  }
}

export function validateClusterIPsUpdate(complaints: Complaints, spec: Rec, before: Rec): void {
  if (spec['type'] === 'ExternalName' || before['type'] === 'ExternalName') return;
  const ips: Change = { now: strs(spec['clusterIPs']), before: strs(before['clusterIPs']) };
  if (!(isHeadless(ips.now) && isHeadless(ips.before))) validateAddressChange(complaints, spec, ips);
  if (!isHeadless(ips.now) && !isHeadless(ips.before))
    validateFamilyChange(complaints, spec, { now: strs(spec['ipFamilies']), before: strs(before['ipFamilies']) });
}
