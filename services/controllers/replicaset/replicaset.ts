/**
 * ReplicaSet: keeps `spec.replicas` pods that match the selector and are controlled by the set. `decide.ts` has what it
 * does and reports, `lib/workload/pod-owner.ts` how it owns pods.
 */
import { pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { Pod, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { Controller } from '../../../sdk/controller/controller.js';
import type { ControllerContext } from '../context.js';
import { controllerOf, ownedObjects } from '../lib/owners.js';
import { createPodOwnerController } from '../lib/workload/pod-owner.js';
import { isActive } from '../lib/pods.js';
import { decide, report } from './decide.js';

export function createReplicaSetController(context: ControllerContext): Controller {
  const siblings = ownedObjects(context.informers.informer(replicaSets));
  const podsOf = ownedObjects(context.informers.informer(pods));
  const related = (set: ReplicaSet, own: readonly Pod[]): readonly Pod[] => {
    const above = controllerOf(set);
    if (above === undefined) return own;
    return siblings.ofUid(above.uid).flatMap((sibling) => podsOf.of(sibling));
  };
  return createPodOwnerController(context, {
    name: 'replicaset',
    resource: replicaSets,
    workers: 5,
    selectorOf: ({ spec }: ReplicaSet) => labelSelectorOf(spec?.selector),
    isClaimable: isActive,
    gather: ({ owner, pods: own }) => ({ related: related(owner, own) }),
    decide,
    report,
  });
}
