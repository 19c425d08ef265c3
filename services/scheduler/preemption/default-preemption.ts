/**
 * DefaultPreemption: when no node has room for a pod, finds the node where the fewest and least important pods would
 * have to go. Pure: it names the victims, the driver deletes them. PodDisruptionBudgets are broken only where nothing
 * else would do.
 */
import type { NodeInfo } from '../framework/node-info.js';
import { fitMessage } from '../framework/schedule-pod.js';
import type { ClusterView, Plugin, PostFilterContext, PostFilterResult, Rejection } from '../framework/plugin.js';
import { unfit } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';
import { violatingPods } from './budgets.js';
import { withNodes } from '../state/overlay.js';

interface Candidate {
  readonly node: string;
  readonly victims: readonly PodInfo[];
  /** Victims whose loss breaks a PodDisruptionBudget. */
  readonly violations: number;
}

/** Nodes examined at most: the search costs as much as a filter run for each. */
const CANDIDATES_MAX = 100;

const byImportance = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || started(a).localeCompare(started(b));

const started = ({ pod }: PodInfo): string => pod.status?.startTime ?? pod.metadata?.creationTimestamp ?? '';

/**
 * The least set of pods, by sparing those first that a budget protects, then the most important ones; undefined when
 * even all would not do.
 */
function victimsOn(node: NodeInfo, pod: PodInfo, { cluster, budgets, fits }: PostFilterContext): Candidate | undefined {
  const lesser = [...node.pods].filter((other) => other.priority < pod.priority).sort(byImportance);
  if (lesser.length === 0) return undefined;
  const without = node.clone();
  const view = withNodes(cluster, new Map([[node.name, without]]));
  for (const other of lesser) without.remove(other.key);
  if (!fits(pod, view, without)) return undefined;
  const violating = violatingPods(lesser, budgets);
  const mustGo = (other: PodInfo): boolean => {
    without.add(other);
    if (fits(pod, view, without)) return false;
    without.remove(other.key);
    return true;
  };
  const broken = lesser.filter((other) => violating.has(other) && mustGo(other));
  const others = lesser.filter((other) => !violating.has(other) && mustGo(other));
  return { node: node.name, victims: [...broken, ...others].sort(byImportance), violations: broken.length };
}

/** Makes every priority positive, so that of two sums the one of fewer victims tends to be less. */
const PRIORITY_OFFSET = 2 ** 31;

/**
 * Fewer broken budgets, then fewer important victims, less importance in sum, fewer victims, the youngest of the most
 * important ones.
 */
function isBetter(a: Candidate, b: Candidate): boolean {
  const highest = ({ victims }: Candidate) => Math.max(...victims.map(({ priority }) => priority));
  const sum = ({ victims }: Candidate) =>
    victims.reduce((total, { priority }) => total + priority + PRIORITY_OFFSET, 0);
  const earliest = ({ victims }: Candidate) =>
    victims
      .filter(({ priority }) => priority === victims[0]?.priority)
      .map(started)
      .sort()[0] ?? '';
  return (
    (a.violations - b.violations ||
      highest(a) - highest(b) ||
      sum(a) - sum(b) ||
      a.victims.length - b.victims.length ||
      earliest(b).localeCompare(earliest(a))) < 0
  );
}

function postFilter(pod: PodInfo, context: PostFilterContext): PostFilterResult {
  const { cluster, rejections } = context;
  const nothing = (reasons: ReadonlyMap<string, Rejection>): PostFilterResult => ({
    kind: 'nothing',
    message: `preemption: ${fitMessage(cluster.nodeCount, reasons)}`,
  });
  const hopeless = unfit('Preemption is not helpful for scheduling');
  const whyNot = new Map<string, Rejection>([...rejections.keys()].map((name) => [name, hopeless]));
  if (pod.pod.spec?.preemptionPolicy === 'Never') {
    return { kind: 'nothing', message: 'preemption: not eligible due to preemptionPolicy=Never.' };
  }
  const { nominatedNodeName = '' } = pod.pod.status ?? {};
  if (isMakingRoom(pod, cluster, nominatedNodeName)) {
    return {
      kind: 'wait',
      node: nominatedNodeName,
      message: 'preemption: not eligible due to a terminating pod on the nominated node.',
    };
  }
  let best: Candidate | undefined;
  let examined = 0;
  for (const [name, rejection] of rejections) {
    const node = cluster.node(name);
    if (!rejection.preemptable || node === undefined || examined >= CANDIDATES_MAX) continue;
    examined++;
    const candidate = victimsOn(node, pod, context);
    if (candidate === undefined) whyNot.set(name, unfit('No preemption victims found for incoming pod'));
    else if (best === undefined || isBetter(candidate, best)) best = candidate;
  }
  return best === undefined ? nothing(whyNot) : { kind: 'nominate', node: best.node, victims: best.victims };
}

/** Victims of an earlier attempt are still ending: more would go for nothing. */
function isMakingRoom(pod: PodInfo, cluster: ClusterView, nominatedNode: string): boolean {
  const nominated = cluster.node(nominatedNode);
  if (nominated === undefined) return false;
  for (const other of nominated.pods) {
    if (other.priority < pod.priority && other.pod.metadata?.deletionTimestamp !== undefined) return true;
  }
  return false;
}

export const defaultPreemption: Plugin = { name: 'DefaultPreemption', postFilter };
