/** TaintToleration: a pod stays off nodes whose taints it does not tolerate, and prefers those that mind it least. */
import type { Taint, Toleration } from '../../../apimachinery/gen/types.js';
import { scaleByMax, unfit } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';

type TaintFacts = Pick<Taint, 'key' | 'value' | 'effect'>;

function toleratesTaint(toleration: Toleration, taint: TaintFacts): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  const key = toleration.key ?? '';
  if (key !== '' && key !== taint.key) return false;
  const operator = toleration.operator === undefined || toleration.operator === '' ? 'Equal' : toleration.operator;
  if (operator === 'Exists') return true;
  // An empty key stands for all keys with Exists only.
  if (operator !== 'Equal' || key === '') return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

export function tolerates(tolerations: readonly Toleration[] | undefined, taint: TaintFacts): boolean {
  return (tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint));
}

/** The first taint that keeps the pod off. */
export function untolerated(tolerations: readonly Toleration[] | undefined, taints: readonly Taint[]): Taint | undefined {
  return taints.find((taint) => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !tolerates(tolerations, taint));
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  preFilter({ pod }) {
    return {
      kind: 'filter',
      filter(node) {
        const taint = untolerated(pod.spec?.tolerations, node.taints);
        return taint === undefined ? undefined : unfit(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
      },
    };
  },
  preScore({ pod }) {
    const tolerations = pod.spec?.tolerations;
    return {
      score: (node) => node.taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint)).length,
      normalize: (scores) => scaleByMax(scores, true),
    };
  },
  mayHelp: (event) => event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('taints')),
};
