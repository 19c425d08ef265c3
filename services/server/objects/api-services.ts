/**
 * An APIService for each group and version that is built in: this server answers for it (kube-aggregator's local ones).
 */
import { apiServices } from '../../../apimachinery/gen/resources.js';
import type { APIService } from '../../../apimachinery/gen/types.js';
import type { ObjectService } from '../../../apimachinery/object-service.js';
import { toTime, type Clock } from '../../../platform/clock.js';
import { createWithStatus } from './create-with-status.js';

/** In which order clients prefer groups; and versions, the later first. */
const GROUP_PRIORITIES: Readonly<Record<string, number>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'resource.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
};
const VERSION_PRIORITIES: Readonly<Record<string, number>> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 21,
};
const VERSION_PRIORITY = 15;
/** The aggregator's own group has none: it answers for the others. */
const AGGREGATOR = 'apiregistration.k8s.io';

interface Served {
  readonly group: string;
  readonly version: string;
}

function localApiServices(served: readonly Served[], now_ms: number): APIService[] {
  const groups = new Map(
    served.filter(({ group }) => group !== AGGREGATOR).map((one) => [`${one.version}.${one.group}`, one]),
  );
  return [...groups].map(([name, { group, version }]) => ({
    metadata: { name, labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: GROUP_PRIORITIES[group] ?? 1_000,
      versionPriority: VERSION_PRIORITIES[`${group}/${version}`] ?? VERSION_PRIORITY,
    },
    status: {
      conditions: [
        {
          type: 'Available',
          status: 'True',
          reason: 'Local',
          message: 'Local APIServices are always available',
          lastTransitionTime: toTime(now_ms),
        },
      ],
    },
  }));
}

/** Safe on every member at once and on every start: what is there stays as it is. */
export async function ensureApiServices(
  service: ObjectService,
  served: readonly Served[],
  clock: Clock,
): Promise<void> {
  await Promise.all(
    localApiServices(served, clock.now()).map((object) => createWithStatus(service, apiServices, object)),
  );
}
