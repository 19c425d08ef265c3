/** Workloads: their names become those of pods, and their templates are pods. */
import { dns1123Label } from '../../names.js';
import { at, field, num, optionalNum, recs, str, type Rec } from '../lib/value.js';
import { claimSpecWarnings } from './common.js';
import { podWarnings } from './pod.js';

export type Warnings = (object: Rec, old: Rec | undefined) => string[];

export function nameWarnings(object: Rec, use: string): string[] {
  const complaints = dns1123Label(str(at(object, 'metadata', 'name')));
  return complaints.length === 0
    ? []
    : [
        `metadata.name: this is used in ${use}, which can result in surprising behavior; a DNS label is recommended: [${complaints.join(' ')}]`,
      ];
}

const generationOf = (object: Rec | undefined): unknown => at(object, 'metadata', 'generation');
const isNewSpec = (object: Rec, old: Rec | undefined): boolean =>
  old === undefined || generationOf(object) !== generationOf(old);
const PODS_OF_IT = 'Pod names and hostnames';

/** Of an object with a template at `path`; silent while its spec stays as it is. */
export const templateWarnings =
  (path: readonly string[], namesPods = false): Warnings =>
  (object, old) => {
    const template = at(object, ...path);
    return [
      ...(namesPods && old === undefined ? nameWarnings(object, PODS_OF_IT) : []),
      ...(template !== undefined && isNewSpec(object, old) ? podWarnings(template as Rec, `${path.join('.')}.`) : []),
    ];
  };

const TEMPLATE_GENERATION = ['metadata', 'annotations', 'deprecated.daemonset.template.generation'] as const;

export const daemonSetWarnings: Warnings = (object, old) =>
  old !== undefined && at(object, ...TEMPLATE_GENERATION) === at(old, ...TEMPLATE_GENERATION)
    ? []
    : podWarnings((at(object, 'spec', 'template') ?? {}) as Rec, 'spec.template.');

export const statefulSetWarnings: Warnings = (object, old) => {
  const limit = optionalNum(at(object, 'spec', 'revisionHistoryLimit'));
  return [
    ...templateWarnings(['spec', 'template'])(object, old),
    ...recs(at(object, 'spec', 'volumeClaimTemplates')).flatMap((claim, index) =>
      claimSpecWarnings(claim['spec'], `spec.volumeClaimTemplates[${index}]${old === undefined ? '' : '.Spec'}`),
    ),
    ...(limit !== undefined && num(limit) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ];
};

const COMPLETIONS_SOFT = 100_000;
const PARALLELISM_SOFT = 10_000;

/** `path`: of the Job's spec. */
export const jobWarnings =
  (path: readonly string[]): Warnings =>
  (object, old) => {
    const spec = at(object, ...path);
    const isLarge =
      field(spec, 'completionMode') === 'Indexed' &&
      num(optionalNum(field(spec, 'completions'))) > COMPLETIONS_SOFT &&
      num(optionalNum(field(spec, 'parallelism'))) > PARALLELISM_SOFT;
    const large =
      'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, ' +
      'Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
    return [
      ...(old === undefined ? nameWarnings(object, PODS_OF_IT) : []),
      ...(isLarge && isNewSpec(object, old) ? [`${path.join('.')}: ${large}`] : []),
      ...templateWarnings([...path, 'template'])(object, old),
    ];
  };

export const cronJobWarnings: Warnings = (object, old) => {
  const zone = old !== undefined && str(at(object, 'spec', 'schedule')).includes('TZ');
  return [
    ...jobWarnings(['spec', 'jobTemplate', 'spec'])(object, old),
    ...(zone
      ? [
          'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
        ]
      : []),
  ];
};
