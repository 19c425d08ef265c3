/**
 * Volume protection: a claim that is asked to go stays while a pod uses it, a volume while it is bound, a class of
 * attributes while a claim or a volume has it. In: claims, volumes, classes, pods. Out: their finalizers, taken away
 * when nothing holds them, and added where a version before did not.
 */
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from '../../../apimachinery/gen/resources.js';
import type { PersistentVolumeClaim, Pod } from '../../../apimachinery/gen/types.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { PV_PROTECTION, PVC_PROTECTION, VAC_PROTECTION } from '../../../apimachinery/well-known.js';
import { Controller, done, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { ignoring } from '../lib/errors.js';
import { claimNamesOf, classesOfClaim, classesOfVolume, isBound, usesClaim } from './usage.js';

const CLAIM_INDEX = 'claim';

interface Protection<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly finalizer: string;
  readonly isUsed: (object: T, signal: AbortSignal) => Promise<boolean>;
}

async function protect<T extends KubeObject>(
  context: ControllerContext,
  protection: Protection<T>,
  of: { readonly object: T; readonly signal: AbortSignal },
): Promise<ReconcileResult> {
  const { object, signal } = of;
  const { finalizer, resource } = protection;
  const finalizers = object.metadata?.finalizers ?? [];
  const isProtected = finalizers.includes(finalizer);
  const isGoing = object.metadata?.deletionTimestamp !== undefined;
  if (isGoing ? !isProtected || (await protection.isUsed(object, signal)) : isProtected) return done;
  const wanted = isGoing ? finalizers.filter((one) => one !== finalizer) : [...finalizers, finalizer];
  const changed = { ...object, metadata: { ...object.metadata, finalizers: wanted } };
  await context.client.update(resource, changed, { signal }).catch(ignoring('NotFound'));
  return done;
}

export function createClaimProtectionController(context: ControllerContext): Controller {
  const claims = context.informers.informer(persistentVolumeClaims);
  const podInformer = context.informers.informer(pods);
  const claimKeys = (pod: Pod) => claimNamesOf(pod).map((name) => `${pod.metadata?.namespace ?? ''}/${name}`);
  podInformer.addIndex(CLAIM_INDEX, claimKeys);
  const isUsed = async (claim: PersistentVolumeClaim, signal: AbortSignal): Promise<boolean> => {
    const { namespace = '', name = '' } = claim.metadata ?? {};
    if (podInformer.lister.byIndex(CLAIM_INDEX, `${namespace}/${name}`).some((pod) => usesClaim(pod, claim)))
      return true;
    // The cache may be behind, and a finalizer once gone does not come back: the API is asked.
    return (await context.client.list(pods, { namespace, signal })).items.some((pod) => usesClaim(pod, claim));
  };
  return new Controller({
    name: 'pvc-protection',
    clock: context.clock,
    logger: context.logger,
    workers: 2,
    sources: [sourceOf(claims, bySelf), sourceOf(podInformer, claimKeys)],
    async reconcile(key, { signal }) {
      const object = claims.lister.get(key);
      return object === undefined
        ? done
        : protect(context, { resource: persistentVolumeClaims, finalizer: PVC_PROTECTION, isUsed }, { object, signal });
    },
  });
}

export function createVolumeProtectionController(context: ControllerContext): Controller {
  const volumes = context.informers.informer(persistentVolumes);
  return new Controller({
    name: 'pv-protection',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [sourceOf(volumes, bySelf)],
    async reconcile(key, { signal }) {
      const object = volumes.lister.get(key);
      const isUsed = (volume: NonNullable<typeof object>) => Promise.resolve(isBound(volume));
      return object === undefined
        ? done
        : protect(context, { resource: persistentVolumes, finalizer: PV_PROTECTION, isUsed }, { object, signal });
    },
  });
}

export function createClassProtectionController(context: ControllerContext): Controller {
  const classes = context.informers.informer(volumeAttributesClasses);
  const claims = context.informers.informer(persistentVolumeClaims);
  const volumes = context.informers.informer(persistentVolumes);
  const { client } = context;
  const isUsed = async (name: string, signal: AbortSignal): Promise<boolean> =>
    (await client.list(persistentVolumes, { signal })).items.some((volume) => classesOfVolume(volume).includes(name)) ||
    (await client.list(persistentVolumeClaims, { signal })).items.some((claim) => classesOfClaim(claim).includes(name));
  return new Controller({
    name: 'vac-protection',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [sourceOf(classes, bySelf), sourceOf(claims, classesOfClaim), sourceOf(volumes, classesOfVolume)],
    async reconcile(key, { signal }) {
      const object = classes.lister.get(key);
      if (object === undefined) return done;
      return protect(
        context,
        { resource: volumeAttributesClasses, finalizer: VAC_PROTECTION, isUsed: () => isUsed(key, signal) },
        { object, signal },
      );
    },
  });
}
