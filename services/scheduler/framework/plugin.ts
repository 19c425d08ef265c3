/**
 * The extension points of the scheduling framework, as kube-scheduler has them. A plugin implements those it needs.
 *
 * Filters and scorers are pure: they look at a pod and a view of the cluster, once per cycle, and hand back functions
 * of a node. A whole cycle up to the choice of a node runs without an await, so that the view cannot change under it.
 */
import type { PodDisruptionBudget } from '../../../apimachinery/gen/types.js';
import type { Labels, LabelSelector } from '../../../apimachinery/selector/labels.js';
import type { NodeInfo } from './node-info.js';
import type { PodInfo } from './pod-info.js';

/** The cluster during one cycle. */
export interface ClusterView {
  readonly nodeCount: number;
  nodes(): Iterable<NodeInfo>;
  node(name: string): NodeInfo | undefined;
  namespaceLabels(namespace: string): Labels | undefined;
}

/** The labels that the pod's owners and Services select by; undefined when there are none. */
export type GroupSelector = (pod: PodInfo) => LabelSelector | undefined;

/** Why a node does not do; each reason is counted over the nodes in the event that people read. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** Taking pods off the node may help: preemption looks at it. */
  readonly preemptable: boolean;
}

export type NodeFilter = (node: NodeInfo) => Rejection | undefined;

/** 'skip': the plugin has nothing against any node. `reject`: no node will do, whichever it is. */
export type PreFilterResult =
  | 'skip'
  | { readonly kind: 'filter'; readonly filter: NodeFilter }
  | { readonly kind: 'reject'; readonly reason: string };

/** Scores of one pod's candidates. */
export interface NodeScorer {
  /** Any finite number; see `normalize`. */
  score(node: NodeInfo): number;
  /** Changes scores, in the order of the candidates, to 0 (worst) ... 100 (best). Absent: they are already. */
  normalize?(scores: number[]): void;
}

export const SCORE_MAX = 100;

/** Something happened that may let a rejected pod fit. */
export type ClusterEvent =
  | { readonly kind: 'node-added'; readonly node: NodeInfo }
  | { readonly kind: 'node-changed'; readonly node: NodeInfo; readonly changes: ReadonlySet<NodeChange> }
  | { readonly kind: 'pod-assigned' | 'pod-relabelled' | 'pod-removed'; readonly pod: PodInfo; readonly node: string }
  | { readonly kind: 'namespace-changed' };

export type NodeChange = 'allocatable' | 'labels' | 'taints' | 'unschedulable';

type PermitResult = { readonly kind: 'allow' } | { readonly kind: 'deny'; readonly reason: string };

export interface PostFilterContext {
  readonly cluster: ClusterView;
  readonly rejections: ReadonlyMap<string, Rejection>;
  /** The PodDisruptionBudgets of a namespace. */
  readonly budgets: (namespace: string) => readonly PodDisruptionBudget[];
  /** Runs all filters for the pod against a node in another view. */
  fits(pod: PodInfo, cluster: ClusterView, node: NodeInfo): boolean;
}

/** Victims on one node, or a message for the event. */
export type PostFilterResult =
  | { readonly kind: 'nominate'; readonly node: string; readonly victims: readonly PodInfo[] }
  | { readonly kind: 'nothing'; readonly message: string }
  /** An earlier nomination stands: its victims are still ending. */
  | { readonly kind: 'wait'; readonly node: string; readonly message: string };

export interface Plugin {
  readonly name: string;
  /** Negative: `a` goes first. Exactly one plugin has it. */
  queueSort?(a: QueueOrder, b: QueueOrder): number;
  preFilter?(pod: PodInfo, cluster: ClusterView): PreFilterResult;
  /** Undefined: the plugin prefers no node. `nodes` are those that passed the filters. */
  preScore?(pod: PodInfo, cluster: ClusterView, nodes: readonly NodeInfo[]): NodeScorer | undefined;
  /** Weight of the normalized scores in the sum; 1 when absent. */
  readonly weight?: number;
  /** No node passed the filters. The first plugin that nominates one ends it. */
  postFilter?(pod: PodInfo, context: PostFilterContext): PostFilterResult;
  reserve?(pod: PodInfo, node: NodeInfo): void;
  /** Undoes `reserve`; also called when that threw. */
  unreserve?(pod: PodInfo, node: NodeInfo): void;
  /** May wait. */
  permit?(pod: PodInfo, node: string, signal: AbortSignal): Promise<PermitResult>;
  /** Writes the decision; the first plugin that has it does. */
  bind?(pod: PodInfo, node: string, signal: AbortSignal): Promise<void>;
  /** The plugin rejected `pod`: might it pass after `event`? Absent: never. When in doubt, true. */
  mayHelp?(event: ClusterEvent, pod: PodInfo): boolean;
}

export interface QueueOrder {
  readonly pod: PodInfo;
  /** When the pod came to the queue first (monotonic). */
  readonly added_ms: number;
}

/** A rejection that preemption can do something about. */
export const busy = (...reasons: string[]): Rejection => ({ reasons, preemptable: true });
/** A rejection that stays, whatever pods leave the node. */
export const unfit = (...reasons: string[]): Rejection => ({ reasons, preemptable: false });

/** Scales to 0 ... 100 by the largest; `reverse` makes the largest the worst. All alike when nothing counts. */
export function scaleByMax(scores: number[], reverse: boolean): void {
  const max = scores.reduce((most, score) => Math.max(most, score), 0);
  for (let i = 0; i < scores.length; i++) {
    const scaled = max === 0 ? 0 : Math.trunc((SCORE_MAX * (scores[i] ?? 0)) / max);
    scores[i] = reverse ? SCORE_MAX - scaled : scaled;
  }
}
