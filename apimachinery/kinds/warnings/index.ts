/**
 * What an object is allowed to say and should not: answered in `Warning` headers with a write that is done all the same
 * (rest.WarningsOnCreate and WarningsOnUpdate of kube-apiserver). One row for each resource, with conditions and words
 * of v1.36. Reads objects with care and changes none; says nothing of kinds that users define.
 */
import { compareQuantities } from '../../quantity.js';
import type { Kind } from '../../kind.js';
import type { KubeObject } from '../../object.js';
import { groupResourceOf } from '../../object.js';
import { at, field, recs, str, strs, type Rec } from '../lib/value.js';
import { addressWarnings, cidrListWarnings, hasAnnotation, labelDeprecation, quoted } from './common.js';
import {
  endpointsWarnings,
  ingressAddressWarnings,
  ingressWarnings,
  policyWarnings,
  serviceWarnings,
  sliceWarnings,
} from './network.js';
import { podWarnings } from './pod.js';
import { tlsWarnings } from './secret.js';
import { capacityWarnings, claimWarnings, driverWarnings, storageClassWarnings, volumeWarnings } from './storage.js';
import {
  cronJobWarnings,
  daemonSetWarnings,
  jobWarnings,
  nameWarnings,
  statefulSetWarnings,
  templateWarnings,
  type Warnings,
} from './workload.js';

const MOUNTABLE = 'kubernetes.io/enforce-mountable-secrets';

const serviceAccountWarnings: Warnings = (account, old) =>
  hasAnnotation(account, MOUNTABLE) && (old === undefined || !hasAnnotation(old, MOUNTABLE))
    ? [
        `metadata.annotations[${MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
      ]
    : [];

const nodeWarnings: Warnings = (node) => [
  ...(at(node, 'spec', 'configSource') === undefined ? [] : ['spec.configSource: the feature is removed']),
  ...(str(at(node, 'spec', 'externalID')) === ''
    ? []
    : ['spec.externalID: this field is deprecated, and is unused by Kubernetes']),
  ...cidrListWarnings(strs(at(node, 'spec', 'podCIDRs')), (index) => `spec.podCIDRs[${index}]`),
];

const quotaWarnings: Warnings = (quota, old) =>
  old !== undefined
    ? []
    : ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap((resource) => {
        const hard = at(quota, 'spec', 'hard');
        const bare = field(hard, `requests.${resource}`) === undefined && (resource === 'cpu' || resource === 'memory');
        const [requests, limits] = [bare ? resource : `requests.${resource}`, `limits.${resource}`];
        const [request, limit] = [field(hard, requests), field(hard, limits)];
        return request === undefined || limit === undefined || compareQuantities(request, limit) <= 0
          ? []
          : [`ResourceQuota ${requests} (${str(request)}) should be less than ${limits} (${str(limit)})`];
      });

const runtimeClassWarnings: Warnings = (runtime) =>
  Object.keys((at(runtime, 'scheduling', 'nodeSelector') ?? {}) as Rec).flatMap((label) => {
    const message = labelDeprecation(label);
    return message === undefined ? [] : [`scheduling.nodeSelector: ${message}`];
  });

const driverNameWarnings: Warnings = (slice) => {
  const driver = str(at(slice, 'spec', 'driver'));
  return driver === driver.toLowerCase()
    ? []
    : [`spec.driver: driver names should be lowercase; ${quoted(driver)} contains uppercase characters`];
};

const onCreate =
  (warnings: (object: Rec) => string[]): Warnings =>
  (object, old) =>
    old === undefined ? warnings(object) : [];

const SPEC_TEMPLATE = ['spec', 'template'] as const;

const OBJECTS: ReadonlyMap<string, Warnings> = new Map<string, Warnings>([
  ['pods', onCreate((pod) => [...nameWarnings(pod, "the Pod's hostname"), ...podWarnings(pod, '')])],
  ['podtemplates', templateWarnings(['template'])],
  ['replicationcontrollers', templateWarnings(SPEC_TEMPLATE, true)],
  ['deployments.apps', templateWarnings(SPEC_TEMPLATE, true)],
  ['replicasets.apps', templateWarnings(SPEC_TEMPLATE, true)],
  ['statefulsets.apps', statefulSetWarnings],
  ['daemonsets.apps', daemonSetWarnings],
  ['jobs.batch', jobWarnings(['spec'])],
  ['cronjobs.batch', cronJobWarnings],
  ['services', serviceWarnings],
  ['endpoints', endpointsWarnings],
  ['endpointslices.discovery.k8s.io', sliceWarnings],
  ['ingresses.networking.k8s.io', onCreate(ingressWarnings)],
  ['networkpolicies.networking.k8s.io', policyWarnings],
  ['secrets', tlsWarnings],
  ['serviceaccounts', serviceAccountWarnings],
  ['nodes', nodeWarnings],
  ['resourcequotas', quotaWarnings],
  ['persistentvolumes', volumeWarnings],
  ['persistentvolumeclaims', claimWarnings],
  ['storageclasses.storage.k8s.io', storageClassWarnings],
  ['csistoragecapacities.storage.k8s.io', capacityWarnings],
  ['csidrivers.storage.k8s.io', driverWarnings],
  ['runtimeclasses.node.k8s.io', runtimeClassWarnings],
  ['resourceslices.resource.k8s.io', driverNameWarnings],
]);

const addressesOf =
  (name: string): Warnings =>
  (pod) =>
    recs(at(pod, 'status', name)).flatMap((address, index) =>
      addressWarnings(`status.${name}[${index}].ip`, str(address['ip'])),
    );

const STATUSES: ReadonlyMap<string, Warnings> = new Map<string, Warnings>([
  ['pods', (pod, old) => [...addressesOf('podIPs')(pod, old), ...addressesOf('hostIPs')(pod, old)]],
  ['services', ingressAddressWarnings],
  ['ingresses.networking.k8s.io', ingressAddressWarnings],
]);

/** `old`: of an update. A subresource other than status says nothing. */
export function warningsOf(
  kind: Kind,
  {
    object,
    old,
    subresource,
  }: { readonly object: KubeObject; readonly old?: KubeObject | undefined; readonly subresource?: string | undefined },
): string[] {
  if (kind.isCustom === true || (subresource !== undefined && subresource !== 'status')) return [];
  const table = subresource === undefined ? OBJECTS : STATUSES;
  return table.get(groupResourceOf(kind))?.(object as Rec, old as Rec | undefined) ?? [];
}
