/** What is wrong with a SubjectAccessReview or one of its kin (k8s.io/kubernetes/pkg/apis/authorization/validation). */
import { complaintsOf, type Complaints } from '../../../apimachinery/kinds/lib/complaints.js';
import { absent, at, field, isRec, list, recs, str, unset, type Rec } from '../../../apimachinery/kinds/lib/value.js';
import { labelKey, labelValue } from '../../../apimachinery/names.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';

export type ReviewKind = 'SubjectAccessReview' | 'LocalSubjectAccessReview' | 'SelfSubjectAccessReview';

/** Kubernetes shows its internal type. */
const shownPath = (path: unknown): Rec => ({ Path: str(field(path, 'path')), Verb: str(field(path, 'verb')) });

function validateRequirement(complaints: Complaints, requirement: Rec, path: string, isLabel: boolean): void {
  const operator = str(requirement['operator']);
  const values = list(requirement['values']);
  if (!isLabel && unset(requirement['key'])) complaints.required(`${path}.key`, 'must be specified');
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    complaints.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    complaints.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  }
  if (!isLabel) return;
  complaints.form(`${path}.key`, str(requirement['key']), labelKey);
  for (const [index, value] of values.entries()) complaints.form(`${path}.values[${index}]`, value, labelValue);
}

function validateSelector(complaints: Complaints, selector: Rec, path: string, isLabel: boolean): void {
  const requirements = recs(selector['requirements']);
  const raw = str(selector['rawSelector']);
  if (raw !== '' && requirements.length > 0)
    complaints.invalid(`${path}.rawSelector`, raw, 'may not specified at the same time as requirements');
  if (raw === '' && requirements.length === 0)
    complaints.required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`);
  for (const [index, requirement] of requirements.entries())
    validateRequirement(complaints, requirement, `${path}.requirements[${index}]`, isLabel);
}

function validateSpec(complaints: Complaints, spec: unknown, kind: ReviewKind): void {
  const resource = field(spec, 'resourceAttributes');
  const path = field(spec, 'nonResourceAttributes');
  if (isRec(resource) && isRec(path))
    complaints.invalid(
      'spec.nonResourceAttributes',
      shownPath(path),
      'cannot be specified in combination with resourceAttributes',
    );
  if (!isRec(resource) && !isRec(path))
    complaints.invalid(
      'spec.resourceAttributes',
      null,
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    );
  if (kind !== 'SelfSubjectAccessReview' && unset(field(spec, 'user')) && list(field(spec, 'groups')).length === 0) {
    complaints.invalid('spec.user', '', 'at least one of user or group must be specified');
  }
  for (const name of ['fieldSelector', 'labelSelector']) {
    const selector = field(resource, name);
    if (isRec(selector))
      validateSelector(complaints, selector, `spec.resourceAttributes.${name}`, name === 'labelSelector');
  }
}

/** A review is not stored: only the namespace of a local one means anything among its metadata. */
function validateEmptyMetadata(complaints: Complaints, metadata: unknown, kind: ReviewKind): void {
  const allowed = new Set(['managedFields', ...(kind === 'LocalSubjectAccessReview' ? ['namespace'] : [])]);
  const given = isRec(metadata)
    ? Object.entries(metadata).filter(([name, value]) => !allowed.has(name) && !absent(value) && value !== '')
    : [];
  if (given.length > 0)
    complaints.invalid(
      'metadata',
      metadata,
      kind === 'LocalSubjectAccessReview' ? 'must be empty except for namespace' : 'must be empty',
    );
}

/** Throws 422 with all that is wrong. Kubernetes names no kind in it. */
export function refuseReview(review: KubeObject, kind: ReviewKind, namespace = ''): void {
  const errors = complaintsOf((complaints) => {
    const spec = field(review, 'spec');
    validateSpec(complaints, spec, kind);
    validateEmptyMetadata(complaints, review.metadata, kind);
    if (kind !== 'LocalSubjectAccessReview') return;
    const asked = str(at(spec, 'resourceAttributes', 'namespace'));
    if (isRec(field(spec, 'resourceAttributes')) && asked !== namespace)
      complaints.invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace');
    const path = field(spec, 'nonResourceAttributes');
    if (isRec(path))
      complaints.invalid('spec.nonResourceAttributes', shownPath(path), 'disallowed on this kind of request');
  });
  if (errors.length > 0) throw apiErrors.invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors);
}
