/**
 * Which waits of a pod's containers have begun between two of its statuses: each is told once (kubelet's reason
 * BackOff). Pure.
 */
import type { PodEvent } from './environment.js';
import { containersOf, fieldPathOf, fullNameOf, keyOf, specOf } from '../pod-spec/spec.js';
import type { ContainerStatus, Pod, PodStatus } from '../pod-spec/types.js';

export function backOffEvents(pod: Pod, before: PodStatus | undefined, after: PodStatus): PodEvent[] {
  const key = keyOf(pod);
  const told = new Map(statusesOf(before).map((status) => [status.name, waitOf(status)]));
  const fresh = new Map(statusesOf(after).map((status) => [status.name, status]));
  return containersOf(specOf(pod)).flatMap((roled): PodEvent[] => {
    const { name, image = '' } = roled.container;
    const status = fresh.get(name);
    const wait = status === undefined ? undefined : waitOf(status);
    if (wait === undefined || wait === told.get(name)) return [];
    const event = { key, fieldPath: fieldPathOf(roled), reason: 'BackOff' };
    return status?.state?.waiting?.reason === 'CrashLoopBackOff'
      ? [
          {
            ...event,
            type: 'Warning',
            message: `Back-off restarting failed container ${name} in pod ${fullNameOf(key)}`,
          },
        ]
      : [{ ...event, type: 'Normal', message: `Back-off pulling image "${image}"` }];
  });
}

function statusesOf(status: PodStatus | undefined): ContainerStatus[] {
  return [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
}

function waitOf({ state, restartCount }: ContainerStatus): string | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  return reason === 'CrashLoopBackOff' || reason === 'ImagePullBackOff'
    ? `${reason} ${restartCount} ${message}`
    : undefined;
}
