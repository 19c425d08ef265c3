/** Validation of workloads (k8s.io/kubernetes/pkg/apis/apps/validation). */
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { selectorMatches, selectsEverything, validateLabelSelector } from '../lib/label-validation.js';
import { absent, at, clone, field, isRec, keysOf, num, optionalNum, same, str, type Rec } from '../lib/value.js';
import { validatePodTemplate, validateTemplateMetadata } from '../pod/validate.js';

const NUMBERS = ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'];

function validateSelector(complaints: Complaints, spec: Rec, noun: string): void {
  const selector = spec['selector'];
  if (absent(selector)) {
    complaints.required('spec.selector');
    return;
  }
  validateLabelSelector(complaints, selector, 'spec.selector');
  if (selectsEverything(selector)) complaints.invalid('spec.selector', selector, `empty selector is invalid for ${noun}`);
}

function validateTemplate(complaints: Complaints, spec: Rec, selector: unknown, metadataOnly: boolean): void {
  const template = spec['template'];
  const labels = at(template, 'metadata', 'labels');
  if (!absent(template) && !selectsEverything(selector) && !selectorMatches(selector, labels)) {
    complaints.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`');
  }
  if (metadataOnly) validateTemplateMetadata(complaints, template, 'spec.template');
  else validatePodTemplate(complaints, template, 'spec.template');
  const restart = at(template, 'spec', 'restartPolicy');
  if (!absent(template) && restart !== 'Always') complaints.unsupported('spec.template.spec.restartPolicy', restart ?? '', ['Always']);
  if (!absent(at(template, 'spec', 'activeDeadlineSeconds'))) {
    complaints.forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicaSet is not Supported');
  }
}

/** A count or a percentage; gives its value, percentages as they are. */
export function validateCountOrPercent(complaints: Complaints, value: unknown, path: string): void {
  if (absent(value)) return;
  if (typeof value === 'number') {
    if (value < 0) complaints.invalid(path, value, 'must be greater than or equal to 0');
  } else if (!/^[0-9]+%$/.test(str(value))) {
    complaints.invalid(path, value, "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
  }
}

const isZero = (value: unknown): boolean => value === 0 || (typeof value === 'string' && /^0+%$/.test(value));

function validateRollout(complaints: Complaints, spec: Rec, name: string, types: readonly string[]): void {
  const strategy = field(spec, name);
  const path = `spec.${name}`;
  const type = field(strategy, 'type');
  const rolling = field(strategy, 'rollingUpdate');
  complaints.oneOf(`${path}.type`, type, types, true);
  if (type === 'Recreate' && !absent(rolling)) complaints.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
  if (type !== 'RollingUpdate' || !isRec(rolling)) return;
  complaints.atLeast(`${path}.rollingUpdate.partition`, rolling['partition']);
  validateCountOrPercent(complaints, rolling['maxUnavailable'], `${path}.rollingUpdate.maxUnavailable`);
  validateCountOrPercent(complaints, rolling['maxSurge'], `${path}.rollingUpdate.maxSurge`);
  if (isZero(rolling['maxUnavailable']) && isZero(rolling['maxSurge'])) {
    complaints.invalid(`${path}.rollingUpdate.maxUnavailable`, rolling['maxUnavailable'], 'may not be 0 when `maxSurge` is 0');
  }
}

export interface WorkloadRules {
  /** What messages call the kind; 'deployment' when absent, as Kubernetes says it of replica sets too. */
  readonly noun?: string;
  /** The field of the update strategy, with the types it may have. */
  readonly rollout?: { readonly field: string; readonly types: readonly string[] };
  /** Spec fields that an update may change; absent: all but the selector. */
  readonly mutable?: readonly string[];
  readonly mutableMessage?: string;
  /** The pods' spec is not looked at: what it mounts may be a claim of its own pod (ValidatePodTemplateSpecForStatefulSet). */
  readonly templateMetadataOnly?: boolean;
  /** The selector is a plain map. */
  readonly plainSelector?: boolean;
}

export function validateWorkload(object: Rec, rules: WorkloadRules): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    if (!isRec(spec)) {
      complaints.required('spec');
      return;
    }
    for (const name of NUMBERS) complaints.atLeast(`spec.${name}`, spec[name]);
    if (rules.plainSelector === true) {
      if (keysOf(spec['selector']).length === 0) complaints.required('spec.selector');
    } else {
      validateSelector(complaints, spec, rules.noun ?? 'deployment');
    }
    if (rules.rollout !== undefined) validateRollout(complaints, spec, rules.rollout.field, rules.rollout.types);
    const deadline = optionalNum(spec['progressDeadlineSeconds']);
    if (deadline !== undefined && deadline <= num(spec['minReadySeconds'])) {
      complaints.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
    }
    validateTemplate(complaints, spec, rules.plainSelector === true ? { matchLabels: spec['selector'] } : spec['selector'], rules.templateMetadataOnly === true);
  });
}

export function validateWorkloadUpdate(object: Rec, old: Rec, rules: WorkloadRules): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    const before = field(old, 'spec');
    if (!isRec(spec) || !isRec(before)) return;
    if (rules.mutable !== undefined) {
      const munged = clone(spec);
      for (const name of rules.mutable) {
        if (Object.hasOwn(before, name)) munged[name] = before[name];
        else delete munged[name];
      }
      if (!same(munged, before)) complaints.forbidden('spec', rules.mutableMessage ?? 'field is immutable');
    } else if (rules.plainSelector !== true) {
      complaints.immutable('spec.selector', spec['selector'], same(spec['selector'], before['selector']));
    }
  });
}
