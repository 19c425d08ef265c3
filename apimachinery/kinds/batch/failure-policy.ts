/** Validation of `podFailurePolicy` (KEP-3329). */
import { qualifiedName } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, list, recs, str, type Rec } from '../lib/value.js';

const RULES_MAX = 20;
const PATTERNS_MAX = 20;
const EXIT_CODES_MAX = 255;
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const STATUSES = ['False', 'True', 'Unknown'];
const OPERATORS = ['In', 'NotIn'];

/** Kubernetes lists the values of a missing one as Go prints a list. */
const goList = (values: readonly string[]): string =>
  `valid values: [${values.map((value) => `"${value}"`).join(' ')}]`;

function oneOf(complaints: Complaints, value: unknown, path: string, values: readonly string[]): void {
  if (str(value) === '') complaints.required(path, goList(values));
  else if (!values.includes(str(value))) complaints.unsupported(path, value, values);
}

function validateExitCodes(complaints: Complaints, codes: Rec, path: string, containers: ReadonlySet<string>): void {
  oneOf(complaints, codes['operator'], `${path}.operator`, OPERATORS);
  const name = codes['containerName'];
  if (!absent(name) && !containers.has(str(name)))
    complaints.invalid(
      `${path}.containerName`,
      name,
      'must be one of the container or initContainer names in the pod template',
    );
  const values = list(codes['values']);
  if (values.length === 0)
    complaints.invalid(`${path}.values`, codes['values'] ?? null, 'at least one value is required');
  else if (values.length > EXIT_CODES_MAX) complaints.tooMany(`${path}.values`, values.length, EXIT_CODES_MAX);
  const seen = new Set<unknown>();
  for (const [index, value] of values.entries()) {
    if (codes['operator'] === 'In' && value === 0)
      complaints.invalid(`${path}.values[${index}]`, value, 'must not be 0 for the In operator');
    if (seen.has(value)) complaints.duplicate(`${path}.values[${index}]`, value);
    seen.add(value);
  }
  if (values.some((value, index) => index > 0 && Number(values[index - 1]) > Number(value)))
    complaints.invalid(`${path}.values`, values, 'must be ordered');
}

function validateConditions(complaints: Complaints, patterns: readonly Rec[], path: string): void {
  if (patterns.length > PATTERNS_MAX) complaints.tooMany(path, patterns.length, PATTERNS_MAX);
  for (const [index, pattern] of patterns.entries()) {
    complaints.form(`${path}[${index}].type`, str(pattern['type']), qualifiedName);
    oneOf(complaints, pattern['status'], `${path}[${index}].status`, STATUSES);
  }
}

export function validateFailurePolicy(complaints: Complaints, spec: Rec, path: string): void {
  const rules = recs(field(spec['podFailurePolicy'], 'rules'));
  const podSpec = field(spec['template'], 'spec');
  const containers = new Set(
    ['containers', 'initContainers'].flatMap((name) =>
      recs(field(podSpec, name)).map((container) => str(container['name'])),
    ),
  );
  if (rules.length > RULES_MAX) complaints.tooMany(`${path}.rules`, rules.length, RULES_MAX);
  for (const [index, rule] of rules.entries()) {
    const here = `${path}.rules[${index}]`;
    if (rule['action'] !== 'FailIndex') oneOf(complaints, rule['action'], `${here}.action`, ACTIONS);
    else if (absent(spec['backoffLimitPerIndex']))
      complaints.invalid(`${here}.action`, 'FailIndex', 'requires the backoffLimitPerIndex to be set');
    const codes = rule['onExitCodes'];
    const conditions = recs(rule['onPodConditions']);
    if (isRec(codes)) validateExitCodes(complaints, codes, `${here}.onExitCodes`, containers);
    validateConditions(complaints, conditions, `${here}.onPodConditions`);
    if (isRec(codes) && conditions.length > 0)
      complaints.wrong(here, 'specifying both OnExitCodes and OnPodConditions is not supported');
    if (!isRec(codes) && conditions.length === 0)
      complaints.wrong(here, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}
