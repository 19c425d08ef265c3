/**
 * RBAC rules as lines: `get,list core,apps pods,deployments`, with names behind (`update core configmaps
 * cluster-info`), or of paths: `get /healthz,/livez`. The core group is `core`.
 */
import type { PolicyRule } from './policy-rule.js';

/** By the name of the role. */
export type RuleLines = Readonly<Record<string, readonly string[]>>;

export function rulesOf(lines: readonly string[]): PolicyRule[] {
  return lines.map((line) => {
    const [verbs = [], groups = [], resources = [], names] = line.split(' ').map((part) => part.split(','));
    if (resources.length === 0) return { verbs, nonResourceURLs: groups };
    return {
      verbs,
      apiGroups: groups.map((group) => (group === 'core' ? '' : group)),
      resources,
      ...(names === undefined ? {} : { resourceNames: names }),
    };
  });
}
