/**
 * PodTopologySpread: keeps the pods of one group even over zones, hosts or any other label of nodes.
 *
 * Constraints with DoNotSchedule filter, those with ScheduleAnyway score. A pod without constraints of its own, but
 * with an owner or a Service, is spread by score over zones and hosts, as kube-scheduler's defaults do.
 */
import { assert } from '../../../platform/assert.js';
import type { TopologySpreadConstraint } from '../../../apimachinery/gen/types.js';
import { requiredNodeMatches } from '../../../apimachinery/kinds/pod/node-requirements.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { LabelSelector } from '../../../apimachinery/selector/labels.js';
import { HOSTNAME_LABEL } from '../../../apimachinery/well-known.js';
import type { NodeInfo } from '../framework/node-info.js';
import { SCORE_MAX, busy, unfit } from '../framework/plugin.js';
import type {
  ClusterEvent,
  ClusterView,
  GroupSelector,
  NodeScorer,
  Plugin,
  PreFilterResult,
} from '../framework/plugin.js';
import { withOwnLabels } from '../framework/pod-info.js';
import type { PodInfo } from '../framework/pod-info.js';
import { untolerated } from './taints.js';

const ZONE = 'topology.kubernetes.io/zone';
const REASON = "node(s) didn't match pod topology spread constraints";

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelSelector;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

function constraintOf(raw: TopologySpreadConstraint, pod: PodInfo): Constraint {
  return {
    topologyKey: raw.topologyKey,
    maxSkew: raw.maxSkew,
    minDomains: raw.minDomains ?? 1,
    selector: withOwnLabels(labelSelectorOf(raw.labelSelector), pod.labels, {
      match: raw.matchLabelKeys ?? [],
      mismatch: [],
    }),
    honorsAffinity: (raw.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorsTaints: (raw.nodeTaintsPolicy ?? 'Ignore') === 'Honor',
  };
}

function constraintsOf(pod: PodInfo, whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway'): Constraint[] {
  return (pod.pod.spec?.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => constraintOf(constraint, pod));
}

const defaultConstraint = (topologyKey: string, maxSkew: number, selector: LabelSelector): Constraint => ({
  topologyKey,
  maxSkew,
  minDomains: 1,
  selector,
  honorsAffinity: true,
  honorsTaints: false,
});

/** Nodes that the pod could never go to do not count as domains. */
function counts(constraint: Constraint, pod: PodInfo, node: NodeInfo): boolean {
  if (constraint.honorsAffinity && !requiredNodeMatches(pod.pod, node)) return false;
  return !constraint.honorsTaints || untolerated(pod.pod.spec?.tolerations, node.taints) === undefined;
}

function matchingOn(node: NodeInfo, pod: PodInfo, selector: LabelSelector): number {
  let count = 0;
  for (const other of node.podsIn(pod.namespace)) {
    if (other.pod.metadata?.deletionTimestamp === undefined && selector.matches(other.labels)) count++;
  }
  return count;
}

const hasAllKeys = (node: NodeInfo, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => node.topology(topologyKey) !== undefined);

/** For each constraint: domain -> matching pods. */
function countDomains(
  constraints: readonly Constraint[],
  pod: PodInfo,
  nodes: Iterable<NodeInfo>,
  requireAllKeys: boolean,
): Map<string, number>[] {
  const domains = constraints.map(() => new Map<string, number>());
  for (const node of nodes) {
    if (requireAllKeys && !hasAllKeys(node, constraints)) continue;
    for (const [i, constraint] of constraints.entries()) {
      const domain = node.topology(constraint.topologyKey);
      if (domain === undefined || !counts(constraint, pod, node)) continue;
      const byDomain = domains[i];
      assert(byDomain !== undefined, 'one map for each constraint');
      byDomain.set(domain, (byDomain.get(domain) ?? 0) + matchingOn(node, pod, constraint.selector));
    }
  }
  return domains;
}

function preFilter(pod: PodInfo, cluster: ClusterView): PreFilterResult {
  const constraints = constraintsOf(pod, 'DoNotSchedule');
  if (constraints.length === 0) return 'skip';
  const domains = countDomains(constraints, pod, cluster.nodes(), true);
  const checks = constraints.map((constraint, i) => {
    const byDomain = domains[i] ?? new Map<string, number>();
    const least = byDomain.size < constraint.minDomains ? 0 : Math.min(...byDomain.values());
    return { constraint, byDomain, least, self: constraint.selector.matches(pod.labels) ? 1 : 0 };
  });
  return {
    kind: 'filter',
    filter(node) {
      for (const { constraint, byDomain, least, self } of checks) {
        const domain = node.topology(constraint.topologyKey);
        if (domain === undefined) return unfit(`${REASON} (missing required label)`);
        const skew = (byDomain.get(domain) ?? 0) + self - (Number.isFinite(least) ? least : 0);
        if (skew > constraint.maxSkew) return busy(REASON);
      }
      return undefined;
    },
  };
}

/** Scores by how many pods of the group are near; domains weigh less the more of them there are. */
function scorer(
  constraints: readonly Constraint[],
  pod: PodInfo,
  context: { cluster: ClusterView; nodes: readonly NodeInfo[]; requireAllKeys: boolean },
): NodeScorer {
  const { cluster, nodes, requireAllKeys } = context;
  const candidates = requireAllKeys ? nodes.filter((node) => hasAllKeys(node, constraints)) : nodes;
  const ignored = new Set(requireAllKeys ? nodes.filter((node) => !hasAllKeys(node, constraints)) : []);
  // A host is a domain of its own: its pods are counted when it is scored.
  const counted = constraints.map((constraint) => (constraint.topologyKey === HOSTNAME_LABEL ? undefined : constraint));
  const wide = counted.filter((constraint) => constraint !== undefined);
  const domains = new Map(
    countDomains(wide, pod, cluster.nodes(), requireAllKeys).map((byDomain, i) => [wide[i], byDomain]),
  );
  const weights = constraints.map((constraint) => {
    const size =
      constraint.topologyKey === HOSTNAME_LABEL
        ? candidates.length
        : new Set(
            candidates.map((node) => node.topology(constraint.topologyKey)).filter((domain) => domain !== undefined),
          ).size;
    return Math.log(size + 2);
  });
  const scored: NodeInfo[] = [];
  return {
    score(node) {
      scored.push(node);
      if (ignored.has(node)) return 0;
      return Math.round(
        constraints.reduce((sum, constraint, i) => {
          const domain = node.topology(constraint.topologyKey);
          if (domain === undefined) return sum;
          const near =
            domains.get(constraint)?.get(domain) ??
            (constraint.topologyKey === HOSTNAME_LABEL ? matchingOn(node, pod, constraint.selector) : 0);
          return sum + near * (weights[i] ?? 0) + (constraint.maxSkew - 1);
        }, 0),
      );
    },
    normalize(scores) {
      const relevant = scores.filter((_, i) => !ignored.has(scored[i] as NodeInfo));
      const [least, most] = [Math.min(...relevant), Math.max(...relevant)];
      for (let i = 0; i < scores.length; i++) {
        const node = scored[i];
        if (node !== undefined && ignored.has(node)) scores[i] = 0;
        else scores[i] = most === 0 ? SCORE_MAX : Math.trunc((SCORE_MAX * (most + least - (scores[i] ?? 0))) / most);
      }
    },
  };
}

function mayHelp(event: ClusterEvent, pod: PodInfo): boolean {
  switch (event.kind) {
    case 'node-added':
      return true;
    case 'node-changed':
      return event.changes.has('labels') || event.changes.has('taints');
    case 'pod-assigned':
    case 'pod-relabelled':
    case 'pod-removed':
      return event.pod.namespace === pod.namespace;
    case 'namespace-changed':
      return false;
    default:
      return event satisfies never;
  }
}

export function podTopologySpread(groupSelector: GroupSelector): Plugin {
  return {
    name: 'PodTopologySpread',
    weight: 2,
    preFilter,
    preScore(pod, cluster, nodes) {
      const own = constraintsOf(pod, 'ScheduleAnyway');
      if (own.length > 0) return scorer(own, pod, { cluster, nodes, requireAllKeys: true });
      if ((pod.pod.spec?.topologySpreadConstraints ?? []).length > 0) return undefined;
      const selector = groupSelector(pod);
      if (selector === undefined) return undefined;
      const defaults = [defaultConstraint(HOSTNAME_LABEL, 3, selector), defaultConstraint(ZONE, 5, selector)];
      return scorer(defaults, pod, { cluster, nodes, requireAllKeys: false });
    },
    mayHelp,
  };
}
