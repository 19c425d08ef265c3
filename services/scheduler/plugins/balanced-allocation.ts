/** NodeResourcesBalancedAllocation: prefers nodes whose resources would be used up evenly. */
import { SCORE_MAX } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';
import { SCORED_RESOURCES } from './node-resources-fit.js';

export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  preScore(pod) {
    // A pod that asks for nothing unbalances nothing.
    if (SCORED_RESOURCES.every((resource) => (pod.requests.get(resource) ?? 0) === 0)) return undefined;
    return {
      score(node) {
        const fractions = SCORED_RESOURCES.filter((resource) => node.allocatable(resource) > 0).map((resource) =>
          Math.min(1, (node.requested(resource) + (pod.requests.get(resource) ?? 0)) / node.allocatable(resource)),
        );
        if (fractions.length === 0) return 0;
        const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length;
        const variance = fractions.reduce((sum, fraction) => sum + (fraction - mean) ** 2, 0) / fractions.length;
        return Math.trunc((1 - Math.sqrt(variance)) * SCORE_MAX);
      },
    };
  },
};
