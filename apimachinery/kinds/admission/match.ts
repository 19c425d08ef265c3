/**
 * Which requests webhooks and policies look at: rules, selectors and parameters
 * (k8s.io/kubernetes/pkg/apis/admissionregistration/validation).
 */
import { dns1035Label, dns1123Subdomain, pathSegment } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { absent, field, isRec, recs, str, strs, unset, type Rec } from '../lib/value.js';

const SCOPES = ['*', 'Cluster', 'Namespaced'];
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
export const FAILURE_POLICIES = ['Fail', 'Ignore'];
export const MATCH_POLICIES = ['Equivalent', 'Exact'];

/** A wildcard stands alone. */
function validateAlone(complaints: Complaints, values: readonly string[], path: string, what: string): void {
  if (values.length > 1 && values.includes('*'))
    complaints.invalid(path, values, `if '*' is present, must not specify other ${what}`);
}

function validateResources(complaints: Complaints, resources: readonly string[], path: string): void {
  if (resources.length === 0) complaints.required(path);
  const [wholeResources, wholeSubresources] = [new Set<string>(), new Set<string>()];
  let isPlainLast = false;
  for (const [index, resource] of resources.entries()) {
    const here = `${path}[${index}]`;
    if (resource === '') {
      complaints.required(here);
      continue;
    }
    const slash = resource.indexOf('/');
    if (slash < 0) {
      isPlainLast = resource !== '*';
      continue;
    }
    const [name, sub] = [resource.slice(0, slash), resource.slice(slash + 1)];
    if (wholeResources.has(name))
      complaints.invalid(here, resource, `if '${name}/*' is present, must not specify ${resource}`);
    if (wholeSubresources.has(sub))
      complaints.invalid(here, resource, `if '*/${sub}' is present, must not specify ${resource}`);
    if (sub === '*') wholeResources.add(name);
    if (name === '*') wholeSubresources.add(sub);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    complaints.invalid(path, resources, "if '*/*' is present, must not specify other resources");
  // Kubernetes remembers of the resources without a slash the last one only.
  if (resources.includes('*') && isPlainLast)
    complaints.invalid(path, resources, "if '*' is present, must not specify other resources without subresources");
}

export function validateRule(complaints: Complaints, rule: Rec, path: string): void {
  const [operations, groups, versions] = ['operations', 'apiGroups', 'apiVersions'].map((name) => strs(rule[name])) as [
    readonly string[],
    readonly string[],
    readonly string[],
  ];
  if (operations.length === 0) complaints.required(`${path}.operations`);
  validateAlone(complaints, operations, `${path}.operations`, 'operations');
  for (const [index, operation] of operations.entries())
    if (!OPERATIONS.includes(operation)) complaints.unsupported(`${path}.operations[${index}]`, operation, OPERATIONS);
  if (groups.length === 0) complaints.required(`${path}.apiGroups`);
  validateAlone(complaints, groups, `${path}.apiGroups`, 'API groups');
  if (versions.length === 0) complaints.required(`${path}.apiVersions`);
  validateAlone(complaints, versions, `${path}.apiVersions`, 'API versions');
  for (const [index, version] of versions.entries())
    if (version === '') complaints.required(`${path}.apiVersions[${index}]`);
  validateResources(complaints, strs(rule['resources']), `${path}.resources`);
  complaints.enumerated(`${path}.scope`, rule['scope'], SCOPES);
}

function validateNamedRule(complaints: Complaints, rule: Rec, path: string): void {
  const seen = new Set<string>();
  for (const [index, name] of strs(rule['resourceNames']).entries()) {
    complaints.form(`${path}.resourceNames[${index}]`, name, pathSegment);
    if (seen.has(name)) complaints.duplicate(`${path}.resourceNames[${index}]`, name);
    seen.add(name);
  }
  validateRule(complaints, rule, path);
}

export function validateMatchResources(complaints: Complaints, match: unknown, path: string): void {
  if (!isRec(match)) return;
  if (absent(match['matchPolicy'])) complaints.required(`${path}.matchPolicy`);
  complaints.enumerated(`${path}.matchPolicy`, match['matchPolicy'], MATCH_POLICIES);
  for (const name of ['namespaceSelector', 'objectSelector']) {
    if (absent(match[name])) complaints.required(`${path}.${name}`);
    validateLabelSelector(complaints, match[name], `${path}.${name}`);
  }
  for (const name of ['resourceRules', 'excludeResourceRules']) {
    for (const [index, rule] of recs(match[name]).entries())
      validateNamedRule(complaints, rule, `${path}.${name}[${index}]`);
  }
}

/** The operations of rules for policies that change objects: there is nothing to change in what is deleted. */
export function validateMutatingOperations(complaints: Complaints, match: unknown, path: string): void {
  for (const rule of recs(field(match, 'resourceRules'))) {
    for (const operation of strs(rule['operations'])) {
      if (operation === 'DELETE' || !OPERATIONS.includes(operation))
        complaints.unsupported(
          `${path}.resourceRules.operations`,
          operation,
          OPERATIONS.filter((known) => known !== 'DELETE'),
        );
    }
  }
}

function validateGroupVersion(complaints: Complaints, apiVersion: string, path: string): void {
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  if (parts.length > 2) return complaints.invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  const [group, version] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : ['', parts[0] ?? ''];
  const wrongGroup = group === '' ? [] : dns1123Subdomain(group);
  if (wrongGroup.length > 0) complaints.invalid(path, group, wrongGroup.join(','));
  if (version === '') return complaints.invalid(path, apiVersion, 'version must be specified');
  const wrongVersion = dns1035Label(version);
  if (wrongVersion.length > 0) complaints.invalid(path, version, wrongVersion.join(','));
}

export function validateParamKind(complaints: Complaints, kind: unknown, path: string): void {
  if (!isRec(kind)) return;
  const [apiVersion, name] = [str(kind['apiVersion']), str(kind['kind'])];
  if (apiVersion === '') complaints.required(`${path}.apiVersion`);
  else validateGroupVersion(complaints, apiVersion, `${path}.apiVersion`);
  const wrong = name === '' ? [] : dns1035Label(name.toLowerCase());
  if (name === '') complaints.required(`${path}.kind`);
  else if (wrong.length > 0)
    complaints.invalid(`${path}.kind`, name, `may have mixed case, but should otherwise match: ${wrong.join(',')}`);
}

export function validateParamRef(complaints: Complaints, ref: unknown, path: string): void {
  if (!isRec(ref)) return;
  const [name, selector, action] = [str(ref['name']), ref['selector'], ref['parameterNotFoundAction']];
  const isBoth = name !== '' && isRec(selector);
  complaints.form(`${path}.name`, name, pathSegment);
  if (isBoth) complaints.forbidden(`${path}.name`, 'name and selector are mutually exclusive');
  validateLabelSelector(complaints, selector, `${path}.selector`);
  if (isBoth) complaints.forbidden(`${path}.selector`, 'name and selector are mutually exclusive');
  if (name === '' && !isRec(selector)) complaints.required(path, 'one of name or selector must be specified');
  if (unset(action)) complaints.required(`${path}.parameterNotFoundAction`);
  else complaints.oneOf(`${path}.parameterNotFoundAction`, action, ['Deny', 'Allow']);
}
