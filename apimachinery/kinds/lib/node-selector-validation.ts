/** Node selectors, of pods' affinity, volumes, and devices. */
import { dns1123Subdomain } from '../../names.js';
import type { Complaints } from './complaints.js';
import { validateNodeSelectorRequirement } from './label-validation.js';
import { field, isRec, list, recs, str, type Rec } from './value.js';

const FIELD_OPERATORS = ['In', 'NotIn'];

function validateNodeField(complaints: Complaints, requirement: Rec, path: string): void {
  const values = list(requirement['values']);
  if (!FIELD_OPERATORS.includes(str(requirement['operator'])))
    complaints.invalid(`${path}.operator`, str(requirement['operator']), 'not a valid selector operator');
  else if (values.length !== 1)
    complaints.required(
      `${path}.values`,
      "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
    );
  if (requirement['key'] !== 'metadata.name')
    complaints.invalid(`${path}.key`, str(requirement['key']), 'not a valid field selector key');
  else
    for (const [index, value] of values.entries()) complaints.form(`${path}.values[${index}]`, value, dns1123Subdomain);
}

export function validateNodeSelectorTerm(
  complaints: Complaints,
  term: unknown,
  path: string,
  how: { readonly values: 'checked' | 'any' } = { values: 'checked' },
): void {
  for (const [index, requirement] of recs(field(term, 'matchExpressions')).entries()) {
    validateNodeSelectorRequirement(complaints, requirement, `${path}.matchExpressions[${index}]`, how);
  }
  for (const [index, requirement] of recs(field(term, 'matchFields')).entries())
    validateNodeField(complaints, requirement, `${path}.matchFields[${index}]`);
}

export function validateNodeSelector(complaints: Complaints, selector: unknown, path: string): void {
  if (!isRec(selector)) return;
  const terms = recs(field(selector, 'nodeSelectorTerms'));
  if (terms.length === 0) complaints.required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term');
  for (const [index, term] of terms.entries())
    validateNodeSelectorTerm(complaints, term, `${path}.nodeSelectorTerms[${index}]`);
}
