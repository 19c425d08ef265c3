/** Plugins that choose by what a node is: NodeName, NodeUnschedulable, NodeAffinity (with nodeSelector). */
import { requiredNodeMatches, termSelects } from '../../../apimachinery/kinds/pod/node-requirements.js';
import { tolerates } from '../../../apimachinery/kinds/pod/tolerations.js';
import { UNSCHEDULABLE_TAINT } from '../../../apimachinery/well-known.js';
import { scaleByMax, unfit } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';

/** Set once a pod is bound; a pod that comes with it is only checked, never scheduled elsewhere. */
export const nodeName: Plugin = {
  name: 'NodeName',
  preFilter(pod) {
    const wanted = pod.pod.spec?.nodeName ?? '';
    if (wanted === '') return 'skip';
    return {
      kind: 'filter',
      filter: (node) => (node.name === wanted ? undefined : unfit("node(s) didn't match the requested node name")),
    };
  },
  mayHelp: (event) => event.kind === 'node-added',
};

const UNSCHEDULABLE = { key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' };

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  preFilter: (pod) => ({
    kind: 'filter',
    filter: (node) =>
      node.node?.spec?.unschedulable === true && !tolerates(pod.pod.spec?.tolerations, UNSCHEDULABLE)
        ? unfit('node(s) were unschedulable')
        : undefined,
  }),
  mayHelp: (event) =>
    event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('unschedulable')),
};

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  preFilter({ pod }) {
    const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && Object.keys(pod.spec?.nodeSelector ?? {}).length === 0) return 'skip';
    return {
      kind: 'filter',
      filter: (node) =>
        requiredNodeMatches(pod, node) ? undefined : unfit("node(s) didn't match Pod's node affinity/selector"),
    };
  },
  preScore({ pod }) {
    const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      score: (node) =>
        preferred.reduce((sum, { weight, preference }) => sum + (termSelects(preference, node) ? weight : 0), 0),
      normalize: (scores) => scaleByMax(scores, false),
    };
  },
  mayHelp: (event) => event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('labels')),
};
