/** RBAC rules and how they match a request (rbac.authorization.k8s.io/v1, "Referring to resources"). Pure functions. */
import { finish } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import type { PolicyRule, RequestAttributes } from './policy-rule.js';
import { RuleIndex } from './rule-index.js';

export function ruleAllows(rule: PolicyRule, request: RequestAttributes): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  return request.kind === 'path' ? pathMatches(rule, request.path) : resourceMatches(rule, request);
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function pathMatches(rule: PolicyRule, path: string): boolean {
  return (rule.nonResourceURLs ?? []).some(
    (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
  );
}

function resourceMatches(rule: PolicyRule, request: RequestAttributes & { kind: 'resource' }): boolean {
  if (!has(rule.apiGroups, request.group)) return false;
  const wanted = request.subresource === '' ? request.resource : `${request.resource}/${request.subresource}`;
  const matches = (rule.resources ?? []).some(
    (resource) =>
      resource === '*' ||
      resource === wanted ||
      (request.subresource !== '' && resource === `*/${request.subresource}`),
  );
  if (!matches) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (request.name !== '' && names.includes(request.name));
}

/**
 * Escalation check: is everything `wanted` grants granted by `held` (rules of the same namespace)? Wildcards count as
 * themselves.
 */
export function covers(held: readonly PolicyRule[], wanted: PolicyRule): boolean {
  return finish(coversWork(held, wanted));
}

/** The same in slices: a thousand verbs, groups and resources are a thousand million grants. */
export function* coversWork(held: readonly PolicyRule[], wanted: PolicyRule): Work<boolean> {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = wanted;
  const index = RuleIndex.of(held);
  const names = resourceNames.length === 0 ? [''] : resourceNames;
  for (const path of new Set(nonResourceURLs)) {
    const rules = index.ofPaths.filter((rule) => pathMatches(rule, path));
    if (!(yield* eachIn(verbs, (verb) => rules.some((rule) => has(rule.verbs, verb)), rules.length))) return false;
  }
  if (apiGroups.length === 0 || verbs.length === 0) return true;
  for (const resource of new Set(resources)) {
    const named = index.naming(resource);
    // Most often one rule gives the resource whole.
    if (yield* wholly(named, { verbs, apiGroups, names })) continue;
    for (const group of new Set(apiGroups)) {
      const ofGroup = named.filter((rule) => has(rule.apiGroups, group));
      yield named.length + 1;
      for (const verb of new Set(verbs)) {
        const ofVerb = ofGroup.filter((rule) => has(rule.verbs, verb));
        yield ofGroup.length + 1;
        if (!(yield* eachIn(names, (name) => ofVerb.some((rule) => allowsName(rule, name)), unitsOf(ofVerb))))
          return false;
      }
    }
  }
  return true;
}

function* eachIn(values: readonly string[], holds: (value: string) => boolean, units: number): Work<boolean> {
  for (const value of values) {
    yield units + 1;
    if (!holds(value)) return false;
  }
  return true;
}

const unitsOf = (rules: readonly PolicyRule[]): number =>
  rules.reduce((sum, { resourceNames = [] }) => sum + 1 + resourceNames.length / 16, 0);

interface Grants {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  /** Of objects; '' for all. */
  readonly names: readonly string[];
}

function* wholly(rules: readonly PolicyRule[], { verbs, apiGroups, names }: Grants): Work<boolean> {
  for (const rule of rules) {
    yield verbs.length + apiGroups.length + names.length + 1;
    if (hasAll(rule.verbs, verbs) && hasAll(rule.apiGroups, apiGroups) && allowsNames(rule, names)) return true;
  }
  return false;
}

function hasAll(list: readonly string[] | undefined, values: readonly string[]): boolean {
  const found = new Set(list);
  return found.has('*') || values.every((value) => found.has(value));
}

function allowsNames({ resourceNames = [] }: PolicyRule, names: readonly string[]): boolean {
  const allowed = new Set(resourceNames);
  return resourceNames.length === 0 || names.every((name) => name !== '' && allowed.has(name));
}

const allowsName = ({ resourceNames = [] }: PolicyRule, name: string): boolean =>
  resourceNames.length === 0 || (name !== '' && resourceNames.includes(name));
