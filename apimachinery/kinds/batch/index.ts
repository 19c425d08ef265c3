/** Jobs and CronJobs (k8s.io/kubernetes/pkg/apis/batch). */
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import {
  absent,
  at,
  child,
  children,
  clone,
  field,
  fill,
  fillZero,
  isRec,
  keysOf,
  num,
  optionalNum,
  same,
  setOwn,
  type Rec,
} from '../lib/value.js';
import { dropDisabledOf } from '../pod/disabled-fields.js';
import { defaultPodTemplate } from '../pod/defaults.js';
import { cronJobPrinter, jobPrinter } from '../printers/workloads.js';
import { generatedLabels, validateCronJob, validateJob } from './validate.js';

const RETRIES_DEFAULT = 6;
const INT32_MAX = 2_147_483_647;

function defaultJob(job: Rec): void {
  const spec = child(job, 'spec');
  if (spec === undefined) return;
  defaultPodTemplate(field(spec, 'template'));
  if (absent(spec['completions']) && absent(spec['parallelism'])) spec['completions'] = 1;
  fill(spec, 'parallelism', 1);
  fill(spec, 'backoffLimit', absent(spec['backoffLimitPerIndex']) ? RETRIES_DEFAULT : INT32_MAX);
  fill(spec, 'completionMode', 'NonIndexed');
  fill(spec, 'suspend', false);
  fill(spec, 'manualSelector', false);
  fill(spec, 'podReplacementPolicy', absent(spec['podFailurePolicy']) ? 'TerminatingOrFailed' : 'Failed');
  for (const rule of children(field(spec, 'podFailurePolicy'), 'rules')) {
    for (const pattern of children(rule, 'onPodConditions')) fillZero(pattern, 'status', 'True');
  }
  const labels = at(spec, 'template', 'metadata', 'labels');
  const metadata = child(job, 'metadata');
  if (metadata !== undefined && isRec(labels) && keysOf(field(metadata, 'labels')).length === 0)
    metadata['labels'] = { ...labels };
}

/** Pods of a job are told from those of another by the job's uid. */
function generateSelector(job: Rec, context: StrategyContext): void {
  const spec = field(job, 'spec');
  if (!isRec(spec) || spec['manualSelector'] === true) return;
  const metadata = child(job, 'metadata');
  const template = child(spec, 'template');
  const labels = template === undefined ? undefined : child(child(template, 'metadata') ?? {}, 'labels');
  if (metadata === undefined || labels === undefined) return;
  const own = field(metadata, 'labels');
  const takesTemplates = !isRec(own) || keysOf(own).length === 0 || same(own, labels);
  fillZero(metadata, 'uid', context.uuid());
  // What the client wrote there stays, and is refused when it is something else.
  for (const [key, value] of Object.entries(generatedLabels(metadata)))
    if (field(labels, key) === undefined) setOwn(labels, key, value);
  // A job without labels of its own has its template's, with what was added to them.
  if (takesTemplates) metadata['labels'] = { ...labels };
  const selector = child(spec, 'selector');
  const match = selector === undefined ? undefined : child(selector, 'matchLabels');
  if (match !== undefined) fill(match, 'batch.kubernetes.io/controller-uid', metadata['uid']);
}

const JOB_FIXED = [
  'selector',
  'template',
  'completionMode',
  'podFailurePolicy',
  'backoffLimitPerIndex',
  'managedBy',
  'successPolicy',
];
const STEERABLE = ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates'];

/** The template of a suspended job that never started may still be steered to other nodes (KEP-2926). */
function templateUnchanged(spec: Rec, before: Rec, old: Rec): boolean {
  if (same(spec['template'], before['template'])) return true;
  if (before['suspend'] !== true || !absent(at(old, 'status', 'startTime'))) return false;
  const munged = clone(spec['template']);
  const podSpec = field(munged, 'spec');
  if (!isRec(podSpec)) return false;
  for (const name of STEERABLE) podSpec[name] = at(before, 'template', 'spec', name);
  return same(munged, before['template']);
}

function validateJobUpdate(job: Rec, old: Rec, context?: StrategyContext): FieldError[] {
  if (context?.subresource === 'status') return [];
  return complaintsOf((complaints) => {
    const spec = field(job, 'spec');
    const before = field(old, 'spec');
    if (!isRec(spec) || !isRec(before)) return;
    const elastic = spec['completionMode'] === 'Indexed' && spec['completions'] === spec['parallelism'];
    if (!elastic)
      complaints.immutable(
        'spec.completions',
        spec['completions'],
        same(spec['completions'], before['completions'], 'completions'),
      );
    for (const name of JOB_FIXED) {
      const unchanged =
        name === 'template' ? templateUnchanged(spec, before, old) : same(spec[name], before[name], name);
      complaints.immutable(`spec.${name}`, spec[name], unchanged);
    }
  });
}

function defaultCronJob(cronJob: Rec): void {
  const spec = child(cronJob, 'spec');
  if (spec === undefined) return;
  fillZero(spec, 'concurrencyPolicy', 'Allow');
  fill(spec, 'suspend', false);
  fill(spec, 'successfulJobsHistoryLimit', 3);
  fill(spec, 'failedJobsHistoryLimit', 1);
  defaultPodTemplate(at(spec, 'jobTemplate', 'spec', 'template'));
}

export const batchExtras: ExtrasTable = {
  'batch/jobs': {
    categories: ['all'],
    printer: jobPrinter,
    fieldSelectors: { 'status.successful': (job) => String(num(optionalNum(at(job, 'status', 'succeeded')))) },
    fieldRefusal: (field) => `field label ${JSON.stringify(field)} not supported for Job`,
    strategy: strategyOf({
      status: true,
      generation: true,
      defaults: defaultJob,
      validatesAll: true,
      validateWork: validateJob,
      validateUpdate: validateJobUpdate,
      create: (job, context) => {
        generateSelector(job, context);
        dropDisabledOf(at(job, 'spec', 'template'));
      },
      update: (job) => dropDisabledOf(at(job, 'spec', 'template')),
    }),
  },
  'batch/cronjobs': {
    shortNames: ['cj'],
    categories: ['all'],
    printer: cronJobPrinter,
    strategy: strategyOf({
      status: true,
      generation: true,
      defaults: defaultCronJob,
      validatesAll: true,
      validateWork: validateCronJob,
      create: (cronJob) => dropDisabledOf(at(cronJob, 'spec', 'jobTemplate', 'spec', 'template')),
      update: (cronJob) => dropDisabledOf(at(cronJob, 'spec', 'jobTemplate', 'spec', 'template')),
    }),
  },
};
