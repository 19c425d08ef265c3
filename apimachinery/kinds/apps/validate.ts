/** Validation of workloads (k8s.io/kubernetes/pkg/apis/apps/validation). The order of complaints is Kubernetes' own. */
import type { Work } from '../../../platform/work.js';
import { dns1123Label } from '../../names.js';
import type { FieldError } from '../../status.js';
import { validateAnnotations } from '../metadata.js';
import { complaintsOf, complaintsWork, type Complaints } from '../lib/complaints.js';
import { selectorMatches, selectsEverything, validateLabels, validateLabelSelector } from '../lib/label-validation.js';
import { absent, at, clone, field, isRec, keysOf, num, optionalNum, recs, same, str, type Rec } from '../lib/value.js';
import { validatePodTemplate } from '../pod/validate.js';
import { validateClaimSpec } from '../storage/validate-claim.js';

/** A count or a percentage. */
export function validateCountOrPercent(complaints: Complaints, value: unknown, path: string): void {
  if (absent(value)) return;
  if (typeof value === 'number') {
    if (value < 0) complaints.invalid(path, value, 'must be greater than or equal to 0');
  } else if (!/^[0-9]+%$/.test(str(value))) {
    complaints.invalid(
      path,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    );
  }
}

export function validateAtMost100Percent(complaints: Complaints, value: unknown, path: string): void {
  const percent = /^([0-9]+)%$/.exec(str(value))?.[1];
  if (percent !== undefined && Number(percent) > 100) complaints.invalid(path, value, 'must not be greater than 100%');
}

/** What is no percentage counts as nothing, as in Kubernetes' comparisons. */
const valueOf = (value: unknown): number =>
  typeof value === 'number' ? value : Number(/^([0-9]+)%$/.exec(str(value))?.[1] ?? 0);

/** False when the selector cannot be read: what it selects is not asked then. */
function validateSelector(
  complaints: Complaints,
  selector: unknown,
  how: { readonly noun: string; readonly unreadable: string },
): boolean {
  if (absent(selector)) {
    complaints.required('spec.selector');
    return true;
  }
  const before = complaints.all.length;
  validateLabelSelector(complaints, selector, 'spec.selector');
  const isReadable = complaints.all.length === before;
  if (selectsEverything(selector))
    complaints.invalid('spec.selector', selector, `empty selector is invalid for ${how.noun}`);
  if (!isReadable) complaints.invalid('spec.selector', shownSelector(selector), how.unreadable);
  return isReadable;
}

/** As Go's type is printed: an operator always stands there. */
const shownSelector = (selector: unknown): unknown =>
  !isRec(selector)
    ? null
    : {
        ...(keysOf(selector['matchLabels']).length === 0 ? {} : { matchLabels: selector['matchLabels'] }),
        ...(recs(selector['matchExpressions']).length === 0
          ? {}
          : {
              matchExpressions: recs(selector['matchExpressions']).map(({ key, operator, values }) => ({
                key: str(key),
                operator: str(operator),
                ...(absent(values) ? {} : { values }),
              })),
            }),
      };

/** A selector that is not there selects nothing; an empty one has been refused already. */
function validateTemplateLabels(complaints: Complaints, template: unknown, selector: unknown): void {
  const labels = at(template, 'metadata', 'labels');
  if (absent(selector) || (!selectsEverything(selector) && !selectorMatches(selector, labels))) {
    complaints.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`');
  }
}

/** Pods of a workload that is never done restart for ever. */
function validateLifeOfPods(complaints: Complaints, template: unknown, kind: string): void {
  const restart = str(at(template, 'spec', 'restartPolicy'));
  if (restart !== 'Always') complaints.unsupported('spec.template.spec.restartPolicy', restart, ['Always']);
  if (!absent(at(template, 'spec', 'activeDeadlineSeconds')))
    complaints.forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      `activeDeadlineSeconds in ${kind} is not Supported`,
    );
}

function* validateSetTemplate(complaints: Complaints, spec: Rec, selector: unknown, kind: string): Work<void> {
  validateTemplateLabels(complaints, spec['template'], selector);
  yield* validatePodTemplate(complaints, spec['template'], 'spec.template');
  validateLifeOfPods(complaints, spec['template'], kind);
}

type SpecRules = (complaints: Complaints, spec: Rec) => Work<void>;

const numbers = (complaints: Complaints, spec: Rec, ...names: readonly string[]): void => {
  for (const name of names) complaints.atLeast(`spec.${name}`, spec[name]);
};

function validateRollout(complaints: Complaints, strategy: unknown): void {
  const path = 'spec.strategy';
  const rolling = field(strategy, 'rollingUpdate');
  const type = str(field(strategy, 'type'));
  if (type === 'Recreate') {
    if (!absent(rolling))
      complaints.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  if (type !== 'RollingUpdate') return complaints.unsupported(path, strategy ?? {}, ['Recreate', 'RollingUpdate']);
  if (!isRec(rolling)) return complaints.required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil');
  const { maxUnavailable, maxSurge } = rolling;
  validateCountOrPercent(complaints, maxUnavailable, `${path}.rollingUpdate.maxUnavailable`);
  validateCountOrPercent(complaints, maxSurge, `${path}.rollingUpdate.maxSurge`);
  if (valueOf(maxUnavailable) === 0 && valueOf(maxSurge) === 0)
    complaints.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0');
  validateAtMost100Percent(complaints, maxUnavailable, `${path}.rollingUpdate.maxUnavailable`);
}

// Kubernetes says "deployment" of replica sets too.
const OF_SETS = { noun: 'deployment', unreadable: 'invalid label selector' };

const deployment: SpecRules = function* (complaints, spec) {
  numbers(complaints, spec, 'replicas');
  if (validateSelector(complaints, spec['selector'], OF_SETS))
    yield* validateSetTemplate(complaints, spec, spec['selector'], 'ReplicaSet');
  validateRollout(complaints, spec['strategy']);
  numbers(complaints, spec, 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds');
  const deadline = optionalNum(spec['progressDeadlineSeconds']);
  if (deadline !== undefined && deadline <= num(spec['minReadySeconds']))
    complaints.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
};

const replicaSet: SpecRules = function* (complaints, spec) {
  numbers(complaints, spec, 'replicas', 'minReadySeconds');
  if (validateSelector(complaints, spec['selector'], OF_SETS))
    yield* validateSetTemplate(complaints, spec, spec['selector'], 'ReplicaSet');
};

const replicationController: SpecRules = function* (complaints, spec) {
  numbers(complaints, spec, 'minReadySeconds');
  if (keysOf(spec['selector']).length === 0) complaints.required('spec.selector');
  numbers(complaints, spec, 'replicas');
  if (absent(spec['template'])) complaints.required('spec.template');
  else yield* validateSetTemplate(complaints, spec, { matchLabels: spec['selector'] }, 'ReplicationController');
};

function validateDaemonRollout(complaints: Complaints, strategy: unknown): void {
  const path = 'spec.updateStrategy';
  const type = str(field(strategy, 'type'));
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') return complaints.unsupported(path, strategy ?? {}, ['RollingUpdate', 'OnDelete']);
  const rolling = field(strategy, 'rollingUpdate');
  if (!isRec(rolling)) return complaints.required(`${path}.rollingUpdate`);
  const { maxUnavailable, maxSurge } = rolling;
  for (const check of [validateCountOrPercent, validateAtMost100Percent]) {
    check(complaints, maxUnavailable, `${path}.rollingUpdate.maxUnavailable`);
    check(complaints, maxSurge, `${path}.rollingUpdate.maxSurge`);
  }
  if (valueOf(maxUnavailable) !== 0 && valueOf(maxSurge) !== 0)
    complaints.invalid(`${path}.rollingUpdate.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero');
  if (valueOf(maxUnavailable) === 0 && valueOf(maxSurge) === 0)
    complaints.required(`${path}.rollingUpdate.maxUnavailable`, 'cannot be 0 when maxSurge is 0');
}

const daemonSet: SpecRules = function* (complaints, spec) {
  const selector = spec['selector'];
  const before = complaints.all.length;
  validateLabelSelector(complaints, selector, 'spec.selector');
  const isReadable = complaints.all.length === before;
  const labels = at(spec, 'template', 'metadata', 'labels');
  // A selector that is not there selects nothing.
  if (isReadable && (!isRec(selector) || !selectorMatches(selector, labels)))
    complaints.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`');
  if (isRec(selector) && selectsEverything(selector))
    complaints.invalid('spec.selector', selector, 'empty selector is invalid for daemonset');
  yield* validatePodTemplate(complaints, spec['template'], 'spec.template');
  validateLifeOfPods(complaints, spec['template'], 'DaemonSet');
  numbers(complaints, spec, 'minReadySeconds');
  validateDaemonRollout(complaints, spec['updateStrategy']);
  numbers(complaints, spec, 'revisionHistoryLimit');
};

function validateStatefulRollout(complaints: Complaints, strategy: unknown): void {
  const path = 'spec.updateStrategy';
  const type = str(field(strategy, 'type'));
  const rolling = field(strategy, 'rollingUpdate');
  if (type === '') return complaints.required(path);
  if (type === 'OnDelete') {
    if (!absent(rolling))
      complaints.invalid(`${path}.rollingUpdate`, rolling, "only allowed for updateStrategy 'RollingUpdate'");
    return;
  }
  if (type !== 'RollingUpdate') return complaints.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'");
  if (!isRec(rolling)) return;
  complaints.atLeast(`${path}.rollingUpdate.partition`, rolling['partition']);
  const unavailable = rolling['maxUnavailable'];
  if (absent(unavailable)) return;
  validateCountOrPercent(complaints, unavailable, `${path}.rollingUpdate.maxUnavailable`);
  if (valueOf(unavailable) === 0)
    complaints.invalid(`${path}.rollingUpdate.maxUnavailable`, unavailable, 'cannot be 0');
  validateAtMost100Percent(complaints, unavailable, `${path}.rollingUpdate.maxUnavailable`);
}

/**
 * A pod of the set has the claims of its templates: as volumes of the template's name, in place of any that it names
 * itself.
 */
function withClaimVolumes(spec: Rec): unknown {
  const template = clone(spec['template']);
  const podSpec = field(template, 'spec');
  const claims = recs(spec['volumeClaimTemplates']).map((claim) => str(at(claim, 'metadata', 'name')));
  if (!isRec(podSpec)) return template;
  delete podSpec['hostname'];
  delete podSpec['subdomain'];
  if (claims.length > 0) {
    podSpec['volumes'] = [
      ...[...new Set(claims)].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
      ...recs(podSpec['volumes']).filter((volume) => !claims.includes(str(volume['name']))),
    ];
  }
  return template;
}

const RETENTION = ['Retain', 'Delete'];

const statefulSet: SpecRules = function* (complaints, spec) {
  const management = str(spec['podManagementPolicy']);
  if (management === '') complaints.required('spec.podManagementPolicy');
  else if (management !== 'OrderedReady' && management !== 'Parallel')
    complaints.invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'");
  validateStatefulRollout(complaints, spec['updateStrategy']);
  const retention = spec['persistentVolumeClaimRetentionPolicy'];
  for (const name of ['whenDeleted', 'whenScaled']) {
    const policy = field(retention, name);
    if (isRec(retention) && !RETENTION.includes(str(policy)))
      complaints.unsupported(`spec.persistentVolumeClaimRetentionPolicy.${name}`, policy ?? '', RETENTION);
  }
  for (const [index, claim] of recs(spec['volumeClaimTemplates']).entries())
    validateClaimSpec(complaints, claim['spec'], `spec.volumeClaimTemplates[${index}].spec`);
  numbers(complaints, spec, 'replicas', 'minReadySeconds');
  complaints.atLeast('spec.ordinals.start', at(spec, 'ordinals', 'start'));
  if (str(spec['serviceName']) !== '') complaints.form('spec.serviceName', spec['serviceName'], dns1123Label);
  if (validateSelector(complaints, spec['selector'], { noun: 'statefulset', unreadable: '' })) {
    const template = withClaimVolumes(spec);
    validateTemplateLabels(complaints, template, spec['selector']);
    yield* validatePodTemplate(complaints, template, 'spec.template');
    validateLabels(complaints, at(template, 'metadata', 'labels'), 'spec.template.labels');
    validateAnnotations(complaints, at(template, 'metadata', 'annotations'), 'spec.template.annotations');
  }
  validateLifeOfPods(complaints, spec['template'], 'StatefulSet');
};

const RULES = { deployment, replicaSet, replicationController, daemonSet, statefulSet } as const;
export type WorkloadKind = keyof typeof RULES;

export function validateWorkload(object: Rec, kind: WorkloadKind): Work<FieldError[]> {
  const spec = field(object, 'spec');
  return complaintsWork((complaints) => RULES[kind](complaints, isRec(spec) ? spec : {}));
}

export interface WorkloadUpdateRules {
  /** Spec fields that an update may change; absent: all but the selector. */
  readonly mutable?: readonly string[];
  readonly mutableMessage?: string;
  /** The selector is a plain map, which may change. */
  readonly plainSelector?: boolean;
}

export function validateWorkloadUpdate(object: Rec, old: Rec, rules: WorkloadUpdateRules): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    const before = field(old, 'spec');
    if (!isRec(spec) || !isRec(before)) return;
    if (rules.mutable !== undefined) {
      const munged = clone(spec);
      for (const name of rules.mutable) {
        if (Object.hasOwn(before, name)) munged[name] = before[name];
        else delete munged[name];
      }
      if (!same(munged, before)) complaints.forbidden('spec', rules.mutableMessage ?? 'field is immutable');
    } else if (rules.plainSelector !== true) {
      complaints.immutable('spec.selector', spec['selector'], same(spec['selector'], before['selector']));
    }
  });
}
