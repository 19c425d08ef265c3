/** Labels and label selectors inside objects (k8s.io/apimachinery/pkg/apis/meta/v1/validation). */
import { labelKey, labelValue, qualifiedName } from '../../names.js';
import type { Complaints } from './complaints.js';
import { entries, field, isRec, list, recs, str } from './value.js';

/** Each bad key or value is an error on the map itself: keys of users are no part of a path. */
export function validateLabels(complaints: Complaints, labels: unknown, path: string): void {
  for (const [key, value] of entries(labels)) {
    for (const why of labelKey(key)) complaints.invalid(path, key, why);
    for (const why of labelValue(str(value))) complaints.invalid(path, value, why);
  }
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

export function validateLabelSelector(complaints: Complaints, selector: unknown, path: string): void {
  if (!isRec(selector)) return;
  validateLabels(complaints, field(selector, 'matchLabels'), `${path}.matchLabels`);
  for (const [index, requirement] of recs(field(selector, 'matchExpressions')).entries()) {
    validateSelectorRequirement(complaints, requirement, `${path}.matchExpressions[${index}]`);
  }
}

function validateSelectorRequirement(complaints: Complaints, requirement: unknown, path: string): void {
  const operator = str(field(requirement, 'operator'));
  const values = list(field(requirement, 'values'));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      complaints.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      complaints.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else {
    complaints.invalid(`${path}.operator`, operator, 'not a valid selector operator');
  }
  complaints.form(`${path}.key`, field(requirement, 'key'), qualifiedName);
  for (const [index, value] of values.entries()) complaints.form(`${path}.values[${index}]`, value, labelValue);
}

const NODE_OPERATORS = [...OPERATORS, 'Gt', 'Lt'];

/**
 * One requirement of a node selector term: as for labels, with Gt and Lt on numbers. A preference takes values of any
 * form.
 */
export function validateNodeSelectorRequirement(
  complaints: Complaints,
  requirement: unknown,
  path: string,
  how: { readonly values: 'checked' | 'any' } = { values: 'checked' },
): void {
  const operator = str(field(requirement, 'operator'));
  const values = list(field(requirement, 'values'));
  if (!NODE_OPERATORS.includes(operator)) {
    complaints.invalid(`${path}.operator`, operator, 'not a valid selector operator');
  } else if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      complaints.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1)
      complaints.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else if (values.length > 0) {
    complaints.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  }
  complaints.form(`${path}.key`, field(requirement, 'key'), qualifiedName);
  if (how.values === 'checked')
    for (const [index, value] of values.entries()) complaints.form(`${path}.values[${index}]`, value, labelValue);
}

/** True when every label of a plain selector is on the labels, and every expression holds. */
export function selectorMatches(selector: unknown, labels: unknown): boolean {
  for (const [key, value] of entries(field(selector, 'matchLabels'))) if (field(labels, key) !== value) return false;
  return recs(field(selector, 'matchExpressions')).every((requirement) => {
    const value = field(labels, str(requirement['key']));
    const values = list(requirement['values']);
    switch (requirement['operator']) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}

/** A selector that selects everything would take over every pod of a namespace. */
export function selectsEverything(selector: unknown): boolean {
  return entries(field(selector, 'matchLabels')).length === 0 && list(field(selector, 'matchExpressions')).length === 0;
}
