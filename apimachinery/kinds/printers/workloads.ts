/** Tables of apps and batch, and of the ReplicationController. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { conditionTrue } from '../lib/conditions.js';
import { humanDuration, timeOf, translateTimestampSince } from '../lib/duration.js';
import { formatLabels, formatLabelSelector } from '../lib/selectors.js';
import { absent, at, list, num, optionalNum, recs, str, scalarText } from '../lib/value.js';
import { AGE, NAME, boolean, integer, orNone, orUnset, printerOf, text, wide, type Column } from './columns.js';

const TEMPLATE = ['spec', 'template', 'spec'] as const;
const JOB_TEMPLATE = ['spec', 'jobTemplate', 'spec', 'template', 'spec'] as const;

function join(object: KubeObject, podSpec: readonly string[], name: string): string {
  return recs(at(object, ...podSpec, 'containers'))
    .map((container) => str(container[name]))
    .join(',');
}

function containerColumns(podSpec: readonly string[]): readonly Column[] {
  return [
    wide(text('Containers', (object) => join(object, podSpec, 'name'))),
    wide(text('Images', (object) => join(object, podSpec, 'image'))),
  ];
}

const spec = (object: KubeObject, name: string): number => num(at(object, 'spec', name));
const status = (object: KubeObject, name: string): number => num(at(object, 'status', name));
const selector = wide(text('Selector', (object) => formatLabelSelector(at(object, 'spec', 'selector'))));
const readyOfSpec = text('Ready', (object) => `${status(object, 'readyReplicas')}/${spec(object, 'replicas')}`);

export const deploymentPrinter: Printer = printerOf(
  NAME,
  readyOfSpec,
  text('Up-to-date', (object) => status(object, 'updatedReplicas')),
  text('Available', (object) => status(object, 'availableReplicas')),
  AGE,
  ...containerColumns(TEMPLATE),
  selector,
);

const replicaColumns: readonly Column[] = [
  NAME,
  integer('Desired', (object) => spec(object, 'replicas')),
  integer('Current', (object) => status(object, 'replicas')),
  integer('Ready', (object) => status(object, 'readyReplicas')),
  AGE,
  ...containerColumns(TEMPLATE),
];

export const replicaSetPrinter: Printer = printerOf(...replicaColumns, selector);
export const replicationControllerPrinter: Printer = printerOf(
  ...replicaColumns,
  wide(text('Selector', (object) => formatLabels(at(object, 'spec', 'selector')))),
);

export const statefulSetPrinter: Printer = printerOf(NAME, readyOfSpec, AGE, ...containerColumns(TEMPLATE));

export const daemonSetPrinter: Printer = printerOf(
  NAME,
  integer('Desired', (object) => status(object, 'desiredNumberScheduled')),
  integer('Current', (object) => status(object, 'currentNumberScheduled')),
  integer('Ready', (object) => status(object, 'numberReady')),
  integer('Up-to-date', (object) => status(object, 'updatedNumberScheduled')),
  integer('Available', (object) => status(object, 'numberAvailable')),
  text('Node Selector', (object) => formatLabels(at(object, ...TEMPLATE, 'nodeSelector'))),
  AGE,
  ...containerColumns(TEMPLATE),
  selector,
);

function jobStatus(job: KubeObject): string {
  if (conditionTrue(job, 'Complete')) return 'Complete';
  if (conditionTrue(job, 'Failed')) return 'Failed';
  if (!absent(at(job, 'metadata', 'deletionTimestamp'))) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (conditionTrue(job, type)) return type;
  return 'Running';
}

function completions(job: KubeObject): string {
  const wanted = optionalNum(at(job, 'spec', 'completions'));
  const succeeded = status(job, 'succeeded');
  if (wanted !== undefined) return `${succeeded}/${wanted}`;
  const parallelism = spec(job, 'parallelism');
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: KubeObject, now_ms: number): string {
  const start_ms = timeOf(at(job, 'status', 'startTime'));
  if (start_ms === undefined) return '';
  return humanDuration((timeOf(at(job, 'status', 'completionTime')) ?? now_ms) - start_ms);
}

export const jobPrinter: Printer = printerOf(
  NAME,
  text('Status', jobStatus),
  text('Completions', completions),
  text('Duration', jobDuration),
  AGE,
  ...containerColumns(TEMPLATE),
  selector,
);

function suspended(object: KubeObject): string {
  const value = at(object, 'spec', 'suspend');
  return value === true ? 'True' : value === false ? 'False' : '<unset>';
}

export const cronJobPrinter: Printer = printerOf(
  NAME,
  text('Schedule', (object) => str(at(object, 'spec', 'schedule'))),
  text('Timezone', (object) => orNone(at(object, 'spec', 'timeZone'))),
  boolean('Suspend', suspended),
  integer('Active', (object) => list(at(object, 'status', 'active')).length),
  text('Last Schedule', (object, now_ms) => {
    const last = at(object, 'status', 'lastScheduleTime');
    return absent(last) ? '<none>' : translateTimestampSince(last, now_ms);
  }),
  AGE,
  ...containerColumns(JOB_TEMPLATE),
  wide(text('Selector', (object) => formatLabelSelector(at(object, 'spec', 'jobTemplate', 'spec', 'selector')))),
);

function controllerOf(object: KubeObject): string {
  const owner = recs(at(object, 'metadata', 'ownerReferences')).find((reference) => reference['controller'] === true);
  if (owner === undefined) return '<none>';
  const apiVersion = str(owner['apiVersion']);
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0] ?? ''}` : '';
  return `${str(owner['kind']).toLowerCase()}${group}/${str(owner['name'])}`;
}

export const controllerRevisionPrinter: Printer = printerOf(
  NAME,
  text('Controller', controllerOf),
  text('Revision', (object) => at(object, 'revision') ?? 0),
  AGE,
);

export const podTemplatePrinter: Printer = printerOf(
  NAME,
  text('Containers', (object) => join(object, ['template', 'spec'], 'name')),
  text('Images', (object) => join(object, ['template', 'spec'], 'image')),
  text('Pod Labels', (object) => formatLabels(at(object, 'template', 'metadata', 'labels'))),
);

const METRIC_COLUMNS_MAX = 2;

function percent(value: unknown, whenAbsent: string): string {
  const known = optionalNum(value);
  return known === undefined ? whenAbsent : `${known}%`;
}

/** One metric of a HorizontalPodAutoscaler as `current/target`. */
function metricText(metric: unknown, current: unknown): string {
  const type = str(at(metric, 'type'));
  const source = type === '' ? '' : `${type.charAt(0).toLowerCase()}${type.slice(1)}`;
  const target = at(metric, source, 'target');
  const now = at(current, source, 'current');
  const average = at(target, 'averageValue');
  const known = (name: string): string => (absent(at(now, name)) ? '<unknown>' : scalarText(at(now, name)));
  switch (type) {
    case 'Pods':
      return `${known('averageValue')}/${orUnset(average)}`;
    case 'External':
    case 'Object':
      return absent(average)
        ? `${known('value')}/${orUnset(at(target, 'value'))}`
        : `${known('averageValue')}/${orUnset(average)} (avg)`;
    case 'Resource':
    case 'ContainerResource': {
      const name = str(at(metric, source, 'name'));
      if (!absent(average)) return `${name}: ${known('averageValue')}/${orUnset(average)}`;
      return `${name}: ${percent(at(now, 'averageUtilization'), '<unknown>')}/${percent(at(target, 'averageUtilization'), '<auto>')}`;
    }
    default:
      return '<unknown type>';
  }
}

function metricsText(object: KubeObject): string {
  const metrics = recs(at(object, 'spec', 'metrics'));
  if (metrics.length === 0) return '<none>';
  const currents = recs(at(object, 'status', 'currentMetrics'));
  const shown = metrics
    .slice(0, METRIC_COLUMNS_MAX)
    .map((metric, i) => metricText(metric, currents[i]))
    .join(', ');
  return metrics.length > METRIC_COLUMNS_MAX ? `${shown} + ${metrics.length - METRIC_COLUMNS_MAX} more...` : shown;
}

/** For the v2 shape; objects of v1 are converted before they are shown. */
export const horizontalPodAutoscalerPrinter: Printer = printerOf(
  NAME,
  text(
    'Reference',
    (object) =>
      `${str(at(object, 'spec', 'scaleTargetRef', 'kind'))}/${str(at(object, 'spec', 'scaleTargetRef', 'name'))}`,
  ),
  text('Targets', metricsText),
  text('MinPods', (object) => orUnset(at(object, 'spec', 'minReplicas'))),
  text('MaxPods', (object) => spec(object, 'maxReplicas')),
  text('Replicas', (object) => status(object, 'currentReplicas')),
  AGE,
);

const budgetBound = (object: KubeObject, name: string): string => {
  const value = at(object, 'spec', name);
  return absent(value) ? 'N/A' : scalarText(value);
};

export const podDisruptionBudgetPrinter: Printer = printerOf(
  NAME,
  text('Min Available', (object) => budgetBound(object, 'minAvailable')),
  text('Max Unavailable', (object) => budgetBound(object, 'maxUnavailable')),
  integer('Allowed Disruptions', (object) => status(object, 'disruptionsAllowed')),
  AGE,
);

/** The scale subresource of any kind. */
export const scalePrinter: Printer = printerOf(
  NAME,
  integer('Desired', (object) => spec(object, 'replicas')),
  integer('Available', (object) => status(object, 'replicas')),
  AGE,
);
