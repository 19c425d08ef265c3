/**
 * PodSecurity: refuses pods that the labels of their namespace do not allow, warns of templates that would make such
 * pods, and of pods that a namespace's new labels would not allow.
 */
import { namespaces, pods } from '../../../../apimachinery/gen/resources.js';
import type {
  CronJob,
  Namespace,
  Pod,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
} from '../../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../../apimachinery/object.js';
import { groupResourceOf } from '../../../../apimachinery/object.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import type { Clock } from '../../../../platform/clock.js';
import type { AdmissionAttributes, ObjectReader } from '../../ports.js';
import { isResource, type AdmissionPlugin } from '../plugin.js';
import { warningsOfExisting } from './existing-pods.js';
import { detailsOf, violationsOf } from './evaluate.js';
import { isFullyPrivileged, isStricter, levelVersionText, policyOf, sameLevelVersion, type Policy } from './policy.js';
import { containersOf, type ReviewedPod } from './violation.js';

/** These change nothing that a level looks at. */
const IGNORED_SUBRESOURCES = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
]);

const ofSpec = (object: KubeObject): PodTemplateSpec | undefined => (object as ReplicaSet).spec?.template;

/** Where each kind has its pods' template. */
const TEMPLATES: Readonly<Record<string, (object: KubeObject) => PodTemplateSpec | undefined>> = {
  podtemplates: (object) => (object as PodTemplate).template,
  replicationcontrollers: ofSpec,
  'replicasets.apps': ofSpec,
  'deployments.apps': ofSpec,
  'statefulsets.apps': ofSpec,
  'daemonsets.apps': ofSpec,
  'jobs.batch': ofSpec,
  'cronjobs.batch': (object) => (object as CronJob).spec?.jobTemplate?.spec?.template,
};

export function podSecurity(reader: ObjectReader, clock: Clock): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    async validate(attributes) {
      if (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE') return;
      if (isResource(attributes.kind, '', 'namespaces')) reviewNamespace(attributes, reader, clock);
      else if (isResource(attributes.kind, '', 'pods')) await reviewPod(attributes, reader);
      else await reviewTemplate(attributes, reader);
    },
  };
}

function reviewNamespace(attributes: AdmissionAttributes, reader: ObjectReader, clock: Clock): void {
  if (attributes.subresource !== undefined) return;
  const { policy, errors } = policyOf(attributes.object?.metadata?.labels);
  const old = attributes.operation === 'UPDATE' ? policyOf(attributes.oldObject?.metadata?.labels) : undefined;
  // What was wrong before stays acceptable, so that a namespace with a bad label can still be changed.
  if (errors.length > 0 && JSON.stringify(errors) !== JSON.stringify(old?.errors))
    throw apiErrors.invalid(attributes.kind, attributes.name, errors);
  if (
    old === undefined ||
    policy.enforce.level === 'privileged' ||
    sameLevelVersion(policy.enforce, old.policy.enforce)
  )
    return;
  if (policy.enforce.minor === old.policy.enforce.minor && !isStricter(policy.enforce.level, old.policy.enforce.level))
    return;
  const existing = reader.list(pods, { namespace: attributes.name }) as readonly Pod[];
  for (const warning of warningsOfExisting(existing, { namespace: attributes.name, enforce: policy.enforce, clock }))
    attributes.warn(warning);
}

async function policyOfNamespace(attributes: AdmissionAttributes, reader: ObjectReader): Promise<Policy> {
  const ref = { name: attributes.namespace ?? '' };
  const namespace = reader.get(namespaces, ref) ?? (await reader.getFresh(namespaces, ref));
  return policyOf((namespace as Namespace | undefined)?.metadata?.labels).policy;
}

async function reviewPod(attributes: AdmissionAttributes, reader: ObjectReader): Promise<void> {
  if (attributes.subresource !== undefined && IGNORED_SUBRESOURCES.has(attributes.subresource)) return;
  const policy = await policyOfNamespace(attributes, reader);
  if (isFullyPrivileged(policy)) return;
  const pod = attributes.object as Pod;
  if (attributes.operation === 'UPDATE' && !changesWhatLevelsSee(pod, attributes.oldObject as Pod)) return;
  const reviewed = reviewedPod(pod);
  if (reviewed === undefined) return;
  const violations = violationsOf(reviewed, policy.enforce);
  if (violations.length > 0) {
    throw apiErrors.forbidden(
      attributes.kind,
      attributes.name,
      `violates PodSecurity "${levelVersionText(policy.enforce)}": ${detailsOf(violations)}`,
    );
  }
  warnOf(reviewed, { attributes, policy });
}

/** Controllers' templates are never refused: their pods are. */
async function reviewTemplate(attributes: AdmissionAttributes, reader: ObjectReader): Promise<void> {
  const key = groupResourceOf(attributes.kind);
  if (attributes.subresource !== undefined || !Object.hasOwn(TEMPLATES, key) || attributes.object === undefined) return;
  const policy = await policyOfNamespace(attributes, reader);
  const reviewed = reviewedPod(TEMPLATES[key]?.(attributes.object));
  if (reviewed !== undefined) warnOf(reviewed, { attributes, policy });
}

function warnOf(
  pod: ReviewedPod,
  { attributes, policy }: { readonly attributes: AdmissionAttributes; readonly policy: Policy },
): void {
  const violations = violationsOf(pod, policy.warn);
  if (violations.length > 0)
    attributes.warn(`would violate PodSecurity "${levelVersionText(policy.warn)}": ${detailsOf(violations)}`);
}

function reviewedPod(pod: Pod | PodTemplateSpec | undefined): ReviewedPod | undefined {
  return pod?.spec === undefined || pod.spec === null
    ? undefined
    : { annotations: pod.metadata?.annotations ?? {}, spec: pod.spec };
}

/** Of what a level looks at, only images and ephemeral containers can change in a pod that exists. */
function changesWhatLevelsSee(pod: Pod, old: Pod): boolean {
  const now = pod.spec === undefined ? [] : containersOf(pod.spec);
  const before = new Map(
    (old.spec === undefined ? [] : containersOf(old.spec)).map((container) => [container.name, container.image]),
  );
  return now.length !== before.size || now.some(({ name, image }) => !before.has(name) || before.get(name) !== image);
}
