/** The plugins of kube-scheduler's default profile that Navarch has, in its order. */
import type { Plugin, GroupSelector } from '../framework/plugin.js';
import { defaultPreemption } from '../preemption/default-preemption.js';
import { balancedAllocation } from './balanced-allocation.js';
import { interPodAffinity } from './inter-pod-affinity.js';
import { nodePorts } from './node-ports.js';
import { nodeResourcesFit } from './node-resources-fit.js';
import { nodeAffinity, nodeName, nodeUnschedulable } from './node-selection.js';
import { podTopologySpread } from './pod-topology-spread.js';
import { prioritySort } from './priority-sort.js';
import { taintToleration } from './taints.js';

/** Cheap filters first: the first one that rejects a node ends its examination. */
export function defaultPlugins(groupSelector: GroupSelector): Plugin[] {
  return [
    prioritySort,
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    podTopologySpread(groupSelector),
    interPodAffinity,
    balancedAllocation,
    defaultPreemption,
  ];
}
