/**
 * What a pod requires of its node: nodeSelector and required node affinity. Pure; for the scheduler and for the node's
 * own admission.
 */
import type { NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../gen/types.js';
import type { Labels } from '../../selector/labels.js';

export interface SelectableNode {
  readonly name: string;
  readonly labels: Labels;
}

const INTEGER = /^[+-]?\d+$/;

/** All operators of a NodeSelectorRequirement. What validation should have refused matches nothing. */
function meets(requirement: NodeSelectorRequirement, values: Labels): boolean {
  const { key, operator, values: wanted = [] } = requirement;
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && wanted.includes(value);
    case 'NotIn':
      return value === undefined || !wanted.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [bound] = wanted;
      if (value === undefined || bound === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}

/** An empty term matches no node (API conventions of NodeSelectorTerm). */
export function termSelects(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => meets(requirement, node.labels)) &&
    matchFields.every(
      (requirement) => requirement.key === 'metadata.name' && meets(requirement, { 'metadata.name': node.name }),
    )
  );
}

/** What the pod requires of its node: nodeSelector and required node affinity. */
export function requiredNodeMatches(pod: Pod, node: SelectableNode): boolean {
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {}))
    if (!Object.hasOwn(node.labels, key) || node.labels[key] !== value) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => termSelects(term, node));
}
