/** TaintToleration: a pod stays off nodes whose taints it does not tolerate, and prefers those that mind it least. */
import type { Taint, Toleration } from '../../../apimachinery/gen/types.js';
import { tolerates } from '../../../apimachinery/kinds/pod/tolerations.js';
import { scaleByMax, unfit } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';

/** The first taint that keeps the pod off. */
export function untolerated(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[],
): Taint | undefined {
  return taints.find(
    (taint) => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !tolerates(tolerations, taint),
  );
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  preFilter({ pod }) {
    return {
      kind: 'filter',
      filter(node) {
        const taint = untolerated(pod.spec?.tolerations, node.taints);
        return taint === undefined
          ? undefined
          : unfit(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
      },
    };
  },
  preScore({ pod }) {
    const tolerations = pod.spec?.tolerations;
    return {
      score: (node) =>
        node.taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint)).length,
      normalize: (scores) => scaleByMax(scores, true),
    };
  },
  mayHelp: (event) => event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('taints')),
};
