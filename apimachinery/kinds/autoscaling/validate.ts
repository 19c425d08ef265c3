/**
 * Validation of HorizontalPodAutoscalers (k8s.io/kubernetes/pkg/apis/autoscaling/validation). The order of complaints
 * is Kubernetes' own.
 */
import { dns1123Label, pathSegment } from '../../names.js';
import { parseQuantity } from '../../quantity.js';
import type { StrategyContext } from '../../kind.js';
import type { KubeObject } from '../../object.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, at, field, isRec, list, num, optionalNum, recs, str, type Rec } from '../lib/value.js';
import { validateContainerResourceName } from '../pod/validate-resources.js';
import { horizontalPodAutoscalerToV2 } from './conversion.js';

const WINDOW_SECONDS_MAX = 3600;
const PERIOD_SECONDS_MAX = 1800;
const POLICIES = ['Percent', 'Pods'];
const SELECTIONS = ['Disabled', 'Max', 'Min'];

/** `any`: of an object that had a broken apiVersion before. */
type ApiVersionRule = 'grouped' | 'core' | 'any';

function apiVersionComplaint(apiVersion: string, rule: ApiVersionRule): string | undefined {
  if (rule === 'any') return undefined;
  const parts = apiVersion.split('/');
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  const group = parts.length === 2 ? parts[0] : '';
  return rule === 'grouped' && group === '' ? 'apiVersion must specify API group' : undefined;
}

function validateReference(complaints: Complaints, reference: unknown, path: string, rule: ApiVersionRule): void {
  for (const name of ['kind', 'name']) complaints.requiredForm(`${path}.${name}`, field(reference, name), pathSegment);
  const apiVersion = str(field(reference, 'apiVersion'));
  const wrong = apiVersionComplaint(apiVersion, rule);
  if (wrong !== undefined) complaints.invalid(`${path}.apiVersion`, apiVersion, wrong);
}

function validateMetric(complaints: Complaints, metric: unknown, path: string): void {
  const name = str(field(metric, 'name'));
  if (name === '') complaints.required(`${path}.name`, 'must specify a metric name');
  else complaints.form(`${path}.name`, name, pathSegment);
}

function validateTarget(complaints: Complaints, target: unknown, path: string): void {
  const type = str(field(target, 'type'));
  if (type === '') complaints.required(`${path}.type`, 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(type))
    complaints.invalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue');
  for (const name of ['value', 'averageValue']) {
    const parsed = parseQuantity(field(target, name));
    if (parsed !== undefined && parsed.nano <= 0n)
      complaints.invalid(`${path}.${name}`, field(target, name), 'must be positive');
  }
  const utilization = optionalNum(field(target, 'averageUtilization'));
  if (utilization !== undefined && utilization < 1)
    complaints.invalid(`${path}.averageUtilization`, utilization, 'must be greater than 0');
}

function validateUtilization(complaints: Complaints, target: unknown, path: string): void {
  const has = (name: string): boolean => !absent(field(target, name));
  validateTarget(complaints, target, path);
  if (!has('averageUtilization') && !has('averageValue'))
    complaints.required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization');
  if (has('averageUtilization') && has('averageValue'))
    complaints.forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization');
}

interface Source {
  readonly source: Rec;
  readonly target: unknown;
  readonly path: string;
  readonly rule: ApiVersionRule;
}

const missesValue = (target: unknown): boolean =>
  absent(field(target, 'value')) && absent(field(target, 'averageValue'));

/** By the field of a metric that describes its source; in the order in which these are looked at. */
const SOURCES: Readonly<Record<string, (complaints: Complaints, source: Source) => void>> = {
  object: (complaints, { source, target, path, rule }) => {
    validateReference(complaints, source['describedObject'], `${path}.describedObject`, rule);
    validateMetric(complaints, source['metric'], `${path}.metric`);
    validateTarget(complaints, target, `${path}.target`);
    if (missesValue(target))
      complaints.required(`${path}.target.averageValue`, 'must set either a target value or averageValue');
  },
  external: (complaints, { source, target, path }) => {
    validateMetric(complaints, source['metric'], `${path}.metric`);
    validateTarget(complaints, target, `${path}.target`);
    if (missesValue(target))
      complaints.required(
        `${path}.target.averageValue`,
        'must set either a target value for metric or a per-pod target',
      );
    if (!absent(field(target, 'value')) && !absent(field(target, 'averageValue'))) {
      complaints.forbidden(`${path}.target.value`, 'may not set both a target value for metric and a per-pod target');
    }
  },
  pods: (complaints, { source, target, path }) => {
    validateMetric(complaints, source['metric'], `${path}.metric`);
    validateTarget(complaints, target, `${path}.target`);
    if (absent(field(target, 'averageValue')))
      complaints.required(`${path}.target.averageValue`, 'must specify a positive target averageValue');
  },
  resource: (complaints, { source, target, path }) => {
    if (str(source['name']) === '') complaints.required(`${path}.name`, 'must specify a resource name');
    validateUtilization(complaints, target, `${path}.target`);
  },
  containerResource: (complaints, { source, target, path }) => {
    const name = str(source['name']);
    if (name === '') complaints.required(`${path}.name`, 'must specify a resource name');
    else validateContainerResourceName(complaints, name, `${path}.name`);
    const container = str(source['container']);
    if (container === '') complaints.required(`${path}.container`, 'must specify a container');
    else complaints.form(`${path}.container`, container, dns1123Label);
    validateUtilization(complaints, target, `${path}.target`);
  },
};

const TYPES: Readonly<Record<string, string>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function validateMetricSpec(complaints: Complaints, metric: Rec, path: string, rule: ApiVersionRule): void {
  const type = str(metric['type']);
  const wanted = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (type === '') complaints.required(`${path}.type`, 'must specify a metric source type');
  if (wanted === undefined) complaints.unsupported(`${path}.type`, type, Object.keys(TYPES));
  const present = Object.keys(SOURCES).filter((name) => isRec(metric[name]));
  const [first] = present;
  const source = first === undefined ? undefined : metric[first];
  if (first !== undefined && isRec(source))
    SOURCES[first]?.(complaints, { source, target: source['target'], path: `${path}.${first}`, rule });
  // The type is looked at twice, and the answer lists the complaint once but the causes both.
  if (wanted === undefined) complaints.unsupported(`${path}.type`, type, Object.keys(TYPES));
  else if (!present.includes(wanted))
    complaints.required(`${path}.${wanted}`, 'must populate information for the given metric source');
  if (present.length === 1) return;
  for (const name of present)
    if (name !== wanted) complaints.forbidden(`${path}.${name}`, 'must populate the given metric source only');
}

function validateScalingPolicy(complaints: Complaints, policy: Rec, path: string): void {
  const [value, period] = [num(policy['value']), num(policy['periodSeconds'])];
  if (!POLICIES.includes(str(policy['type']))) complaints.unsupported(`${path}.type`, str(policy['type']), POLICIES);
  if (value <= 0) complaints.invalid(`${path}.value`, value, 'must be greater than zero');
  if (period <= 0) complaints.invalid(`${path}.periodSeconds`, period, 'must be greater than zero');
  if (period > PERIOD_SECONDS_MAX)
    complaints.invalid(`${path}.periodSeconds`, period, `must be less than or equal to ${PERIOD_SECONDS_MAX}`);
}

function validateScalingRules(complaints: Complaints, rules: unknown, path: string): void {
  if (!isRec(rules)) return;
  const window = optionalNum(rules['stabilizationWindowSeconds']);
  if (window !== undefined && window < 0)
    complaints.invalid(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero');
  if (window !== undefined && window > WINDOW_SECONDS_MAX)
    complaints.invalid(
      `${path}.stabilizationWindowSeconds`,
      window,
      `must be less than or equal to ${WINDOW_SECONDS_MAX}`,
    );
  complaints.enumerated(`${path}.selectPolicy`, rules['selectPolicy'], SELECTIONS);
  const policies = recs(rules['policies']);
  if (policies.length === 0) complaints.required(`${path}.policies`, 'must specify at least one Policy');
  for (const [index, policy] of policies.entries())
    validateScalingPolicy(complaints, policy, `${path}.policies[${index}]`);
  complaints.quantity(`${path}.tolerance`, rules['tolerance']);
}

interface Rules {
  readonly target: ApiVersionRule;
  readonly metrics: ApiVersionRule;
  readonly replicas_min: number;
}

/** What an update need not mend: an object may have been stored before a rule was there. */
function rulesOf(spec: unknown, before: unknown): Rules {
  const [target, old] = [field(spec, 'scaleTargetRef'), field(before, 'scaleTargetRef')];
  const isSameTarget =
    before !== undefined && ['apiVersion', 'kind'].every((name) => str(field(target, name)) === str(field(old, name)));
  const wasBroken = recs(field(before, 'metrics')).some(
    (metric) =>
      metric['type'] === 'Object' &&
      isRec(metric['object']) &&
      apiVersionComplaint(str(at(metric, 'object', 'describedObject', 'apiVersion')), 'core') !== undefined,
  );
  return {
    target: isSameTarget ? 'any' : field(target, 'kind') === 'ReplicationController' ? 'core' : 'grouped',
    metrics: wasBroken ? 'any' : 'core',
    replicas_min: field(before, 'minReplicas') === 0 ? 0 : 1,
  };
}

/** The rules are those of v2, also for what comes as v1. */
const specOf = (object: KubeObject): unknown =>
  field(object.apiVersion === 'autoscaling/v1' ? horizontalPodAutoscalerToV2(object) : object, 'spec');

export function validateAutoscaler(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    if (context?.subresource === 'status') {
      for (const name of ['currentReplicas', 'desiredReplicas'])
        complaints.atLeast(`status.${name}`, at(object, 'status', name));
      return;
    }
    const spec = specOf(object);
    const rules = rulesOf(spec, context?.old === undefined ? undefined : specOf(context.old));
    const min = optionalNum(field(spec, 'minReplicas'));
    const max = num(field(spec, 'maxReplicas'));
    complaints.atLeast('spec.minReplicas', min, rules.replicas_min);
    if (max === 0) complaints.required('spec.maxReplicas', 'must be set and greater than 0');
    if (max < 0) complaints.invalid('spec.maxReplicas', max, 'must be greater than or equal to 1');
    if (min !== undefined && max < min)
      complaints.invalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`');
    validateReference(complaints, field(spec, 'scaleTargetRef'), 'spec.scaleTargetRef', rules.target);
    for (const [index, metric] of recs(field(spec, 'metrics')).entries())
      validateMetricSpec(complaints, metric, `spec.metrics[${index}]`, rules.metrics);
    if (
      min === 0 &&
      !list(field(spec, 'metrics')).some((metric) => ['Object', 'External'].includes(str(field(metric, 'type'))))
    ) {
      complaints.forbidden(
        'spec.metrics',
        'must specify at least one Object or External metric to support scaling to zero replicas',
      );
    }
    for (const name of ['scaleUp', 'scaleDown'])
      validateScalingRules(complaints, at(spec, 'behavior', name), `spec.behavior.${name}`);
  });
}
