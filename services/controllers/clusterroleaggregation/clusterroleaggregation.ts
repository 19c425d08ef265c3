/**
 * Aggregated roles: a ClusterRole with an `aggregationRule` gets the rules of all ClusterRoles that its selectors
 * match, so that a chart's role for `view`, `edit` or `admin` is theirs who have those
 * (k8s.io/kubernetes/pkg/controller/clusterroleaggregation).
 */
import { clusterRoles } from '../../../apimachinery/gen/resources.js';
import type { ClusterRole, PolicyRule } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf, type LabelSelectorObject } from '../../../apimachinery/selector/labels.js';
import { Controller, done } from '../../../sdk/controller/controller.js';
import { sourceOf } from '../../../sdk/controller/source.js';
import { keyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';

const nameOf = ({ metadata }: ClusterRole) => metadata?.name ?? '';

/** The rules that the role ought to have, each once: selector by selector, then by the names of the roles. */
function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const sorted = all
    .filter((other) => nameOf(other) !== nameOf(role))
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  for (const given of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selector = labelSelectorOf(given as LabelSelectorObject);
    for (const other of sorted) {
      if (!selector.matches(other.metadata?.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.some((known) => equalJson(known, rule))) rules.push(rule);
    }
  }
  return rules;
}

export function createClusterRoleAggregationController(context: ControllerContext): Controller {
  const informer = context.informers.informer(clusterRoles);
  // Whatever changes may concern any of them: a label may have come or gone.
  const aggregated = () =>
    informer.lister
      .list()
      .filter((role) => role.aggregationRule !== undefined)
      .map(keyOf);
  return new Controller({
    name: 'clusterrole-aggregation',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [sourceOf(informer, aggregated)],
    async reconcile(key, { signal }) {
      const role = informer.lister.get(key);
      if (role?.aggregationRule === undefined || role.metadata?.deletionTimestamp !== undefined) return done;
      const rules = aggregatedRules(role, informer.lister.list());
      if (equalJson(rules, role.rules ?? [])) return done;
      await context.client.update(clusterRoles, { ...role, rules }, { signal }).catch(ignoring('NotFound'));
      return done;
    },
  });
}
