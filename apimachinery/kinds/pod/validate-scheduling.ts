/** Validation of what steers scheduling: tolerations, affinity, spread constraints, gates. */
import { labelValue, qualifiedName } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { validateLabelSelector, validateNodeSelectorRequirement } from '../lib/label-validation.js';
import { absent, field, isRec, list, num, recs, same, str, unset, type Rec } from '../lib/value.js';

const EFFECTS = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function validateTolerations(complaints: Complaints, tolerations: unknown, path: string): void {
  for (const [index, toleration] of recs(tolerations).entries()) {
    const here = `${path}[${index}]`;
    const operator = str(toleration['operator']);
    const key = str(toleration['key']);
    if (key !== '') complaints.form(`${here}.key`, key, qualifiedName);
    else if (operator !== 'Exists') complaints.invalid(`${here}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"');
    if (!absent(toleration['tolerationSeconds']) && toleration['effect'] !== 'NoExecute') {
      complaints.invalid(`${here}.effect`, toleration['effect'] ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (operator === '' || operator === 'Equal') {
      for (const why of labelValue(str(toleration['value']))) complaints.invalid(`${here}.operator`, toleration['value'], why);
    } else if (operator === 'Exists') {
      if (!unset(toleration['value'])) complaints.invalid(`${here}.operator`, toleration, "value must be empty when `operator` is 'Exists'");
    } else {
      complaints.unsupported(`${here}.operator`, operator, ['Equal', 'Exists']);
    }
    complaints.oneOf(`${here}.effect`, toleration['effect'], EFFECTS);
  }
}

/** Each old toleration is still there; only its tolerationSeconds may differ. */
export function validateTolerationsAdded(complaints: Complaints, now: unknown, before: unknown, path: string): void {
  const plain = ({ tolerationSeconds: _, ...rest }: Rec): Rec => rest;
  const present = recs(now).map(plain);
  for (const old of recs(before)) {
    if (!present.some((toleration) => same(toleration, plain(old)))) {
      complaints.forbidden(path, 'existing toleration can not be modified except its tolerationSeconds');
      return;
    }
  }
}

const FIELD_OPERATORS = ['In', 'NotIn'];

export function validateNodeSelectorTerm(complaints: Complaints, term: unknown, path: string): void {
  for (const [index, requirement] of recs(field(term, 'matchExpressions')).entries()) {
    validateNodeSelectorRequirement(complaints, requirement, `${path}.matchExpressions[${index}]`);
  }
  for (const [index, requirement] of recs(field(term, 'matchFields')).entries()) {
    const here = `${path}.matchFields[${index}]`;
    if (!FIELD_OPERATORS.includes(str(requirement['operator']))) complaints.invalid(`${here}.operator`, requirement['operator'], 'not a valid selector operator');
    else if (list(requirement['values']).length !== 1) complaints.required(`${here}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    if (requirement['key'] !== 'metadata.name') complaints.invalid(`${here}.key`, requirement['key'], 'not a valid field selector key');
  }
}

export function validateNodeSelector(complaints: Complaints, selector: unknown, path: string): void {
  if (!isRec(selector)) return;
  const terms = recs(field(selector, 'nodeSelectorTerms'));
  if (terms.length === 0) complaints.required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term');
  for (const [index, term] of terms.entries()) validateNodeSelectorTerm(complaints, term, `${path}.nodeSelectorTerms[${index}]`);
}

function validateWeight(complaints: Complaints, weight: unknown, path: string): void {
  const value = num(weight);
  if (value < 1 || value > 100) complaints.invalid(`${path}.weight`, value, 'must be in the range 1-100');
}

function validatePodTerm(complaints: Complaints, term: unknown, path: string): void {
  validateLabelSelector(complaints, field(term, 'labelSelector'), `${path}.labelSelector`);
  validateLabelSelector(complaints, field(term, 'namespaceSelector'), `${path}.namespaceSelector`);
  const key = field(term, 'topologyKey');
  if (unset(key)) complaints.required(`${path}.topologyKey`, 'can not be empty');
  else complaints.form(`${path}.topologyKey`, key, qualifiedName);
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(complaints: Complaints, affinity: unknown, path: string): void {
  const node = field(affinity, 'nodeAffinity');
  validateNodeSelector(complaints, field(node, REQUIRED), `${path}.nodeAffinity.${REQUIRED}`);
  for (const [index, term] of recs(field(node, PREFERRED)).entries()) {
    const here = `${path}.nodeAffinity.${PREFERRED}[${index}]`;
    validateWeight(complaints, term['weight'], here);
    validateNodeSelectorTerm(complaints, term['preference'], `${here}.preference`);
  }
  for (const name of ['podAffinity', 'podAntiAffinity']) {
    const pods = field(affinity, name);
    for (const [index, term] of recs(field(pods, REQUIRED)).entries()) validatePodTerm(complaints, term, `${path}.${name}.${REQUIRED}[${index}]`);
    for (const [index, term] of recs(field(pods, PREFERRED)).entries()) {
      const here = `${path}.${name}.${PREFERRED}[${index}]`;
      validateWeight(complaints, term['weight'], here);
      validatePodTerm(complaints, term['podAffinityTerm'], `${here}.podAffinityTerm`);
    }
  }
}

export function validateSpreadConstraints(complaints: Complaints, constraints: unknown, path: string): void {
  const seen = new Set<string>();
  for (const [index, constraint] of recs(constraints).entries()) {
    const here = `${path}[${index}]`;
    if (num(constraint['maxSkew']) <= 0) complaints.invalid(`${here}.maxSkew`, num(constraint['maxSkew']), 'must be greater than zero');
    if (unset(constraint['topologyKey'])) complaints.required(`${here}.topologyKey`, 'can not be empty');
    else complaints.form(`${here}.topologyKey`, constraint['topologyKey'], qualifiedName);
    complaints.oneOf(`${here}.whenUnsatisfiable`, constraint['whenUnsatisfiable'], ['DoNotSchedule', 'ScheduleAnyway'], true);
    const pair = `{${str(constraint['topologyKey'])}, ${str(constraint['whenUnsatisfiable'])}}`;
    if (seen.has(pair)) complaints.duplicate(`${here}.{topologyKey, whenUnsatisfiable}`, pair);
    seen.add(pair);
    if (!absent(constraint['minDomains'])) {
      if (num(constraint['minDomains']) <= 0) complaints.invalid(`${here}.minDomains`, constraint['minDomains'], 'must be greater than zero');
      if (constraint['whenUnsatisfiable'] !== 'DoNotSchedule') {
        complaints.invalid(`${here}.minDomains`, constraint['minDomains'], 'can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway');
      }
    }
    complaints.oneOf(`${here}.nodeAffinityPolicy`, constraint['nodeAffinityPolicy'], ['Honor', 'Ignore']);
    complaints.oneOf(`${here}.nodeTaintsPolicy`, constraint['nodeTaintsPolicy'], ['Honor', 'Ignore']);
    validateLabelSelector(complaints, constraint['labelSelector'], `${here}.labelSelector`);
  }
}
