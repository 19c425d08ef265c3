/** RBAC rules and how they match a request (rbac.authorization.k8s.io/v1, "Referring to resources"). Pure functions. */
import type { UserInfo } from '../../../apimachinery/object-service.js';

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface Subject {
  readonly kind: string;
  readonly apiGroup?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** What a rule is held against: a request for a resource, or for another path. */
export type RequestAttributes =
  | {
      readonly kind: 'resource';
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      /** '' when absent. */
      readonly subresource: string;
      /** '' for cluster-scoped requests and for requests over all namespaces. */
      readonly namespace: string;
      /** '' when the request names no object. */
      readonly name: string;
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string };

export function ruleAllows(rule: PolicyRule, request: RequestAttributes): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  return request.kind === 'path' ? pathMatches(rule, request.path) : resourceMatches(rule, request);
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function pathMatches(rule: PolicyRule, path: string): boolean {
  return (rule.nonResourceURLs ?? []).some((url) =>
    url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))));
}

function resourceMatches(rule: PolicyRule, request: RequestAttributes & { kind: 'resource' }): boolean {
  if (!has(rule.apiGroups, request.group)) return false;
  const wanted = request.subresource === '' ? request.resource : `${request.resource}/${request.subresource}`;
  const matches = (rule.resources ?? []).some((resource) =>
    resource === '*' || resource === wanted || (request.subresource !== '' && resource === `*/${request.subresource}`));
  if (!matches) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (request.name !== '' && names.includes(request.name));
}

/** A subject without a namespace of its own is looked up in the binding's. */
export function subjectMatches(subject: Subject, user: UserInfo, bindingNamespace: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.name;
    case 'Group':
      return user.groups.includes(subject.name);
    case 'ServiceAccount':
      return user.name === `system:serviceaccount:${subject.namespace ?? bindingNamespace}:${subject.name}`;
    default:
      return false;
  }
}

/** Escalation check: is everything `wanted` grants granted by `held` (rules of the same namespace)? Wildcards count as themselves. */
export function covers(held: readonly PolicyRule[], wanted: PolicyRule): boolean {
  for (const verb of wanted.verbs) {
    for (const path of wanted.nonResourceURLs ?? []) {
      const covered = held.some((rule) => has(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((url) =>
        url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)))));
      if (!covered) return false;
    }
    for (const group of wanted.apiGroups ?? []) {
      for (const resource of wanted.resources ?? []) {
        const names = (wanted.resourceNames ?? []).length === 0 ? [''] : (wanted.resourceNames ?? []);
        if (!names.every((name) => coversOne(held, { verb, group, resource, name }))) return false;
      }
    }
  }
  return true;
}

interface Grant {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string;
}

function coversOne(held: readonly PolicyRule[], grant: Grant): boolean {
  const slash = grant.resource.indexOf('/');
  const anySubresource = slash < 0 ? undefined : `*/${grant.resource.slice(slash + 1)}`;
  return held.some((rule) =>
    has(rule.verbs, grant.verb) && has(rule.apiGroups, grant.group) &&
    (rule.resources ?? []).some((r) => r === '*' || r === grant.resource || r === anySubresource) &&
    ((rule.resourceNames ?? []).length === 0 || (grant.name !== '' && (rule.resourceNames ?? []).includes(grant.name))));
}
