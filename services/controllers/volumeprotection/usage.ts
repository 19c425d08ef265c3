/**
 * Whether a claim or a volume is in use. Pure functions (k8s.io/kubernetes/pkg/controller/volume/pvcprotection,
 * pvprotection).
 */
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../../apimachinery/gen/types.js';
import { controllerOf } from '../lib/owners.js';
import { isTerminating } from '../lib/pods.js';

/** The name of the claim that a generic ephemeral volume makes for itself. */
const ephemeralClaimName = (pod: Pod, volume: Volume) => `${pod.metadata?.name ?? ''}-${volume.name}`;

/** Names of the claims that a pod refers to, whether or not it is placed. */
export function claimNamesOf(pod: Pod): string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral === undefined ? [] : [ephemeralClaimName(pod, volume)];
  });
}

/** The kubelet is done with it, or it was deleted by force: what may still hold the object must not hold its claims. */
const isShutDown = (pod: Pod) => isTerminating(pod) && Number(pod.metadata?.deletionGracePeriodSeconds ?? -1) === 0;

/** A pod that no node has yet does not count: it would not be started with a claim that is going. */
export function usesClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if ((pod.spec?.nodeName ?? '') === '' || pod.metadata?.namespace !== claim.metadata?.namespace) return false;
  const name = claim.metadata?.name;
  return (pod.spec?.volumes ?? []).some(
    (volume) =>
      volume.persistentVolumeClaim?.claimName === name ||
      (volume.ephemeral !== undefined &&
        !isShutDown(pod) &&
        ephemeralClaimName(pod, volume) === name &&
        controllerOf(claim)?.uid === pod.metadata?.uid),
  );
}

export const isBound = (volume: PersistentVolume): boolean => volume.status?.phase === 'Bound';

/** The classes of attributes that a claim has, had asked for, or is being given. */
export function classesOfClaim({ spec, status }: PersistentVolumeClaim): string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names)].filter((name): name is string => name !== undefined && name !== '');
}

export const classesOfVolume = ({ spec }: PersistentVolume): string[] =>
  spec?.volumeAttributesClassName === undefined ? [] : [spec.volumeAttributesClassName];
