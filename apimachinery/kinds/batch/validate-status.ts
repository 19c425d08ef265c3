/**
 * Validation of a Job's status, which controllers of others may write too (KEP-4368): what follows from its conditions,
 * and what does not go back. What an update leaves as it was is not judged. The order of complaints is Kubernetes' own.
 */
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { conditionStatus, conditionTrue } from '../lib/conditions.js';
import { absent, at, field, list, num, optionalNum, same, str, strs, unset, type Rec } from '../lib/value.js';
import { countIndexes, overlapOf } from './success-policy.js';

const COUNTS = ['active', 'succeeded', 'failed', 'ready', 'terminating'];

/** A job before and after, and what changed between. */
interface Step {
  readonly job: Rec;
  readonly old: unknown;
  readonly status: unknown;
  readonly before: unknown;
  changes(field: string): boolean;
  turns(condition: string): boolean;
}

const isFinished = (job: unknown): boolean => conditionTrue(job, 'Complete') || conditionTrue(job, 'Failed');

function stepOf(job: Rec, old: unknown): Step {
  const [status, before] = [field(job, 'status'), field(old, 'status')];
  return {
    job,
    old,
    status,
    before,
    changes: (name) => !same(field(status, name), field(before, name), name),
    turns: (condition) => conditionTrue(old, condition) !== conditionTrue(job, condition),
  };
}

const CONDITIONS = 'status.conditions';

function validateUncounted(complaints: Complaints, status: unknown): void {
  const seen = new Set<string>();
  for (const side of ['succeeded', 'failed']) {
    for (const [index, uid] of strs(at(status, 'uncountedTerminatedPods', side)).entries()) {
      const path = `status.uncountedTerminatedPods.${side}[${index}]`;
      if (uid === '') complaints.invalid(path, uid, 'must not be empty');
      else if (seen.has(uid)) complaints.duplicate(path, uid);
      seen.add(uid);
    }
  }
}

/** Conditions that exclude each other, and those that must come first. */
function validateEnd(complaints: Complaints, { job, status, changes, turns }: Step): void {
  const [complete, failed] = [conditionTrue(job, 'Complete'), conditionTrue(job, 'Failed')];
  const completed = field(status, 'completionTime');
  const started = field(status, 'startTime');
  if ((turns('Complete') || turns('Failed')) && complete && failed)
    complaints.wrong(CONDITIONS, 'cannot set Complete=True and Failed=true conditions');
  if ((turns('Complete') || turns('FailureTarget')) && complete && conditionTrue(job, 'FailureTarget'))
    complaints.wrong(CONDITIONS, 'cannot set Complete=True and FailureTarget=true conditions');
  const isEndChanged = turns('Complete') || changes('completionTime');
  if (isEndChanged && !absent(completed) && !complete)
    complaints.invalid(
      'status.completionTime',
      completed,
      'cannot set completionTime when there is no Complete=True condition',
    );
  if (isEndChanged && absent(completed) && complete)
    complaints.required('status.completionTime', 'completionTime is required for Complete jobs');
  if (
    (changes('startTime') || changes('completionTime')) &&
    !absent(started) &&
    !absent(completed) &&
    Date.parse(str(completed)) < Date.parse(str(started))
  ) {
    complaints.invalid('status.completionTime', completed, 'must be equal to or after `startTime`');
  }
  if ((turns('Failed') || changes('failedIndexes')) && failed && !conditionTrue(job, 'FailureTarget'))
    complaints.wrong(CONDITIONS, 'cannot set Failed=True condition without the FailureTarget=true condition');
  if ((turns('Complete') || turns('SuccessCriteriaMet')) && complete && !conditionTrue(job, 'SuccessCriteriaMet')) {
    complaints.wrong(CONDITIONS, 'cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
}

/** A finished job has no pods any more. */
function validateFinished(complaints: Complaints, { job, old, status, changes }: Step): void {
  if (!isFinished(job)) return;
  const isNew = !isFinished(old);
  const uncounted = field(status, 'uncountedTerminatedPods');
  if ((isNew || changes('active')) && num(field(status, 'active')) > 0)
    complaints.invalid('status.active', field(status, 'active'), 'active>0 is invalid for finished job');
  const isNeverRun = at(job, 'spec', 'suspend') === true && at(job, 'spec', 'completions') === 0;
  if ((isNew || changes('startTime')) && !isNeverRun && absent(field(status, 'startTime')))
    complaints.required('status.startTime', 'startTime is required for finished job');
  if (
    (isNew || changes('uncountedTerminatedPods')) &&
    list(field(uncounted, 'failed')).length + list(field(uncounted, 'succeeded')).length > 0
  ) {
    const shown = { Succeeded: field(uncounted, 'succeeded') ?? null, Failed: field(uncounted, 'failed') ?? null };
    complaints.invalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job');
  }
}

function validateIndexes(complaints: Complaints, { job, status, changes }: Step): void {
  const completions = optionalNum(at(job, 'spec', 'completions'));
  const perIndex = !absent(at(job, 'spec', 'backoffLimitPerIndex'));
  const [completed, failed] = [str(field(status, 'completedIndexes')), field(status, 'failedIndexes')];
  const check = (name: string, text: string): void => {
    const counted = countIndexes(text, completions ?? 0);
    if (counted.kind === 'wrong') complaints.invalid(`status.${name}`, text, `error parsing ${name}: ${counted.why}`);
  };
  if (completions !== undefined && changes('completedIndexes')) check('completedIndexes', completed);
  if (completions !== undefined && perIndex && !absent(failed) && changes('failedIndexes'))
    check('failedIndexes', str(failed));
  if (changes('completedIndexes') && completed !== '' && at(job, 'spec', 'completionMode') !== 'Indexed') {
    complaints.invalid(
      'status.completedIndexes',
      completed,
      'cannot set non-empty completedIndexes when non-indexed completion mode',
    );
  }
  if (changes('failedIndexes') && !perIndex && !absent(failed))
    complaints.invalid(
      'status.failedIndexes',
      failed,
      'cannot set non-null failedIndexes when backoffLimitPerIndex is null',
    );
  if (completions === undefined || absent(failed) || !(changes('failedIndexes') || changes('completedIndexes'))) return;
  const overlap = overlapOf(completed, str(failed), completions);
  if (overlap !== undefined)
    complaints.invalid(
      'status.failedIndexes',
      failed,
      `failedIndexes and completedIndexes overlap at index: ${overlap}`,
    );
}

function validateRunning(complaints: Complaints, { job, old, status, changes }: Step): void {
  const [terminating, ready] = [optionalNum(field(status, 'terminating')), optionalNum(field(status, 'ready'))];
  if (
    (isFinished(job) !== isFinished(old) || changes('terminating')) &&
    terminating !== undefined &&
    terminating > 0 &&
    isFinished(job)
  ) {
    complaints.invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job');
  }
  if ((changes('ready') || changes('active')) && ready !== undefined && ready > num(field(status, 'active')))
    complaints.invalid('status.ready', ready, 'cannot set more ready pods than active');
}

function validateSuccess(complaints: Complaints, { job }: Step): void {
  const isMet = conditionTrue(job, 'SuccessCriteriaMet');
  if (isMet && conditionTrue(job, 'Failed'))
    complaints.wrong(CONDITIONS, 'cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (isMet && conditionTrue(job, 'FailureTarget'))
    complaints.wrong(CONDITIONS, 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  if (!absent(at(job, 'spec', 'successPolicy')) && !isMet && conditionTrue(job, 'Complete')) {
    complaints.wrong(CONDITIONS, 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
}

/** What has been told stays true. */
function validateHistory(complaints: Complaints, { job, old, status, before, changes }: Step): void {
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (conditionTrue(old, type) && !conditionTrue(job, type))
      complaints.wrong(CONDITIONS, `cannot disable the terminal ${type}=True condition`);
  }
  const spec = field(job, 'spec');
  const isElastic =
    field(spec, 'completionMode') === 'Indexed' &&
    same(field(spec, 'completions'), field(spec, 'parallelism'), 'completions');
  for (const counter of ['failed', 'succeeded']) {
    const [now, was] = [num(field(status, counter)), num(field(before, counter))];
    if (now < was && !(counter === 'succeeded' && isElastic))
      complaints.invalid(`status.${counter}`, now, `cannot decrease the ${counter} counter`);
  }
  const [completed, wasCompleted] = [field(status, 'completionTime'), field(before, 'completionTime')];
  if (!unset(completed) && !unset(wasCompleted) && completed !== wasCompleted)
    complaints.invalid('status.completionTime', completed, 'field is immutable');
  const isResumed = conditionTrue(old, 'Suspended') && conditionStatus(job, 'Suspended') === 'False';
  if (changes('startTime') && !isResumed && !unset(field(before, 'startTime')) && field(spec, 'suspend') !== true) {
    complaints.invalid(
      'status.startTime',
      field(status, 'startTime'),
      'field is immutable for unsuspended job once set',
    );
  }
  const [isMet, wasMet] = [conditionTrue(job, 'SuccessCriteriaMet'), conditionTrue(old, 'SuccessCriteriaMet')];
  if (wasMet && !isMet) complaints.wrong(CONDITIONS, 'cannot disable the SuccessCriteriaMet=True condition');
  if (conditionTrue(old, 'Complete') && !wasMet && isMet)
    complaints.wrong(CONDITIONS, 'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
}

export function validateJobStatus(job: Rec, old: unknown): FieldError[] {
  return complaintsOf((complaints) => {
    const step = stepOf(job, old);
    for (const name of COUNTS) complaints.atLeast(`status.${name}`, field(step.status, name));
    validateUncounted(complaints, step.status);
    for (const check of [
      validateEnd,
      validateFinished,
      validateIndexes,
      validateRunning,
      validateSuccess,
      validateHistory,
    ])
      check(complaints, step);
  });
}
