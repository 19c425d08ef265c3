/**
 * k8s.io/kubernetes/pkg/controller/nodelifecycle: doNoScheduleTaintingPass, processTaintBaseEviction,
 * tryUpdateNodeHealth.
 */
import { describe, expect, it } from 'vitest';
import type { Node, NodeCondition, Taint } from '../../../apimachinery/gen/types.js';
import { silentConditions, taintsOf } from './health.js';

const NOW = '2026-01-01T00:00:00Z';
const EARLIER = '2025-12-31T00:00:00Z';

interface Given {
  readonly conditions?: Readonly<Record<string, string>>;
  readonly taints?: Taint[];
  readonly unschedulable?: boolean;
}

const nodeOf = ({ conditions = {}, taints = [], unschedulable = false }: Given): Node => ({
  metadata: { name: 'w1', creationTimestamp: EARLIER },
  spec: { taints, unschedulable },
  status: {
    conditions: Object.entries(conditions).map(([type, status]) => ({ type, status, lastHeartbeatTime: EARLIER })),
  },
});
const own = { key: 'team', value: 'a', effect: 'NoSchedule' };
const short = ({ key, effect }: Taint) => `${key.replace('node.kubernetes.io/', '')}:${effect}`;

describe('the taints of a node', () => {
  it.each<[string, Given, string[]]>([
    ['that is well are its own', { conditions: { Ready: 'True' }, taints: [own] }, ['team:NoSchedule']],
    ['that is not ready', { conditions: { Ready: 'False' } }, ['not-ready:NoSchedule', 'not-ready:NoExecute']],
    ['that is silent', { conditions: { Ready: 'Unknown' } }, ['unreachable:NoSchedule', 'unreachable:NoExecute']],
    ['that never reported evict nothing', {}, ['not-ready:NoSchedule']],
    [
      'under pressure',
      { conditions: { Ready: 'True', MemoryPressure: 'True', DiskPressure: 'True', PIDPressure: 'True' } },
      ['memory-pressure:NoSchedule', 'disk-pressure:NoSchedule', 'pid-pressure:NoSchedule'],
    ],
    [
      'without a network',
      { conditions: { Ready: 'True', NetworkUnavailable: 'True' } },
      ['network-unavailable:NoSchedule'],
    ],
    ['that is cordoned', { conditions: { Ready: 'True' }, unschedulable: true }, ['unschedulable:NoSchedule']],
    [
      'that is well again lose what its conditions meant',
      { conditions: { Ready: 'True' }, taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }, own] },
      ['team:NoSchedule'],
    ],
    [
      'keep what only a user can have set',
      { conditions: { Ready: 'True' }, taints: [{ key: 'node.kubernetes.io/memory-pressure', effect: 'NoExecute' }] },
      ['memory-pressure:NoExecute'],
    ],
  ])('%s', (_, given, taints) => {
    expect(taintsOf(nodeOf(given), NOW).map(short)).toEqual(taints);
  });

  it('keep the time at which they came', () => {
    const taints = [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: EARLIER }];
    const found = taintsOf(nodeOf({ conditions: { Ready: 'Unknown' }, taints }), NOW);
    expect(found.map(({ timeAdded }) => timeAdded)).toEqual([EARLIER, NOW]);
  });
});

describe('the conditions of a silent node', () => {
  const statuses = (conditions: readonly NodeCondition[] | undefined) =>
    conditions?.map(({ type, status, reason }) => [type, status, reason]);

  it('become unknown if they come from the kubelet; others stay', () => {
    const node = nodeOf({ conditions: { Ready: 'True', NetworkUnavailable: 'False', PIDPressure: 'Unknown' } });
    const found = silentConditions(node, NOW);
    expect(statuses(found)).toEqual([
      ['NetworkUnavailable', 'False', undefined],
      ['PIDPressure', 'Unknown', undefined],
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ]);
    expect(found?.find(({ type }) => type === 'Ready')).toMatchObject({
      lastTransitionTime: NOW,
      lastHeartbeatTime: EARLIER,
    });
  });

  it('stay once they are unknown', () => {
    const all = { Ready: 'Unknown', MemoryPressure: 'Unknown', DiskPressure: 'Unknown', PIDPressure: 'Unknown' };
    expect(silentConditions(nodeOf({ conditions: all }), NOW)).toBeUndefined();
  });
});
