/**
 * Validation of admission policies and their bindings (k8s.io/kubernetes/pkg/apis/admissionregistration/validation).
 * The order of complaints is Kubernetes' own.
 */
import type { Work } from '../../../platform/work.js';
import type { StrategyContext } from '../../kind.js';
import { dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, complaintsWork, type Complaints } from '../lib/complaints.js';
import { validateConditions } from '../lib/validate-conditions.js';
import { absent, at, field, isRec, list, recs, strs, unset, type Rec } from '../lib/value.js';
import { mutatingPolicyErrors, validatingPolicyErrors } from './expressions.js';
import {
  FAILURE_POLICIES,
  validateMatchResources,
  validateMutatingOperations,
  validateParamKind,
  validateParamRef,
} from './match.js';

const ACTIONS = ['Audit', 'Deny', 'Warn'];

function validateCommon(complaints: Complaints, spec: unknown): void {
  if (absent(field(spec, 'failurePolicy'))) complaints.required('spec.failurePolicy');
  complaints.enumerated('spec.failurePolicy', field(spec, 'failurePolicy'), FAILURE_POLICIES);
  validateParamKind(complaints, field(spec, 'paramKind'), 'spec.paramKind');
  const match = field(spec, 'matchConstraints');
  if (!isRec(match)) return complaints.required('spec.matchConstraints');
  validateMatchResources(complaints, match, 'spec.matchConstraints');
  // The rules tell the types of what expressions speak of.
  if (list(match['resourceRules']).length === 0) complaints.required('spec.matchConstraints.resourceRules');
}

/** What a controller found in the expressions, and its conditions. */
const validatePolicyStatus = (status: unknown): FieldError[] =>
  complaintsOf((complaints) => {
    for (const [index, warning] of recs(at(status, 'typeChecking', 'expressionWarnings')).entries()) {
      const path = `status.typeChecking.expressionWarnings[${index}]`;
      for (const name of ['warning', 'fieldRef']) if (unset(warning[name])) complaints.required(`${path}.${name}`);
    }
    validateConditions(complaints, field(status, 'conditions'), 'status.conditions');
  });

export function* validateValidatingPolicy(policy: Rec, context?: StrategyContext): Work<FieldError[]> {
  if (context?.subresource === 'status') return validatePolicyStatus(policy['status']);
  return yield* complaintsWork(function* (complaints) {
    validateCommon(complaints, policy['spec']);
    complaints.add(yield* validatingPolicyErrors(policy, context?.old));
  });
}

export function validateMutatingPolicy(policy: Rec, context?: StrategyContext): Work<FieldError[]> {
  return complaintsWork(function* (complaints) {
    const spec = policy['spec'];
    validateCommon(complaints, spec);
    validateMutatingOperations(complaints, field(spec, 'matchConstraints'), 'spec.matchConstraints');
    complaints.add(yield* mutatingPolicyErrors(policy, context?.old));
    complaints.oneOf('spec.reinvocationPolicy', field(spec, 'reinvocationPolicy'), ['IfNeeded', 'Never'], true);
  });
}

function validateActions(complaints: Complaints, actions: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) complaints.unsupported(`${path}[${index}]`, action, ACTIONS);
    if (seen.has(action)) complaints.duplicate(`${path}[${index}]`, action);
    seen.add(action);
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    complaints.invalid(
      path,
      actions,
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    );
  }
  if (actions.length === 0) complaints.required(path, 'at least one validation action is required');
}

function validateBinding(complaints: Complaints, spec: unknown): void {
  complaints.requiredForm('spec.policyName', field(spec, 'policyName'), dns1123Subdomain);
  validateParamRef(complaints, field(spec, 'paramRef'), 'spec.paramRef');
  validateMatchResources(complaints, field(spec, 'matchResources'), 'spec.matchResources');
}

export function validateValidatingBinding(binding: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    validateBinding(complaints, binding['spec']);
    validateActions(complaints, strs(field(binding['spec'], 'validationActions')), 'spec.validationActions');
  });
}

export function validateMutatingBinding(binding: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = binding['spec'];
    validateBinding(complaints, spec);
    validateMutatingOperations(complaints, field(spec, 'matchResources'), 'spec.matchResources');
  });
}
