/**
 * What the conditions of a node mean: its taints, and what becomes of the conditions when it is silent. Pure functions.
 */
import type { Node, NodeCondition, Taint } from '../../../apimachinery/gen/types.js';
import { NOT_READY_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT } from '../../../apimachinery/well-known.js';
import { conditionOf } from '../lib/conditions.js';

/** Condition of a node -> the NoSchedule taint that it means while it has that status. */
const CONDITION_TAINTS: readonly { readonly type: string; readonly status: string; readonly key: string }[] = [
  { type: 'Ready', status: 'False', key: NOT_READY_TAINT },
  { type: 'Ready', status: 'Unknown', key: UNREACHABLE_TAINT },
  { type: 'MemoryPressure', status: 'True', key: 'node.kubernetes.io/memory-pressure' },
  { type: 'DiskPressure', status: 'True', key: 'node.kubernetes.io/disk-pressure' },
  { type: 'PIDPressure', status: 'True', key: 'node.kubernetes.io/pid-pressure' },
  { type: 'NetworkUnavailable', status: 'True', key: 'node.kubernetes.io/network-unavailable' },
];
const MANAGED = new Set([...CONDITION_TAINTS.map((row) => row.key), UNSCHEDULABLE_TAINT]);
const HEARTBEAT_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

export function readyStatus(node: Node): string {
  return conditionOf(node.status?.conditions, 'Ready')?.status ?? 'Unknown';
}

function isManaged(taint: Taint): boolean {
  return (
    MANAGED.has(taint.key) &&
    (taint.effect === 'NoSchedule' ||
      (taint.effect === 'NoExecute' && (taint.key === NOT_READY_TAINT || taint.key === UNREACHABLE_TAINT)))
  );
}

function wantedTaints(node: Node, now: string): Taint[] {
  const conditions = node.status?.conditions ?? [];
  const taints: Taint[] = [];
  for (const row of CONDITION_TAINTS) {
    if (conditionOf(conditions, row.type)?.status === row.status)
      taints.push({ key: row.key, effect: 'NoSchedule', timeAdded: now });
  }
  // A node that never reported keeps the taint that admission gave it.
  if (conditions.every((condition) => condition.type !== 'Ready'))
    taints.push({ key: NOT_READY_TAINT, effect: 'NoSchedule' });
  const ready = readyStatus(node);
  if (conditions.length > 0 && ready !== 'True') {
    taints.push({ key: ready === 'False' ? NOT_READY_TAINT : UNREACHABLE_TAINT, effect: 'NoExecute', timeAdded: now });
  }
  if (node.spec?.unschedulable === true)
    taints.push({ key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule', timeAdded: now });
  return taints;
}

/** Those that the node has, with those that its conditions mean and without those that they no longer do. */
export function taintsOf(node: Node, now: string): Taint[] {
  const before = node.spec?.taints ?? [];
  const wanted = wantedTaints(node, now);
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const kept = before.filter((taint) => !isManaged(taint) || wanted.some((one) => same(one, taint)));
  return [...kept, ...wanted.filter((one) => !before.some((taint) => same(taint, one)))];
}

/** The conditions of a node that is silent; undefined: they are unknown already. */
export function silentConditions(node: Node, now: string): NodeCondition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const stale = HEARTBEAT_CONDITIONS.filter((type) => conditionOf(conditions, type)?.status !== 'Unknown');
  if (stale.length === 0) return undefined;
  const unknown = (type: string): NodeCondition => {
    const known = conditionOf(conditions, type);
    return {
      type,
      status: 'Unknown',
      lastTransitionTime: now,
      lastHeartbeatTime: known?.lastHeartbeatTime ?? node.metadata?.creationTimestamp ?? now,
      reason: known === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message: known === undefined ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
    };
  };
  return [...conditions.filter(({ type }) => !stale.includes(type)), ...stale.map(unknown)];
}
