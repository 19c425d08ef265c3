/**
 * The group a pod belongs to, by the Services that select it and the owner that made it: what default spreading counts.
 */
import { LabelSelector, labelSelectorOf, labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import type { LabelRequirement } from '../../../apimachinery/selector/labels.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { ReplicaSet, Service, StatefulSet } from '../../../apimachinery/gen/types.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import type { PodInfo } from '../framework/pod-info.js';
import type { GroupSelector } from '../framework/plugin.js';

export interface GroupListers {
  /** With an index `namespace`. */
  readonly services: Lister<Service>;
  readonly replicaSets: Lister<ReplicaSet>;
  readonly statefulSets: Lister<StatefulSet>;
}

export const byNamespace = (object: KubeObject): string[] => [object.metadata?.namespace ?? ''];

export function groupSelectorOf(listers: GroupListers): GroupSelector {
  return (pod) => {
    const requirements: LabelRequirement[] = [];
    for (const service of listers.services.byIndex('namespace', pod.namespace)) {
      const selector = labelSelectorOfMap(service.spec?.selector);
      if (!selector.isEverything && selector.matches(pod.labels)) requirements.push(...selector.requirements);
    }
    requirements.push(...ownerRequirements(pod, listers));
    return requirements.length === 0 ? undefined : new LabelSelector(requirements);
  };
}

function ownerRequirements(pod: PodInfo, listers: GroupListers): readonly LabelRequirement[] {
  const owner = pod.pod.metadata?.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return [];
  const ref = { namespace: pod.namespace, name: owner.name };
  const found =
    owner.kind === 'ReplicaSet'
      ? listers.replicaSets.getByRef(ref)
      : owner.kind === 'StatefulSet'
        ? listers.statefulSets.getByRef(ref)
        : undefined;
  return found?.metadata?.uid === owner.uid ? labelSelectorOf(found.spec?.selector).requirements : [];
}
