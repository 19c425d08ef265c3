/** Validation of what steers scheduling: tolerations, affinity, spread constraints, gates. */
import { dns1123Label, labelValue, qualifiedName } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { validateNodeSelector, validateNodeSelectorTerm } from '../lib/node-selector-validation.js';
import { absent, field, isRec, keysOf, num, recs, str, strs, unset, type Rec } from '../lib/value.js';

const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTolerationValue(complaints: Complaints, operator: string, value: string, path: string): void {
  if (operator === '' || operator === 'Equal') {
    const why = labelValue(value);
    if (why.length > 0) complaints.invalid(path, value, why.join(';'));
  } else if (operator === 'Exists') {
    if (value !== '') complaints.invalid(path, value, "value must be empty when `operator` is 'Exists'");
  } else if (operator === 'Lt' || operator === 'Gt') {
    complaints.unsupported(path, operator, ['Equal', 'Exists', 'Lt', 'Gt']);
  } else {
    complaints.unsupported(path, operator, ['Equal', 'Exists']);
  }
}

export function validateTolerations(complaints: Complaints, tolerations: unknown, path: string): void {
  for (const [index, toleration] of recs(tolerations).entries()) {
    const here = `${path}[${index}]`;
    const operator = str(toleration['operator']);
    const key = str(toleration['key']);
    if (key !== '') complaints.form(`${here}.key`, key, qualifiedName);
    else if (operator !== 'Exists')
      complaints.invalid(
        `${here}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    if (!absent(toleration['tolerationSeconds']) && toleration['effect'] !== 'NoExecute') {
      complaints.invalid(
        `${here}.effect`,
        toleration['effect'] ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      );
    }
    validateTolerationValue(complaints, operator, str(toleration['value']), `${here}.operator`);
    complaints.oneOf(`${here}.effect`, toleration['effect'], TAINT_EFFECTS);
  }
}

/** Each old toleration is still there; only its tolerationSeconds may differ. */
export function validateTolerationsAdded(complaints: Complaints, now: unknown, before: unknown, path: string): void {
  const textOf = (toleration: Rec): string =>
    JSON.stringify(['key', 'operator', 'value', 'effect'].map((name) => str(toleration[name])));
  const present = new Set(recs(now).map(textOf));
  for (const old of recs(before)) {
    if (!present.has(textOf(old))) {
      complaints.forbidden(path, 'existing toleration can not be modified except its tolerationSeconds');
      return;
    }
  }
}

function validateWeight(complaints: Complaints, weight: unknown, path: string): void {
  const value = num(weight);
  if (value < 1 || value > 100) complaints.invalid(`${path}.weight`, value, 'must be in the range 1-100');
}

/** KEP-3633: keys whose values come from the pod itself. */
function validateLabelKeys(complaints: Complaints, term: Rec, path: string): void {
  const selector = term['labelSelector'];
  const match = strs(term['matchLabelKeys']);
  const mismatch = strs(term['mismatchLabelKeys']);
  for (const [name, keys] of [
    ['matchLabelKeys', match],
    ['mismatchLabelKeys', mismatch],
  ] as const) {
    if (keys.length === 0) continue;
    if (!isRec(selector))
      complaints.forbidden(`${path}.${name}`, 'must not be specified when labelSelector is not set');
    else for (const [index, key] of keys.entries()) complaints.form(`${path}.${name}[${index}]`, key, qualifiedName);
  }
  const seen = new Set(keysOf(field(selector, 'matchLabels')));
  const lastAt = new Map(match.map((key, index) => [key, index]));
  const mismatched = new Set(mismatch);
  for (const expression of recs(field(selector, 'matchExpressions'))) {
    const key = str(expression['key']);
    const at = lastAt.get(key);
    if (at !== undefined && seen.has(key))
      complaints.invalid(`${path}[${at}]`, key, 'exists in both matchLabelKeys and labelSelector');
    seen.add(key);
  }
  for (const [index, key] of match.entries()) {
    if (mismatched.has(key))
      complaints.invalid(
        `${path}.matchLabelKeys[${index}]`,
        key,
        'exists in both matchLabelKeys and mismatchLabelKeys',
      );
  }
}

function validatePodTerm(complaints: Complaints, term: unknown, path: string): void {
  validateLabelSelector(complaints, field(term, 'labelSelector'), `${path}.labelSelector`);
  validateLabelSelector(complaints, field(term, 'namespaceSelector'), `${path}.namespaceSelector`);
  for (const namespace of strs(field(term, 'namespaces')))
    complaints.form(`${path}.namespace`, namespace, dns1123Label);
  if (isRec(term)) validateLabelKeys(complaints, term, path);
  const key = field(term, 'topologyKey');
  if (unset(key)) complaints.required(`${path}.topologyKey`, 'can not be empty');
  complaints.form(`${path}.topologyKey`, str(key), qualifiedName);
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(complaints: Complaints, affinity: unknown, path: string): void {
  const node = field(affinity, 'nodeAffinity');
  validateNodeSelector(complaints, field(node, REQUIRED), `${path}.nodeAffinity.${REQUIRED}`);
  for (const [index, term] of recs(field(node, PREFERRED)).entries()) {
    const here = `${path}.nodeAffinity.${PREFERRED}[${index}]`;
    validateWeight(complaints, term['weight'], here);
    validateNodeSelectorTerm(complaints, term['preference'], `${here}.preference`, { values: 'any' });
  }
  for (const name of ['podAffinity', 'podAntiAffinity']) {
    const pods = field(affinity, name);
    for (const [index, term] of recs(field(pods, REQUIRED)).entries())
      validatePodTerm(complaints, term, `${path}.${name}.${REQUIRED}[${index}]`);
    for (const [index, term] of recs(field(pods, PREFERRED)).entries()) {
      const here = `${path}.${name}.${PREFERRED}[${index}]`;
      validateWeight(complaints, term['weight'], here);
      validatePodTerm(complaints, term['podAffinityTerm'], `${here}.podAffinityTerm`);
    }
  }
}

const WHEN_UNSATISFIABLE = ['DoNotSchedule', 'ScheduleAnyway'];

export function validateSpreadConstraints(complaints: Complaints, constraints: unknown, path: string): void {
  const all = recs(constraints);
  const pairOf = (constraint: Rec): string =>
    `{${str(constraint['topologyKey'])}, ${str(constraint['whenUnsatisfiable'])}}`;
  for (const [index, constraint] of all.entries()) {
    const here = `${path}[${index}]`;
    const when = str(constraint['whenUnsatisfiable']);
    if (num(constraint['maxSkew']) <= 0)
      complaints.invalid(`${here}.maxSkew`, num(constraint['maxSkew']), 'must be greater than zero');
    if (unset(constraint['topologyKey'])) complaints.required(`${here}.topologyKey`, 'can not be empty');
    if (!WHEN_UNSATISFIABLE.includes(when))
      complaints.unsupported(`${here}.whenUnsatisfiable`, when, WHEN_UNSATISFIABLE);
    const pair = pairOf(constraint);
    if (all.slice(index + 1).some((other) => pairOf(other) === pair))
      complaints.duplicate(`${here}.{topologyKey, whenUnsatisfiable}`, pair);
    if (!absent(constraint['minDomains'])) {
      if (num(constraint['minDomains']) <= 0)
        complaints.invalid(`${here}.minDomains`, constraint['minDomains'], 'must be greater than zero');
      if (when !== 'DoNotSchedule')
        complaints.invalid(
          `${here}.minDomains`,
          constraint['minDomains'],
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${when}`,
        );
    }
    for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'])
      complaints.enumerated(`${here}.${name}`, constraint[name], ['Honor', 'Ignore']);
    validateLabelKeys(complaints, { ...constraint, mismatchLabelKeys: [] }, here);
    validateLabelSelector(complaints, constraint['labelSelector'], `${here}.labelSelector`);
  }
}

export function validateGates(complaints: Complaints, spec: unknown, path: string): void {
  for (const [index, gate] of recs(field(spec, 'readinessGates')).entries()) {
    complaints.form(`${path}.readinessGates[${index}].conditionType`, str(gate['conditionType']), qualifiedName);
  }
  const seen = new Set<string>();
  for (const [index, gate] of recs(field(spec, 'schedulingGates')).entries()) {
    const name = str(gate['name']);
    complaints.form(`${path}.schedulingGates[${index}]`, name, qualifiedName);
    if (seen.has(name)) complaints.duplicate(`${path}.schedulingGates[${index}]`, name);
    seen.add(name);
  }
}
