import { describe, expect, it } from 'vitest';
import type { PodDisruptionBudget } from '../../../apimachinery/gen/types.js';
import { seededRandom } from '../../../platform/random.js';
import { fits, schedulePod } from '../framework/schedule-pod.js';
import type { PodInfo } from '../framework/pod-info.js';
import { defaultPlugins } from '../plugins/defaults.js';
import type { ClusterState } from '../state/cluster-state.js';
import { clusterOf, infoOf, nodeOf } from '../testing/cluster.js';
import type { PodWish } from '../testing/cluster.js';
import { defaultPreemption } from './default-preemption.js';

const plugins = defaultPlugins(() => undefined);
const withPriority = (name: string, priority: number, cpu: string, wish: PodWish = {}): PodInfo =>
  infoOf(name, { ...wish, requests: { cpu }, spec: { priority, ...wish.spec } });

function preempt(pod: PodInfo, cluster: ClusterState, budgets: readonly PodDisruptionBudget[] = []): string {
  const decision = schedulePod(pod, cluster, { plugins, random: seededRandom(1) });
  if (decision.kind === 'placed') return `fits ${decision.node.name}`;
  const result = defaultPreemption.postFilter?.(pod, {
    cluster,
    rejections: decision.rejections,
    budgets: (namespace) => budgets.filter(({ metadata }) => metadata?.namespace === namespace),
    fits: (candidate, view, node) => fits(plugins, candidate, view, node),
  });
  if (result?.kind !== 'nominate') return result?.message ?? '';
  return `${result.node}: ${result.victims.map(({ key }) => key.replace('default/', '')).join(' ')}`;
}

describe('DefaultPreemption', () => {
  const nodes = [nodeOf('a', { allocatable: { cpu: '2' } }), nodeOf('b', { allocatable: { cpu: '2' } })];

  it('takes the least important pods, and no more than needed', () => {
    const cluster = clusterOf(nodes, {
      a: [withPriority('a1', 5, '1'), withPriority('a2', 1, '1')],
      b: [withPriority('b1', 50, '2')],
    });
    expect(preempt(withPriority('p', 100, '1'), cluster)).toBe('a: a2');
    expect(preempt(withPriority('p', 100, '2'), cluster)).toBe('a: a1 a2');
  });

  it('takes nothing from equals, nor where it would not help', () => {
    const cluster = clusterOf([...nodes, nodeOf('c', { spec: { unschedulable: true } })], {
      a: [withPriority('a1', 100, '2')],
      b: [withPriority('b1', 100, '2')],
    });
    expect(preempt(withPriority('p', 100, '1'), cluster)).toBe(
      'preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
    );
    expect(preempt(withPriority('p', 1000, '3'), cluster)).toContain('3 Preemption is not helpful');
  });

  it('removes what an anti-affinity stands against', () => {
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const cluster = clusterOf([nodeOf('a')], {
      a: [withPriority('db', 1, '1', { labels: { app: 'db' } }), withPriority('web', 1, '1')],
    });
    expect(preempt(withPriority('p', 100, '1', { spec: { affinity } }), cluster)).toBe('a: db');
  });

  it('respects preemptionPolicy Never, and waits for victims that are ending', () => {
    const cluster = clusterOf(nodes.slice(0, 1), { a: [withPriority('a1', 1, '2')] });
    expect(preempt(withPriority('p', 100, '1', { spec: { preemptionPolicy: 'Never' } }), cluster)).toContain(
      'preemptionPolicy=Never',
    );
    const victim = withPriority('a1', 1, '2');
    cluster.setPod(
      {
        ...victim,
        pod: { ...victim.pod, metadata: { ...victim.pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      },
      'a',
    );
    const pod = withPriority('p', 100, '1');
    expect(preempt({ ...pod, pod: { ...pod.pod, status: { nominatedNodeName: 'a' } } }, cluster)).toContain(
      'terminating pod',
    );
  });

  const young = (info: PodInfo, startTime: string): PodInfo => ({
    ...info,
    pod: { ...info.pod, status: { startTime } },
  });

  it('of equal victims takes the node whose most important ones began last; of equal sums fewer', () => {
    const began = (name: string, startTime: string) => young(withPriority(name, 5, '2'), startTime);
    expect(
      preempt(
        withPriority('p', 100, '1'),
        clusterOf(nodes, { a: [began('a1', '2026-01-01T00:00:00Z')], b: [began('b1', '2026-01-02T00:00:00Z')] }),
      ),
    ).toBe('b: b1');
    const cluster = clusterOf(nodes, {
      a: [withPriority('a1', 5, '1'), withPriority('a2', 0, '500m'), withPriority('a3', 0, '500m')],
      b: [withPriority('b1', 5, '1'), withPriority('b2', 3, '1')],
    });
    expect(preempt(withPriority('p', 100, '2'), cluster)).toBe('b: b1 b2');
  });

  describe('PodDisruptionBudgets', () => {
    const guarded = { labels: { app: 'guarded' } };
    const budget = (disruptionsAllowed: number, more: Partial<PodDisruptionBudget> = {}): PodDisruptionBudget => ({
      metadata: { name: 'b', namespace: 'default' },
      spec: { selector: { matchLabels: guarded.labels } },
      status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
      ...more,
    });
    const one = () =>
      clusterOf([nodeOf('a', { allocatable: { cpu: '2' } })], {
        a: [withPriority('low', 1, '1', guarded), withPriority('high', 9, '1')],
      });

    it.each<[string, PodDisruptionBudget, string]>([
      ['a more important pod goes before a protected one', budget(0), 'a: high'],
      ['one that is allowed is no violation', budget(1), 'a: low'],
      [
        'one that is counted as gone already is none',
        budget(0, {
          status: {
            disruptionsAllowed: 0,
            currentHealthy: 1,
            desiredHealthy: 1,
            expectedPods: 1,
            disruptedPods: { low: '2026-01-01T00:00:00Z' },
          },
        }),
        'a: low',
      ],
      [
        'a budget of another namespace protects nothing',
        budget(0, { metadata: { name: 'b', namespace: 'other' } }),
        'a: low',
      ],
      ['an empty selector protects nothing', budget(0, { spec: { selector: {} } }), 'a: low'],
    ])('%s', (_, given, expected) => expect(preempt(withPriority('p', 100, '1'), one(), [given])).toBe(expected));

    it('a node where none is broken is taken, though its victims are more important', () => {
      const cluster = clusterOf(nodes, { a: [withPriority('a1', 1, '2', guarded)], b: [withPriority('b1', 50, '2')] });
      expect(preempt(withPriority('p', 100, '1'), cluster)).toBe('a: a1');
      expect(preempt(withPriority('p', 100, '1'), cluster, [budget(0)])).toBe('b: b1');
    });

    it('are broken where nothing else would do, as little as can be', () => {
      expect(preempt(withPriority('p', 100, '2'), one(), [budget(0)])).toBe('a: high low');
      const cluster = clusterOf(nodes.slice(0, 1), {
        a: [withPriority('a1', 2, '1', guarded), withPriority('a2', 1, '1', guarded)],
      });
      expect(preempt(withPriority('p', 100, '1'), cluster, [budget(1)])).toBe('a: a1');
    });
  });
});
