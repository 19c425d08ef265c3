/** Plugins that choose by what a node is: NodeName, NodeUnschedulable, NodeAffinity (with nodeSelector). */
import type { NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../../apimachinery/gen/types.js';
import type { Labels } from '../../../apimachinery/selector/labels.js';
import { UNSCHEDULABLE_TAINT } from '../../../apimachinery/well-known.js';
import type { NodeInfo } from '../framework/node-info.js';
import { scaleByMax, unfit } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';
import { tolerates } from './taints.js';

/** Set once a pod is bound; a pod that comes with it is only checked, never scheduled elsewhere. */
export const nodeName: Plugin = {
  name: 'NodeName',
  preFilter(pod) {
    const wanted = pod.pod.spec?.nodeName ?? '';
    if (wanted === '') return 'skip';
    return { kind: 'filter', filter: (node) => (node.name === wanted ? undefined : unfit("node(s) didn't match the requested node name")) };
  },
  mayHelp: (event) => event.kind === 'node-added',
};

const UNSCHEDULABLE = { key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' };

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  preFilter: (pod) => ({
    kind: 'filter',
    filter: (node) => (node.node?.spec?.unschedulable === true && !tolerates(pod.pod.spec?.tolerations, UNSCHEDULABLE)
      ? unfit('node(s) were unschedulable') : undefined),
  }),
  mayHelp: (event) => event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('unschedulable')),
};

const INTEGER = /^[+-]?\d+$/;

/** All operators of a NodeSelectorRequirement. What validation should have refused matches nothing. */
function meets(requirement: NodeSelectorRequirement, values: Labels): boolean {
  const { key, operator, values: wanted = [] } = requirement;
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  switch (operator) {
    case 'In': return value !== undefined && wanted.includes(value);
    case 'NotIn': return value === undefined || !wanted.includes(value);
    case 'Exists': return value !== undefined;
    case 'DoesNotExist': return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [bound] = wanted;
      if (value === undefined || bound === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default: return false;
  }
}

/** An empty term matches no node (API conventions of NodeSelectorTerm). */
export function termSelects(term: NodeSelectorTerm, node: NodeInfo): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  return matchExpressions.every((requirement) => meets(requirement, node.labels))
    && matchFields.every((requirement) => requirement.key === 'metadata.name' && meets(requirement, { 'metadata.name': node.name }));
}

/** What the pod requires of its node: nodeSelector and required node affinity. */
export function requiredNodeMatches(pod: Pod, node: NodeInfo): boolean {
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {})) if (node.topology(key) !== value) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => termSelects(term, node));
}

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  preFilter({ pod }) {
    const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && Object.keys(pod.spec?.nodeSelector ?? {}).length === 0) return 'skip';
    return {
      kind: 'filter',
      filter: (node) => (requiredNodeMatches(pod, node) ? undefined : unfit("node(s) didn't match Pod's node affinity/selector")),
    };
  },
  preScore({ pod }) {
    const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      score: (node) => preferred.reduce((sum, { weight, preference }) => sum + (termSelects(preference, node) ? weight : 0), 0),
      normalize: (scores) => scaleByMax(scores, false),
    };
  },
  mayHelp: (event) => event.kind === 'node-added' || (event.kind === 'node-changed' && event.changes.has('labels')),
};
