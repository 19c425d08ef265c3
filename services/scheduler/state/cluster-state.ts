/**
 * What the scheduler knows of nodes and assigned pods, kept up to date by single changes. A pod that was just placed is
 * assumed to be on its node before the API says so; the API's word settles it.
 */
import { isDeepStrictEqual } from 'node:util';
import { assert } from '../../../platform/assert.js';
import type { Node } from '../../../apimachinery/gen/types.js';
import type { Labels } from '../../../apimachinery/selector/labels.js';
import { NodeInfo } from '../framework/node-info.js';
import type { ClusterEvent, ClusterView, NodeChange } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';

interface Placement {
  readonly pod: PodInfo;
  readonly node: string;
  readonly assumed: boolean;
}

export class ClusterState implements ClusterView {
  /** Nodes that exist. */
  readonly #nodes = new Map<string, NodeInfo>();
  /** Nodes that pods name and the API does not hold: not yet, or no longer. */
  readonly #strays = new Map<string, NodeInfo>();
  readonly #placements = new Map<string, Placement>();
  readonly #namespaceLabels: (namespace: string) => Labels | undefined;

  constructor(namespaceLabels: (namespace: string) => Labels | undefined) {
    this.#namespaceLabels = namespaceLabels;
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  nodes(): Iterable<NodeInfo> {
    return this.#nodes.values();
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  namespaceLabels(namespace: string): Labels | undefined {
    return this.#namespaceLabels(namespace);
  }

  /** The node of a pod that is assigned or assumed. */
  nodeOf(key: string): string | undefined {
    return this.#placements.get(key)?.node;
  }

  /** What is known of an assigned or assumed pod. */
  pod(key: string): PodInfo | undefined {
    return this.#placements.get(key)?.pod;
  }

  isAssumed(key: string): boolean {
    return this.#placements.get(key)?.assumed === true;
  }

  /** The event, when anything changed that a pod could wait for. */
  setNode(node: Node): ClusterEvent | undefined {
    const name = node.metadata?.name ?? '';
    const known = this.#nodes.get(name);
    if (known === undefined) {
      const info = this.#strays.get(name) ?? new NodeInfo(name);
      this.#strays.delete(name);
      info.node = node;
      this.#nodes.set(name, info);
      return { kind: 'node-added', node: info };
    }
    const changes = changesOf(known.node, node);
    known.node = node;
    return changes.size === 0 ? undefined : { kind: 'node-changed', node: known, changes };
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#nodes.delete(name);
    info.node = undefined;
    if (info.podCount > 0) this.#strays.set(name, info);
  }

  /** The API says that the pod is on the node. The event, when anything changed that another pod could wait for. */
  setPod(pod: PodInfo, node: string): ClusterEvent | undefined {
    const known = this.#placements.get(pod.key);
    if (known !== undefined) this.#take(known);
    this.#place({ pod, node, assumed: false });
    if (known === undefined || known.assumed || known.node !== node) return { kind: 'pod-assigned', pod, node };
    return isDeepStrictEqual(known.pod.labels, pod.labels) ? undefined : { kind: 'pod-relabelled', pod, node };
  }

  removePod(key: string): ClusterEvent | undefined {
    const known = this.#placements.get(key);
    if (known === undefined) return undefined;
    this.#take(known);
    return { kind: 'pod-removed', pod: known.pod, node: known.node };
  }

  assume(pod: PodInfo, node: string): void {
    assert(!this.#placements.has(pod.key), `pod ${pod.key} has a node already`);
    this.#place({ pod, node, assumed: true });
  }

  /** The assumption about this very pod was wrong. What the API has said meanwhile stays. */
  forget(pod: PodInfo): ClusterEvent | undefined {
    const known = this.#placements.get(pod.key);
    return known?.assumed === true && known.pod.uid === pod.uid ? this.removePod(pod.key) : undefined;
  }

  #place(placement: Placement): void {
    this.#placements.set(placement.pod.key, placement);
    let info = this.#nodes.get(placement.node) ?? this.#strays.get(placement.node);
    if (info === undefined) this.#strays.set(placement.node, (info = new NodeInfo(placement.node)));
    info.add(placement.pod);
  }

  #take({ pod, node }: Placement): void {
    this.#placements.delete(pod.key);
    const info = this.#nodes.get(node) ?? this.#strays.get(node);
    assert(info !== undefined, `pod ${pod.key} is on node ${node}, which is not known`);
    info.remove(pod.key);
    if (info.podCount === 0) this.#strays.delete(node);
  }
}

function changesOf(old: Node | undefined, node: Node): Set<NodeChange> {
  const changes = new Set<NodeChange>();
  if (!isDeepStrictEqual(old?.status?.allocatable, node.status?.allocatable)) changes.add('allocatable');
  if (!isDeepStrictEqual(old?.metadata?.labels, node.metadata?.labels)) changes.add('labels');
  if (!isDeepStrictEqual(old?.spec?.taints, node.spec?.taints)) changes.add('taints');
  if ((old?.spec?.unschedulable ?? false) !== (node.spec?.unschedulable ?? false)) changes.add('unschedulable');
  return changes;
}
