/**
 * DefaultPreemption: when no node has room for a pod, finds the node where the fewest and least important pods would have
 * to go. Pure: it names the victims, the driver deletes them. PodDisruptionBudgets are not looked at.
 */
import type { NodeInfo } from '../framework/node-info.js';
import { fitMessage } from '../framework/schedule-pod.js';
import type { ClusterView, Plugin, PostFilterContext, PostFilterResult, Rejection } from '../framework/plugin.js';
import { unfit } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';
import { withNodes } from '../state/overlay.js';

interface Candidate {
  readonly node: string;
  readonly victims: readonly PodInfo[];
}

/** Nodes examined at most: the search costs as much as a filter run for each. */
const CANDIDATES_MAX = 100;

const byImportance = (a: PodInfo, b: PodInfo): number => b.priority - a.priority || started(a).localeCompare(started(b));

const started = ({ pod }: PodInfo): string => pod.status?.startTime ?? pod.metadata?.creationTimestamp ?? '';

/** The least set of pods, by sparing the most important ones first; undefined when even all would not do. */
function victimsOn(node: NodeInfo, pod: PodInfo, { cluster, fits }: PostFilterContext): PodInfo[] | undefined {
  const lesser = [...node.pods].filter((other) => other.priority < pod.priority).sort(byImportance);
  if (lesser.length === 0) return undefined;
  const without = node.clone();
  const view = withNodes(cluster, new Map([[node.name, without]]));
  for (const other of lesser) without.remove(other.key);
  if (!fits(pod, view, without)) return undefined;
  return lesser.filter((other) => {
    without.add(other);
    if (fits(pod, view, without)) return false;
    without.remove(other.key);
    return true;
  });
}

/** Fewer important victims, then less importance in sum, then fewer victims. */
function isBetter(a: Candidate, b: Candidate): boolean {
  const highest = (candidate: Candidate) => Math.max(...candidate.victims.map(({ priority }) => priority));
  const sum = (candidate: Candidate) => candidate.victims.reduce((total, { priority }) => total + priority, 0);
  return (highest(a) - highest(b) || sum(a) - sum(b) || a.victims.length - b.victims.length) < 0;
}

function postFilter(pod: PodInfo, context: PostFilterContext): PostFilterResult {
  const { cluster, rejections } = context;
  const nothing = (reasons: ReadonlyMap<string, Rejection>): PostFilterResult =>
    ({ kind: 'nothing', message: `preemption: ${fitMessage(cluster.nodeCount, reasons)}` });
  const hopeless = unfit('Preemption is not helpful for scheduling');
  const whyNot = new Map<string, Rejection>([...rejections.keys()].map((name) => [name, hopeless]));
  if (pod.pod.spec?.preemptionPolicy === 'Never') {
    return { kind: 'nothing', message: 'preemption: not eligible due to preemptionPolicy=Never.' };
  }
  const { nominatedNodeName = '' } = pod.pod.status ?? {};
  if (isMakingRoom(pod, cluster, nominatedNodeName)) {
    return { kind: 'wait', node: nominatedNodeName, message: 'preemption: not eligible due to a terminating pod on the nominated node.' };
  }
  let best: Candidate | undefined;
  let examined = 0;
  for (const [name, rejection] of rejections) {
    const node = cluster.node(name);
    if (!rejection.preemptable || node === undefined || examined >= CANDIDATES_MAX) continue;
    examined++;
    const victims = victimsOn(node, pod, context);
    if (victims === undefined) whyNot.set(name, unfit('No preemption victims found for incoming pod'));
    else if (best === undefined || isBetter({ node: name, victims }, best)) best = { node: name, victims };
  }
  return best === undefined ? nothing(whyNot) : { kind: 'nominate', ...best };
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
