/**
 * InterPodAffinity: pods that want to be near others, or away from them; required terms filter, preferred ones score.
 */
import type { NodeInfo } from '../framework/node-info.js';
import { SCORE_MAX, busy, unfit } from '../framework/plugin.js';
import type { ClusterEvent, ClusterView, NodeScorer, Plugin, PreFilterResult } from '../framework/plugin.js';
import { termMatches } from '../framework/pod-info.js';
import type { AffinityTerm, PodInfo } from '../framework/pod-info.js';

/** A pod that requires to be near this one draws it with this weight. */
const HARD_AFFINITY_WEIGHT = 1;

/** Counts for a label of nodes and its value. */
class TopologyCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(node: NodeInfo, topologyKey: string, amount: number): void {
    const value = node.topology(topologyKey);
    if (value === undefined || amount === 0) return;
    let values = this.#counts.get(topologyKey);
    if (values === undefined) this.#counts.set(topologyKey, (values = new Map()));
    values.set(value, (values.get(value) ?? 0) + amount);
  }

  at(node: NodeInfo, topologyKey: string): number {
    const value = node.topology(topologyKey);
    return value === undefined ? 0 : (this.#counts.get(topologyKey)?.get(value) ?? 0);
  }

  /** Over all labels that have counts. */
  sumAt(node: NodeInfo): number {
    let sum = 0;
    for (const key of this.#counts.keys()) sum += this.at(node, key);
    return sum;
  }

  anyAt(node: NodeInfo): boolean {
    for (const key of this.#counts.keys()) if (this.at(node, key) > 0) return true;
    return false;
  }
}

interface Counts {
  /** Places where a pod stands that does not bear the new one. */
  readonly refused: TopologyCounts;
  /** Places of pods that match all required affinity terms. */
  readonly wanted: TopologyCounts;
  /** Places of pods that match an anti-affinity term, for each term. */
  readonly avoided: readonly TopologyCounts[];
}

function countAll(pod: PodInfo, cluster: ClusterView): Counts {
  const labelsOf = (namespace: string) => cluster.namespaceLabels(namespace);
  const counts = {
    refused: new TopologyCounts(),
    wanted: new TopologyCounts(),
    avoided: pod.requiredAntiAffinity.map(() => new TopologyCounts()),
  };
  const looksAround = pod.requiredAffinity.length > 0 || pod.requiredAntiAffinity.length > 0;
  for (const node of cluster.nodes()) {
    for (const other of node.podsWithAntiAffinity) {
      for (const term of other.requiredAntiAffinity)
        if (termMatches(term, pod, labelsOf)) counts.refused.add(node, term.topologyKey, 1);
    }
    if (!looksAround) continue;
    for (const other of node.pods) {
      if (pod.requiredAffinity.length > 0 && pod.requiredAffinity.every((term) => termMatches(term, other, labelsOf))) {
        for (const { topologyKey } of pod.requiredAffinity) counts.wanted.add(node, topologyKey, 1);
      }
      for (const [i, term] of pod.requiredAntiAffinity.entries()) {
        if (termMatches(term, other, labelsOf)) counts.avoided[i]?.add(node, term.topologyKey, 1);
      }
    }
  }
  return counts;
}

function preFilter(pod: PodInfo, cluster: ClusterView): PreFilterResult {
  const { refused, wanted, avoided } = countAll(pod, cluster);
  if (refused.isEmpty && pod.requiredAffinity.length === 0 && avoided.every((counts) => counts.isEmpty)) return 'skip';
  // The first pod of a group that wants to be together may go anywhere.
  const isFirst =
    wanted.isEmpty &&
    pod.requiredAffinity.every((term) => termMatches(term, pod, (namespace) => cluster.namespaceLabels(namespace)));
  const affine = (node: NodeInfo) =>
    pod.requiredAffinity.every(
      ({ topologyKey }) => node.topology(topologyKey) !== undefined && (isFirst || wanted.at(node, topologyKey) > 0),
    );
  return {
    kind: 'filter',
    filter(node) {
      if (!affine(node)) return unfit("node(s) didn't match pod affinity rules");
      if (pod.requiredAntiAffinity.some(({ topologyKey }, i) => (avoided[i]?.at(node, topologyKey) ?? 0) > 0)) {
        return busy("node(s) didn't match pod anti-affinity rules");
      }
      return refused.anyAt(node) ? busy("node(s) didn't satisfy existing pods anti-affinity rules") : undefined;
    },
  };
}

function preScore(pod: PodInfo, cluster: ClusterView): NodeScorer | undefined {
  const labelsOf = (namespace: string) => cluster.namespaceLabels(namespace);
  const sums = new TopologyCounts();
  const draw = (node: NodeInfo, term: AffinityTerm, about: PodInfo, weight: number) => {
    if (termMatches(term, about, labelsOf)) sums.add(node, term.topologyKey, weight);
  };
  // A pod without preferences of its own is drawn only by those that have some: the others need no look.
  const looksAround = pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
  for (const node of cluster.nodes()) {
    for (const other of looksAround ? node.pods : node.podsWithAffinity) {
      for (const { term, weight } of pod.preferredAffinity) draw(node, term, other, weight);
      for (const { term, weight } of pod.preferredAntiAffinity) draw(node, term, other, -weight);
      for (const term of other.requiredAffinity) draw(node, term, pod, HARD_AFFINITY_WEIGHT);
      for (const { term, weight } of other.preferredAffinity) draw(node, term, pod, weight);
      for (const { term, weight } of other.preferredAntiAffinity) draw(node, term, pod, -weight);
    }
  }
  if (sums.isEmpty) return undefined;
  return {
    score: (node) => sums.sumAt(node),
    normalize(scores) {
      const [least, most] = [Math.min(...scores), Math.max(...scores)];
      for (let i = 0; i < scores.length; i++) {
        scores[i] = most === least ? 0 : Math.trunc((SCORE_MAX * ((scores[i] ?? 0) - least)) / (most - least));
      }
    },
  };
}

export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  preFilter,
  preScore,
  mayHelp: (event: ClusterEvent) => event.kind !== 'node-changed' || event.changes.has('labels'),
};
