/** One decision: filter, score, choose. Pure but for the Random that breaks ties; never waits. */
import { assert } from '../../../platform/assert.js';
import type { Random } from '../../../platform/random.js';
import type { NodeInfo } from './node-info.js';
import type { ClusterView, NodeFilter, NodeScorer, Plugin, Rejection } from './plugin.js';
import type { PodInfo } from './pod-info.js';

export type Decision =
  | { readonly kind: 'placed'; readonly node: NodeInfo; readonly feasible: number }
  | {
      readonly kind: 'unschedulable';
      readonly rejections: ReadonlyMap<string, Rejection>;
      readonly rejectedBy: ReadonlySet<string>;
      readonly message: string;
    };

interface NamedFilter {
  readonly plugin: string;
  readonly filter: NodeFilter;
}

type Prepared =
  | { readonly kind: 'filters'; readonly filters: readonly NamedFilter[] }
  | { readonly kind: 'reject'; readonly plugin: string; readonly reason: string };

function prepareFilters(plugins: readonly Plugin[], pod: PodInfo, cluster: ClusterView): Prepared {
  const filters: NamedFilter[] = [];
  for (const plugin of plugins) {
    const result = plugin.preFilter?.(pod, cluster) ?? 'skip';
    if (result === 'skip') continue;
    if (result.kind === 'reject') return { kind: 'reject', plugin: plugin.name, reason: result.reason };
    filters.push({ plugin: plugin.name, filter: result.filter });
  }
  return { kind: 'filters', filters };
}

/** Would the pod fit on this node of this view? */
export function fits(plugins: readonly Plugin[], pod: PodInfo, cluster: ClusterView, node: NodeInfo): boolean {
  const prepared = prepareFilters(plugins, pod, cluster);
  return prepared.kind === 'filters' && prepared.filters.every(({ filter }) => filter(node) === undefined);
}

export interface ScheduleOptions {
  readonly plugins: readonly Plugin[];
  readonly random: Random;
}

export function schedulePod(pod: PodInfo, cluster: ClusterView, options: ScheduleOptions): Decision {
  const { plugins, random } = options;
  const rejections = new Map<string, Rejection>();
  const rejectedBy = new Set<string>();
  if (cluster.nodeCount === 0) {
    return { kind: 'unschedulable', rejections, rejectedBy, message: 'no nodes available to schedule pods' };
  }
  const prepared = prepareFilters(plugins, pod, cluster);
  if (prepared.kind === 'reject') {
    return {
      kind: 'unschedulable',
      rejections,
      rejectedBy: new Set([prepared.plugin]),
      message: `0/${cluster.nodeCount} nodes are available: ${prepared.reason}.`,
    };
  }
  const feasible: NodeInfo[] = [];
  for (const node of cluster.nodes()) {
    const failed = firstRejection(prepared.filters, node);
    if (failed === undefined) {
      feasible.push(node);
    } else {
      rejections.set(node.name, failed.rejection);
      rejectedBy.add(failed.plugin);
    }
  }
  if (feasible.length === 0)
    return { kind: 'unschedulable', rejections, rejectedBy, message: fitMessage(cluster.nodeCount, rejections) };
  return { kind: 'placed', node: best(pod, cluster, { feasible, plugins, random }), feasible: feasible.length };
}

function firstRejection(
  filters: readonly NamedFilter[],
  node: NodeInfo,
): { plugin: string; rejection: Rejection } | undefined {
  for (const { plugin, filter } of filters) {
    const rejection = filter(node);
    if (rejection !== undefined) return { plugin, rejection };
  }
  return undefined;
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function fitMessage(nodeCount: number, rejections: ReadonlyMap<string, Rejection>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections.values())
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort((a, b) => (a < b ? -1 : 1));
  return `0/${nodeCount} nodes are available${parts.length === 0 ? '' : `: ${parts.join(', ')}`}.`;
}

interface Choice {
  readonly feasible: readonly NodeInfo[];
  readonly plugins: readonly Plugin[];
  readonly random: Random;
}

function best(pod: PodInfo, cluster: ClusterView, { feasible, plugins, random }: Choice): NodeInfo {
  const [only] = feasible;
  assert(only !== undefined, 'a choice needs a candidate');
  if (feasible.length === 1) return only;
  const totals = totalScores(pod, cluster, { feasible, plugins });
  let chosen = only;
  let most = -Infinity;
  let ties = 0;
  for (const [i, node] of feasible.entries()) {
    const total = totals[i] ?? 0;
    if (total < most) continue;
    ties = total > most ? 1 : ties + 1;
    // Each of the equals is chosen with the same chance.
    if (total > most || random.int(ties) === 0) chosen = node;
    most = total;
  }
  return chosen;
}

/** Weighted sums of the normalized scores, in the order of the candidates. */
export function totalScores(
  pod: PodInfo,
  cluster: ClusterView,
  { feasible, plugins }: Omit<Choice, 'random'>,
): number[] {
  const totals = feasible.map(() => 0);
  for (const plugin of plugins) {
    const scorer: NodeScorer | undefined = plugin.preScore?.(pod, cluster, feasible);
    if (scorer === undefined) continue;
    const scores = feasible.map((node) => scorer.score(node));
    scorer.normalize?.(scores);
    for (const [i, score] of scores.entries()) {
      assert(score >= 0 && score <= 100, `${plugin.name} gave the score ${score}`);
      totals[i] = (totals[i] ?? 0) + score * (plugin.weight ?? 1);
    }
  }
  return totals;
}
