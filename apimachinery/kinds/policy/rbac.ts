/**
 * Roles and bindings: defaults, and validation in Kubernetes' own order (k8s.io/kubernetes/pkg/apis/rbac/validation).
 */
import { dns1123Subdomain, pathSegment } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { strategyOf } from '../lib/strategy.js';
import { child, children, field, fillZero, isRec, list, recs, same, str, unset, type Rec } from '../lib/value.js';

export const RBAC = 'rbac.authorization.k8s.io';

function defaultBinding(binding: Rec): void {
  const role = child(binding, 'roleRef');
  if (role !== undefined) fillZero(role, 'apiGroup', RBAC);
  for (const subject of children(binding, 'subjects')) {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') fillZero(subject, 'apiGroup', RBAC);
  }
}

function validateRules(complaints: Complaints, rules: unknown, namespaced: boolean): void {
  for (const [index, rule] of recs(rules).entries()) {
    const path = `rules[${index}]`;
    const urls = list(rule['nonResourceURLs']);
    if (list(rule['verbs']).length === 0) complaints.required(`${path}.verbs`, 'verbs must contain at least one value');
    if (urls.length > 0) {
      if (namespaced)
        complaints.invalid(`${path}.nonResourceURLs`, urls, 'namespaced rules cannot apply to non-resource URLs');
      if (list(rule['apiGroups']).length + list(rule['resources']).length + list(rule['resourceNames']).length > 0) {
        complaints.invalid(
          `${path}.nonResourceURLs`,
          urls,
          'rules cannot apply to both regular resources and non-resource URLs',
        );
      }
      continue;
    }
    if (list(rule['apiGroups']).length === 0)
      complaints.required(`${path}.apiGroups`, 'resource rules must supply at least one api group');
    if (list(rule['resources']).length === 0)
      complaints.required(`${path}.resources`, 'resource rules must supply at least one resource');
  }
}

function validateAggregation(complaints: Complaints, aggregation: unknown): void {
  if (!isRec(aggregation)) return;
  const path = 'aggregationRule.clusterRoleSelectors';
  const selectors = recs(aggregation['clusterRoleSelectors']);
  if (selectors.length === 0)
    complaints.required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
  for (const [index, selector] of selectors.entries()) {
    const before = complaints.all.length;
    validateLabelSelector(complaints, selector, `${path}[${index}]`);
    if (complaints.all.length > before) complaints.invalid(`${path}[${index}]`, null, 'invalid label selector.');
  }
}

function validateSubject(complaints: Complaints, subject: Rec, path: string, namespaced: boolean): void {
  const kind = str(subject['kind']);
  if (unset(subject['name'])) complaints.required(`${path}.name`);
  if (kind === 'ServiceAccount') {
    if (!unset(subject['name'])) complaints.form(`${path}.name`, subject['name'], dns1123Subdomain);
    if (!unset(subject['apiGroup'])) complaints.unsupported(`${path}.apiGroup`, subject['apiGroup'], ['']);
    if (!namespaced && unset(subject['namespace'])) complaints.required(`${path}.namespace`);
  } else if (kind === 'User' || kind === 'Group') {
    if (subject['apiGroup'] !== RBAC) complaints.unsupported(`${path}.apiGroup`, str(subject['apiGroup']), [RBAC]);
  } else {
    complaints.unsupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
  }
}

function validateBinding(binding: Rec, namespaced: boolean): FieldError[] {
  return complaintsOf((complaints) => {
    const role = field(binding, 'roleRef');
    const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
    if (field(role, 'apiGroup') !== RBAC)
      complaints.unsupported('roleRef.apiGroup', str(field(role, 'apiGroup')), [RBAC]);
    if (!kinds.includes(str(field(role, 'kind'))))
      complaints.unsupported('roleRef.kind', str(field(role, 'kind')), kinds);
    complaints.requiredForm('roleRef.name', field(role, 'name'), pathSegment);
    for (const [index, subject] of recs(binding['subjects']).entries())
      validateSubject(complaints, subject, `subjects[${index}]`, namespaced);
  });
}

export const role = (namespaced: boolean) =>
  strategyOf({
    allowCreateOnUpdate: true,
    validatesAll: true,
    validate: (object) =>
      complaintsOf((complaints) => {
        validateRules(complaints, object['rules'], namespaced);
        if (!namespaced) validateAggregation(complaints, object['aggregationRule']);
      }),
  });

/** As Go's internal type is printed. */
const shown = (reference: unknown): unknown => ({
  APIGroup: str(field(reference, 'apiGroup')),
  Kind: str(field(reference, 'kind')),
  Name: str(field(reference, 'name')),
});

export const binding = (namespaced: boolean) =>
  strategyOf({
    allowCreateOnUpdate: true,
    validatesAll: true,
    defaults: defaultBinding,
    validate: (object) => validateBinding(object, namespaced),
    validateUpdate: (object, old) =>
      complaintsOf((complaints) => {
        if (!same(object['roleRef'], old['roleRef']))
          complaints.invalid('roleRef', shown(object['roleRef']), 'cannot change roleRef');
      }),
  });
