/**
 * Validation of Jobs and CronJobs (k8s.io/kubernetes/pkg/apis/batch/validation). The order of complaints is Kubernetes'
 * own.
 */
import type { Work } from '../../../platform/work.js';
import { dns1123Label, domainPrefixedPath } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { complaintsWork, type Complaints } from '../lib/complaints.js';
import { selectorMatches, validateLabelSelector } from '../lib/label-validation.js';
import { absent, at, field, isRec, num, optionalNum, str, type Rec } from '../lib/value.js';
import { validatePodTemplate } from '../pod/validate.js';
import { validateFailurePolicy } from './failure-policy.js';
import { scheduleComplaints, timeZoneComplaint } from './schedule.js';
import { validateSuccessPolicy } from './success-policy.js';
import { validateJobStatus } from './validate-status.js';

const CRON_NAME_MAX = 52;
const MANAGED_BY_MAX = 63;
const INDEXED_PARALLELISM_MAX = 100_000;
const FAILED_INDEXES_MAX = 100_000;
/** Above this many completions, retries by index are bounded more tightly: each failed index is kept in status. */
const COMPLETIONS_MANY = 100_000;
const PARALLELISM_OF_MANY_MAX = 10_000;
const FAILED_INDEXES_OF_MANY_MAX = 10_000;
const NUMBERS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
];

function validateIndexed(complaints: Complaints, spec: Rec, path: string): void {
  const completions = optionalNum(spec['completions']);
  const parallelism = optionalNum(spec['parallelism']);
  const failed = optionalNum(spec['maxFailedIndexes']);
  if (completions === undefined) complaints.required(`${path}.completions`, 'when completion mode is Indexed');
  if (parallelism !== undefined && parallelism > INDEXED_PARALLELISM_MAX) {
    complaints.invalid(
      `${path}.parallelism`,
      parallelism,
      `must be less than or equal to ${INDEXED_PARALLELISM_MAX} when completion mode is Indexed`,
    );
  }
  if (completions !== undefined && failed !== undefined && failed > completions)
    complaints.invalid(`${path}.maxFailedIndexes`, failed, 'must be less than or equal to completions');
  if (failed !== undefined && failed > FAILED_INDEXES_MAX)
    complaints.invalid(`${path}.maxFailedIndexes`, failed, `must be less than or equal to ${FAILED_INDEXES_MAX}`);
  if (completions === undefined || completions <= COMPLETIONS_MANY || absent(spec['backoffLimitPerIndex'])) return;
  const when = `when completions are above ${COMPLETIONS_MANY} and used with backoff limit per index`;
  if (failed === undefined)
    complaints.required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${COMPLETIONS_MANY}`);
  if (parallelism !== undefined && parallelism > PARALLELISM_OF_MANY_MAX)
    complaints.invalid(
      `${path}.parallelism`,
      parallelism,
      `must be less than or equal to ${PARALLELISM_OF_MANY_MAX} ${when}`,
    );
  if (failed !== undefined && failed > FAILED_INDEXES_OF_MANY_MAX)
    complaints.invalid(
      `${path}.maxFailedIndexes`,
      failed,
      `must be less than or equal to ${FAILED_INDEXES_OF_MANY_MAX} ${when}`,
    );
}

function validateMode(complaints: Complaints, spec: Rec, path: string): void {
  const mode = spec['completionMode'];
  complaints.enumerated(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']);
  if (mode === 'Indexed') validateIndexed(complaints, spec, path);
  if (!absent(mode) && mode !== 'NonIndexed') return;
  for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes'])
    if (!absent(spec[name])) complaints.invalid(`${path}.${name}`, spec[name], 'requires indexed completion mode');
}

function validateReplacement(complaints: Complaints, spec: Rec, path: string): void {
  const policies = absent(spec['podFailurePolicy']) ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  complaints.enumerated(`${path}.podReplacementPolicy`, spec['podReplacementPolicy'], policies);
}

function validateRestartPolicy(complaints: Complaints, spec: Rec, path: string): void {
  const here = `${path}.template.spec.restartPolicy`;
  const restart = str(at(spec, 'template', 'spec', 'restartPolicy'));
  if (restart === 'Always' || restart === '') complaints.required(here, 'valid values: "OnFailure", "Never"');
  else if (restart !== 'OnFailure' && restart !== 'Never')
    complaints.unsupported(here, restart, ['OnFailure', 'Never']);
  else if (!absent(spec['podFailurePolicy']) && restart !== 'Never')
    complaints.invalid(here, restart, 'only "Never" is supported when podFailurePolicy is specified');
}

function* validateJobSpec(complaints: Complaints, spec: Rec, path: string): Work<void> {
  for (const name of NUMBERS) complaints.atLeast(`${path}.${name}`, spec[name]);
  if (!absent(spec['maxFailedIndexes']) && absent(spec['backoffLimitPerIndex']))
    complaints.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified');
  const manager = spec['managedBy'];
  if (!absent(manager)) {
    complaints.requiredForm(`${path}.managedBy`, manager, domainPrefixedPath);
    if (str(manager).length > MANAGED_BY_MAX) complaints.tooLong(`${path}.managedBy`, MANAGED_BY_MAX);
  }
  validateMode(complaints, spec, path);
  if (isRec(spec['podFailurePolicy'])) validateFailurePolicy(complaints, spec, `${path}.podFailurePolicy`);
  if (isRec(spec['successPolicy'])) validateSuccessPolicy(complaints, spec, `${path}.successPolicy`);
  validateReplacement(complaints, spec, path);
  yield* validatePodTemplate(complaints, spec['template'], `${path}.template`);
  validateRestartPolicy(complaints, spec, path);
}

/** The last pod of an indexed job has the longest host name. */
function validateHostNames(complaints: Complaints, job: Rec, spec: Rec): void {
  const completions = num(spec['completions']);
  if (spec['completionMode'] !== 'Indexed' || completions <= 0) return;
  const name = str(at(job, 'metadata', 'name'));
  const longest = `${name}-${completions - 1}`;
  if (dns1123Label(longest).length > 0)
    complaints.invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${longest}`);
}

/** What tells a job's pods from those of another, in the order of Kubernetes' complaints. */
export function generatedLabels(metadata: unknown): Readonly<Record<string, string>> {
  const [uid, name] = [str(field(metadata, 'uid')), str(field(metadata, 'name'))];
  return {
    'controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
  };
}

/** A job that did not ask for a selector of its own must have the generated one, and the labels that it selects by. */
function validateGenerated(complaints: Complaints, job: Rec, spec: Rec): void {
  if (spec['manualSelector'] === true || absent(spec['selector'])) return;
  const metadata = field(job, 'metadata');
  if (str(field(metadata, 'uid')) === '') complaints.required('metadata.uid');
  const labels = at(spec, 'template', 'metadata', 'labels');
  const expected = generatedLabels(metadata);
  for (const [key, value] of Object.entries(expected)) {
    const path = `spec.template.metadata.labels[${key}]`;
    const found = field(labels, key);
    if (found === undefined) complaints.required(path, `must be '${value}'`);
    else if (found !== value) complaints.invalid(path, labels, `must be '${value}'`);
  }
  if (!selectorMatches(spec['selector'], expected))
    complaints.invalid('spec.selector', spec['selector'], '`selector` not auto-generated');
}

export function* validateJob(job: Rec, context?: StrategyContext): Work<FieldError[]> {
  if (context?.subresource === 'status') return validateJobStatus(job, context.old);
  return yield* complaintsWork(function* (complaints) {
    const value = field(job, 'spec');
    const spec = isRec(value) ? value : {};
    validateGenerated(complaints, job, spec);
    yield* validateJobSpec(complaints, spec, 'spec');
    const selector = spec['selector'];
    if (absent(selector)) complaints.required('spec.selector');
    else validateLabelSelector(complaints, selector, 'spec.selector');
    const labels = at(spec, 'template', 'metadata', 'labels');
    // A selector that is not there selects nothing.
    if (absent(selector) || !selectorMatches(selector, labels))
      complaints.invalid(
        'spec.template.metadata.labels',
        labels ?? null,
        '`selector` does not match template `labels`',
      );
    validateHostNames(complaints, job, spec);
  });
}

export function* validateCronJob(cronJob: Rec, context?: StrategyContext): Work<FieldError[]> {
  if (context?.subresource === 'status') return [];
  return yield* complaintsWork(function* (complaints) {
    const spec = field(cronJob, 'spec');
    const schedule = str(field(spec, 'schedule'));
    if (schedule === '') complaints.required('spec.schedule');
    else for (const why of scheduleComplaints(schedule)) complaints.invalid('spec.schedule', schedule, why);
    complaints.atLeast('spec.startingDeadlineSeconds', field(spec, 'startingDeadlineSeconds'));
    const zone = field(spec, 'timeZone');
    const wrong = absent(zone) ? undefined : timeZoneComplaint(str(zone));
    if (wrong !== undefined) complaints.invalid('spec.timeZone', zone, wrong);
    complaints.oneOf('spec.concurrencyPolicy', field(spec, 'concurrencyPolicy'), ['Allow', 'Forbid', 'Replace'], true);
    const value = at(spec, 'jobTemplate', 'spec');
    const jobSpec = isRec(value) ? value : {};
    yield* validateJobSpec(complaints, jobSpec, 'spec.jobTemplate.spec');
    if (!absent(jobSpec['selector']))
      complaints.invalid('spec.jobTemplate.spec.selector', jobSpec['selector'], '`selector` will be auto-generated');
    if (jobSpec['manualSelector'] === true)
      complaints.unsupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false']);
    for (const limit of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'])
      complaints.atLeast(`spec.${limit}`, field(spec, limit));
    const name = str(at(cronJob, 'metadata', 'name'));
    if (name.length > CRON_NAME_MAX)
      complaints.invalid('metadata.name', name, `must be no more than ${CRON_NAME_MAX} characters`);
  });
}
