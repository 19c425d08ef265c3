/** NodeResourcesFit: requests fit into what is left of the node; the emptiest node scores best (LeastAllocated). */
import type { NodeInfo } from '../framework/node-info.js';
import { SCORE_MAX, busy, unfit } from '../framework/plugin.js';
import type { ClusterEvent, Plugin } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';

/** Resources whose scarcity counts for scores, alike. */
export const SCORED_RESOURCES = ['cpu', 'memory'] as const;

/** Names of the resources that are short; 'pods' when the node holds as many as it may. */
function shortOf(pod: PodInfo, node: NodeInfo): string[] {
  const short: string[] = [];
  if (node.podCount + 1 > node.allocatable('pods')) short.push('pods');
  for (const [name, amount] of pod.requests) {
    if (amount > 0 && amount > node.allocatable(name) - node.requested(name)) short.push(name);
  }
  return short;
}

const reasonOf = (resource: string): string => (resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}`);

function leastAllocated(pod: PodInfo, node: NodeInfo): number {
  let sum = 0;
  let count = 0;
  for (const resource of SCORED_RESOURCES) {
    const allocatable = node.allocatable(resource);
    if (allocatable === 0) continue;
    const used = node.scoredRequest(resource) + (pod.scoredRequests.get(resource) ?? 0);
    sum += used > allocatable ? 0 : Math.trunc(((allocatable - used) * SCORE_MAX) / allocatable);
    count++;
  }
  return count === 0 ? 0 : Math.trunc(sum / count);
}

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  preFilter: (pod) => ({
    kind: 'filter',
    filter: (node) => {
      const short = shortOf(pod, node);
      if (short.length === 0) return undefined;
      // What the empty node could not hold, preemption cannot make room for.
      const possible = short.every(
        (name) => name === 'pods' || (pod.requests.get(name) ?? 0) <= node.allocatable(name),
      );
      return possible ? busy(...short.map(reasonOf)) : unfit(...short.map(reasonOf));
    },
  }),
  preScore: (pod) => ({ score: (node) => leastAllocated(pod, node) }),
  mayHelp: (event: ClusterEvent) =>
    event.kind === 'node-added' ||
    event.kind === 'pod-removed' ||
    (event.kind === 'node-changed' && event.changes.has('allocatable')),
};
