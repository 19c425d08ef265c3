/**
 * Validation of ResourceQuotas (k8s.io/kubernetes/pkg/apis/core/validation). The order of complaints is Kubernetes'
 * own.
 */
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, IMMUTABLE, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { at, entries, field, isRec, keysOf, recs, str, strs, type Rec } from '../lib/value.js';
import { validateResourceName, validateResourceValue } from '../pod/validate-resources.js';

/** What a quota counts without a domain in its name. */
const STANDARD = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'services.nodeports',
  'services.loadbalancers',
]);
const isStandard = (name: string): boolean =>
  STANDARD.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');

const COMPUTE = ['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
/** By scope: the standard resources that it may restrict. */
const SCOPES: Readonly<Record<string, readonly string[]>> = {
  Terminating: COMPUTE,
  NotTerminating: COMPUTE,
  NotBestEffort: COMPUTE,
  PriorityClass: COMPUTE,
  CrossNamespacePodAffinity: COMPUTE,
  BestEffort: ['pods'],
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
};
const resourcesOf = (scope: string): readonly string[] | undefined =>
  Object.hasOwn(SCOPES, scope) ? SCOPES[scope] : undefined;
const CONFLICTS = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
/** Scopes that a pod is in or not: there are no values to compare. */
const PLAIN = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const MUST_EXIST =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, " +
  'ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity';

function validateAmounts(complaints: Complaints, amounts: unknown, path: string): void {
  for (const [name, quantity] of entries(amounts)) {
    const here = `${path}[${name}]`;
    validateResourceName(complaints, name, here);
    if (!name.includes('/') && !isStandard(name))
      complaints.invalid(here, name, 'must be a standard resource for quota');
    validateResourceValue(complaints, name, quantity, here);
  }
}

/** How many of the quota's standard resources a scope cannot restrict. */
function misfitsOf(hard: unknown): (scope: string) => number {
  const standard = keysOf(hard).filter(isStandard);
  return (scope) => {
    const valid = resourcesOf(scope);
    return valid === undefined ? 0 : standard.filter((name) => !valid.includes(name)).length;
  };
}

function validateConflicts(complaints: Complaints, present: readonly string[], path: string, shown: unknown): void {
  for (const pair of CONFLICTS)
    if (pair.every((scope) => present.includes(scope))) complaints.invalid(path, shown, 'conflicting scopes');
}

function validateScopes(complaints: Complaints, scopes: readonly string[], misfits: (scope: string) => number): void {
  for (const scope of scopes) {
    if (resourcesOf(scope) === undefined) complaints.invalid('spec.scopes', scopes, 'unsupported scope');
    for (let left = misfits(scope); left > 0; left--)
      complaints.invalid('spec.scopes', scopes, 'unsupported scope applied to resource');
  }
  validateConflicts(complaints, scopes, 'spec.scopes', scopes);
}

/** As Go's internal type is printed. */
const shown = (selector: unknown): unknown => ({
  MatchExpressions: recs(field(selector, 'matchExpressions')).map((one) => ({
    ScopeName: str(one['scopeName']),
    Operator: str(one['operator']),
    Values: Array.isArray(one['values']) ? one['values'] : null,
  })),
});

function validateScopeSelector(complaints: Complaints, selector: unknown, spec: unknown): void {
  if (!isRec(selector)) return;
  const path = 'spec.scopeSelector.matchExpressions';
  const misfits = misfitsOf(field(spec, 'hard'));
  const requirements = recs(selector['matchExpressions']);
  for (const requirement of requirements) {
    const [scope, operator, values] = [
      str(requirement['scopeName']),
      str(requirement['operator']),
      strs(requirement['values']),
    ];
    if (resourcesOf(scope) === undefined) complaints.invalid(`${path}.scopeName`, scope, 'unsupported scope');
    for (let left = misfits(scope); left > 0; left--)
      complaints.invalid(path, shown(selector), 'unsupported scope applied to resource');
    if (PLAIN.includes(scope) && operator !== 'Exists') complaints.invalid(`${path}.operator`, operator, MUST_EXIST);
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        complaints.required(
          `${path}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        );
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        complaints.invalid(
          `${path}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        );
    } else {
      complaints.invalid(`${path}.operator`, operator, 'not a valid selector operator');
    }
  }
  validateConflicts(
    complaints,
    requirements.map((one) => str(one['scopeName'])),
    path,
    Array.isArray(field(spec, 'scopes')) ? field(spec, 'scopes') : null,
  );
}

function validateQuota(quota: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(quota, 'spec');
    if (context?.subresource !== 'status') {
      validateAmounts(complaints, field(spec, 'hard'), 'spec.hard');
      validateScopes(complaints, strs(field(spec, 'scopes')), misfitsOf(field(spec, 'hard')));
      validateScopeSelector(complaints, field(spec, 'scopeSelector'), spec);
      return;
    }
    for (const side of ['hard', 'used']) validateAmounts(complaints, at(quota, 'status', side), `status.${side}`);
  });
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && a.every((one) => right.has(one));
}

export const resourceQuotaStrategy = strategyOf({
  returnsDeleted: true,
  status: true,
  validatesAll: true,
  validate: validateQuota,
  validateUpdate: (quota, old) =>
    complaintsOf((complaints) => {
      const scopes = strs(at(quota, 'spec', 'scopes'));
      if (!sameSet(scopes, strs(at(old, 'spec', 'scopes'))))
        complaints.invalid('spec.scopes', scopes.length === 0 ? null : scopes, IMMUTABLE);
    }),
});
