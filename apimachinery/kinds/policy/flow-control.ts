/**
 * FlowSchemas and PriorityLevelConfigurations: defaults, and validation in Kubernetes' own order
 * (k8s.io/kubernetes/pkg/apis/flowcontrol/validation).
 */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import {
  at,
  child,
  field,
  fill,
  fillZero,
  isRec,
  num,
  optionalNum,
  recs,
  same,
  str,
  strs,
  type Rec,
} from '../lib/value.js';

const PRECEDENCE_DEFAULT = 1000;
const PRECEDENCE_MAX = 10_000;
const QUEUES_MAX = 10_000_000;
const HASH_BITS_MAX = 60;
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const KINDS = ['Group', 'ServiceAccount', 'User'];
/** Objects that the server needs as they are. */
const MANDATORY = ['catch-all', 'exempt'];

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function validateSubject(complaints: Complaints, subject: Rec, path: string): void {
  const kind = str(subject['kind']);
  if (!KINDS.includes(kind)) return complaints.unsupported(`${path}.kind`, kind, KINDS);
  const wanted = kind.charAt(0).toLowerCase() + kind.slice(1);
  const body = subject[wanted];
  if (!isRec(body)) complaints.required(`${path}.${wanted}`, `${wanted} is required when subject kind is '${kind}'`);
  else if (str(body['name']) === '') complaints.required(`${path}.${wanted}.name`);
  if (isRec(body) && kind === 'ServiceAccount') {
    if (body['name'] !== '*')
      complaints.form(`${path}.${wanted}.name`, body['name'], (name) => (name === '' ? [] : dns1123Subdomain(name)));
    if (str(body['namespace']) === '')
      complaints.required(`${path}.${wanted}.namespace`, 'must specify namespace for service account');
    else complaints.form(`${path}.${wanted}.namespace`, body['namespace'], dns1123Label);
  }
  for (const other of kind === 'User'
    ? ['serviceAccount', 'group']
    : kind === 'Group'
      ? ['serviceAccount', 'user']
      : ['user', 'group']) {
    if (isRec(subject[other]))
      complaints.forbidden(`${path}.${other}`, `${other} is forbidden when subject kind is not '${capital(other)}'`);
  }
}

function validateVerbs(complaints: Complaints, verbs: readonly string[], path: string): void {
  if (verbs.length === 0) complaints.required(path, 'verbs must contain at least one value');
  else if (verbs.includes('*')) {
    if (verbs.length > 1) complaints.invalid(path, verbs, "if '*' is present, must not specify other verbs");
  } else if (!verbs.every((verb) => VERBS.includes(verb))) complaints.unsupported(path, verbs, VERBS);
}

function urlComplaint(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const wildcards = url.split('*').length - 1;
  return wildcards > 1 || (wildcards === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

function validateUrls(complaints: Complaints, urls: readonly string[], path: string): void {
  if (urls.length === 0) return complaints.required(path, 'nonResourceURLs must contain at least one value');
  if (urls.includes('*')) {
    if (urls.length > 1) complaints.invalid(path, urls, "if '*' is present, must not specify other non-resource URLs");
    return;
  }
  for (const [index, url] of urls.entries()) {
    const why = urlComplaint(url);
    if (why !== undefined) complaints.invalid(`${path}[${index}]`, url, why);
  }
}

function validateResourceRule(complaints: Complaints, rule: Rec, path: string): void {
  validateVerbs(complaints, strs(rule['verbs']), `${path}.verbs`);
  for (const [name, noun] of [
    ['apiGroups', 'api group'],
    ['resources', 'resource'],
  ] as const) {
    const values = strs(rule[name]);
    if (values.length === 0) complaints.required(`${path}.${name}`, `resource rules must supply at least one ${noun}`);
    else if (values.length > 1 && values.includes('*'))
      complaints.invalid(`${path}.${name}`, values, `if '*' is present, must not specify other ${noun}s`);
  }
  const namespaces = strs(rule['namespaces']);
  if (namespaces.length === 0 && rule['clusterScope'] !== true) {
    complaints.required(
      `${path}.namespaces`,
      'resource rules that are not cluster scoped must supply at least one namespace',
    );
  } else if (namespaces.includes('*')) {
    if (namespaces.length > 1)
      complaints.invalid(`${path}.namespaces`, namespaces, "if '*' is present, must not specify other namespaces");
  } else {
    for (const [index, name] of namespaces.entries()) {
      for (const why of dns1123Label(name))
        complaints.invalid(
          `${path}.namespaces[${index}]`,
          name,
          `each member of this list must be '*' or a DNS-1123 label; ${why}`,
        );
    }
  }
}

function validateRules(complaints: Complaints, rule: Rec, path: string): void {
  const [subjects, resources, others] = [
    recs(rule['subjects']),
    recs(rule['resourceRules']),
    recs(rule['nonResourceRules']),
  ];
  if (subjects.length === 0) complaints.required(`${path}.subjects`, 'subjects must contain at least one value');
  for (const [index, subject] of subjects.entries()) validateSubject(complaints, subject, `${path}.subjects[${index}]`);
  if (resources.length + others.length === 0)
    complaints.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty');
  for (const [index, resource] of resources.entries())
    validateResourceRule(complaints, resource, `${path}.resourceRules[${index}]`);
  for (const [index, other] of others.entries()) {
    const here = `${path}.nonResourceRules[${index}]`;
    validateVerbs(complaints, strs(other['verbs']), `${here}.verbs`);
    validateUrls(complaints, strs(other['nonResourceURLs']), `${here}.nonResourceURLs`);
  }
}

function validateConditions(complaints: Complaints, object: Rec): void {
  const seen = new Set<string>();
  for (const [index, condition] of recs(at(object, 'status', 'conditions')).entries()) {
    const [type, path] = [str(condition['type']), `status.conditions[${index}].type`];
    if (seen.has(type)) complaints.duplicate(path, type);
    seen.add(type);
    if (type === '') complaints.required(path);
  }
}

const nameOf = (object: Rec): string => str(at(object, 'metadata', 'name'));

function validateFlowSchema(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    if (context?.subresource === 'status') return validateConditions(complaints, object);
    const spec = field(object, 'spec');
    const [precedence, path] = [num(field(spec, 'matchingPrecedence')), 'spec.matchingPrecedence'];
    if (precedence <= 0) complaints.invalid(path, precedence, 'must be a positive value');
    if (precedence > PRECEDENCE_MAX) complaints.invalid(path, precedence, `must not be greater than ${PRECEDENCE_MAX}`);
    if (precedence === 1 && nameOf(object) !== 'exempt')
      complaints.invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    const method = field(spec, 'distinguisherMethod');
    const type = str(field(method, 'type'));
    // The whole method is shown, as Go's internal type is printed.
    if (isRec(method) && !['ByNamespace', 'ByUser'].includes(type))
      complaints.unsupported('spec.distinguisherMethod.type', { Type: type }, ['ByNamespace', 'ByUser']);
    const level = str(at(spec, 'priorityLevelConfiguration', 'name'));
    if (level === '') complaints.required('spec.priorityLevelConfiguration.name', 'must reference a priority level');
    else complaints.form('spec.priorityLevelConfiguration.name', level, dns1123Subdomain);
    for (const [index, rule] of recs(field(spec, 'rules')).entries())
      validateRules(complaints, rule, `spec.rules[${index}]`);
    const old = context?.old as Rec | undefined;
    if (old !== undefined && MANDATORY.includes(nameOf(object)) && !same(spec, old['spec'])) {
      complaints.invalid('spec', spec, `spec of '${nameOf(object)}' must equal the fixed value`);
    }
  });
}

function validateShares(complaints: Complaints, level: Rec, path: string): void {
  const shares = num(level['nominalConcurrencyShares']);
  if (shares < 0) complaints.invalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer');
}

function validateLendable(complaints: Complaints, level: Rec, path: string): void {
  const percent = optionalNum(level['lendablePercent']);
  if (percent !== undefined && (percent < 0 || percent > 100))
    complaints.invalid(`${path}.lendablePercent`, percent, 'must be between 0 and 100, inclusive');
}

function validateQueuing(complaints: Complaints, queuing: Rec, path: string): void {
  const [length, queues, hand] = ['queueLengthLimit', 'queues', 'handSize'].map((name) => num(queuing[name])) as [
    number,
    number,
    number,
  ];
  if (length <= 0) complaints.invalid(`${path}.queueLengthLimit`, length, 'must be positive');
  if (queues <= 0) complaints.invalid(`${path}.queues`, queues, 'must be positive');
  if (queues > QUEUES_MAX) complaints.invalid(`${path}.queues`, queues, `must not be greater than ${QUEUES_MAX}`);
  if (hand <= 0) complaints.invalid(`${path}.handSize`, hand, 'must be positive');
  else if (hand > queues) complaints.invalid(`${path}.handSize`, hand, `should not be greater than queues (${queues})`);
  else if (Math.ceil(Math.log2(queues) * hand) > HASH_BITS_MAX) {
    complaints.invalid(
      `${path}.handSize`,
      hand,
      `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than ${HASH_BITS_MAX}`,
    );
  }
}

function validateResponse(complaints: Complaints, response: unknown, path: string): void {
  const [type, queuing] = [str(field(response, 'type')), field(response, 'queuing')];
  if (type === 'Reject') {
    if (isRec(queuing))
      complaints.forbidden(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited');
  } else if (type === 'Queue') {
    if (isRec(queuing)) validateQueuing(complaints, queuing, `${path}.queuing`);
    else complaints.required(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited');
  } else {
    complaints.unsupported(`${path}.type`, type, ['Queue', 'Reject']);
  }
}

function validateLimited(complaints: Complaints, limited: Rec): void {
  validateShares(complaints, limited, 'spec.limited');
  validateResponse(complaints, limited['limitResponse'], 'spec.limited.limitResponse');
  validateLendable(complaints, limited, 'spec.limited');
  const borrowing = optionalNum(limited['borrowingLimitPercent']);
  if (borrowing !== undefined && borrowing < 0)
    complaints.invalid('spec.limited.borrowingLimitPercent', borrowing, 'if specified, must be a non-negative integer');
}

function validateLevel(complaints: Complaints, name: string, spec: unknown): void {
  const [type, limited, exempt] = [str(field(spec, 'type')), field(spec, 'limited'), field(spec, 'exempt')];
  if ((name === 'exempt') !== (type === 'Exempt'))
    complaints.invalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'");
  if (type === 'Exempt') {
    if (isRec(limited)) complaints.forbidden('spec.limited', 'must be nil if the type is not Limited');
    if (!isRec(exempt)) return;
    validateShares(complaints, exempt, 'spec.exempt');
    validateLendable(complaints, exempt, 'spec.exempt');
  } else if (type === 'Limited') {
    if (isRec(exempt)) complaints.forbidden('spec.exempt', 'must be nil if the type is Limited');
    if (isRec(limited)) validateLimited(complaints, limited);
    else complaints.required('spec.limited', 'must not be empty when type is Limited');
  } else {
    complaints.unsupported('spec.type', type, ['Exempt', 'Limited']);
  }
}

function validatePriorityLevel(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    if (context?.subresource === 'status') return validateConditions(complaints, object);
    const [name, spec, before] = [nameOf(object), field(object, 'spec'), field(context?.old, 'spec')];
    validateLevel(complaints, name, spec);
    if (before === undefined || !MANDATORY.includes(name)) return;
    if (name !== 'exempt' && !same(spec, before))
      complaints.invalid('spec', spec, `spec of '${name}' must equal the fixed value`);
    const apart = (value: unknown): unknown => ({ ...(isRec(value) ? value : {}), exempt: null });
    if (name === 'exempt' && !same(apart(spec), apart(before)))
      complaints.invalid('spec', spec, `spec of '${name}' except the 'spec.exempt' field must equal the fixed value`);
  });
}

function defaultFlowSchema(object: Rec): void {
  const spec = child(object, 'spec');
  if (spec !== undefined) fillZero(spec, 'matchingPrecedence', PRECEDENCE_DEFAULT);
}

function defaultPriorityLevel(object: Rec): void {
  const [limited, exempt] = [at(object, 'spec', 'limited'), at(object, 'spec', 'exempt')];
  for (const [level, shares] of [
    [limited, 30],
    [exempt, 0],
  ] as const) {
    if (!isRec(level)) continue;
    fill(level, 'nominalConcurrencyShares', shares);
    fill(level, 'lendablePercent', 0);
  }
  const queuing = at(limited, 'limitResponse', 'queuing');
  if (!isRec(queuing)) return;
  for (const [name, value] of [
    ['handSize', 8],
    ['queues', 64],
    ['queueLengthLimit', 50],
  ] as const)
    fillZero(queuing, name, value);
}

const COMMON = { status: true, statusKeeps: ALL_METADATA, generation: true, validatesAll: true } as const;

export const flowSchema = strategyOf({ ...COMMON, defaults: defaultFlowSchema, validate: validateFlowSchema });
export const priorityLevel = strategyOf({ ...COMMON, defaults: defaultPriorityLevel, validate: validatePriorityLevel });
