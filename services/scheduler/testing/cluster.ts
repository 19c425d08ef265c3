/** TEST SUPPORT: pods and nodes in few words, and a view of a cluster made of them. */
import type { Node, NodeSpec, Pod, PodSpec } from '../../../apimachinery/gen/types.js';
import { podInfoOf } from '../framework/pod-info.js';
import type { PodInfo } from '../framework/pod-info.js';
import { ClusterState } from '../state/cluster-state.js';

export interface NodeWish {
  readonly labels?: Record<string, string>;
  readonly allocatable?: Record<string, string>;
  readonly spec?: NodeSpec;
}

export function nodeOf(name: string, wish: NodeWish = {}): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...wish.labels } },
    ...(wish.spec === undefined ? {} : { spec: wish.spec }),
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...wish.allocatable } },
  };
}

export interface PodWish {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly requests?: Record<string, string>;
  readonly hostPort?: number;
  readonly spec?: Partial<PodSpec>;
  readonly uid?: string;
}

export function podOf(name: string, wish: PodWish = {}): Pod {
  const container = {
    name: 'c',
    image: 'i',
    ...(wish.requests === undefined ? {} : { resources: { requests: wish.requests } }),
    ...(wish.hostPort === undefined ? {} : { ports: [{ containerPort: 80, hostPort: wish.hostPort }] }),
  };
  return {
    metadata: {
      name,
      namespace: wish.namespace ?? 'default',
      labels: wish.labels ?? {},
      ...(wish.uid === undefined ? {} : { uid: wish.uid }),
    },
    spec: { containers: [container], schedulerName: 'default-scheduler', ...wish.spec },
  };
}

export const infoOf = (name: string, wish: PodWish = {}): PodInfo =>
  podInfoOf(podOf(name, { uid: `uid-${name}`, ...wish }));

export function clusterOf(
  nodes: readonly Node[],
  placed: Readonly<Record<string, readonly PodInfo[]>> = {},
): ClusterState {
  const state = new ClusterState((namespace) => ({ 'kubernetes.io/metadata.name': namespace }));
  for (const node of nodes) state.setNode(node);
  for (const [node, pods] of Object.entries(placed)) for (const pod of pods) state.setPod(pod, node);
  return state;
}
