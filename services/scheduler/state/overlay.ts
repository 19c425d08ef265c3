/** A cluster as it would be: some nodes replaced by changed copies. */
import type { NodeInfo } from '../framework/node-info.js';
import type { ClusterView } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';

export function withNodes(cluster: ClusterView, changed: ReadonlyMap<string, NodeInfo>): ClusterView {
  return {
    nodeCount: cluster.nodeCount,
    node: (name) => changed.get(name) ?? cluster.node(name),
    nodes: function* nodes() {
      for (const node of cluster.nodes()) yield changed.get(node.name) ?? node;
    },
    namespaceLabels: (namespace) => cluster.namespaceLabels(namespace),
  };
}

/** Pods for which room is being made on a node: less important ones must not take it meanwhile. */
export class Nominations {
  readonly #byPod = new Map<string, { readonly pod: PodInfo; readonly node: string }>();

  set(pod: PodInfo, node: string): void {
    this.#byPod.set(pod.key, { pod, node });
  }

  delete(key: string): void {
    this.#byPod.delete(key);
  }

  /** The cluster with the nominated pods that go before `pod` where they are to be; undefined when there are none. */
  viewFor(pod: PodInfo, cluster: ClusterView): ClusterView | undefined {
    const changed = new Map<string, NodeInfo>();
    for (const { pod: other, node } of this.#byPod.values()) {
      const info = changed.get(node) ?? cluster.node(node)?.clone();
      if (info === undefined || other.key === pod.key || other.priority < pod.priority || info.has(other.key)) continue;
      info.add(other);
      changed.set(node, info);
    }
    return changed.size === 0 ? undefined : withNodes(cluster, changed);
  }
}
