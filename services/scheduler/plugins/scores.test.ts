import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../platform/random.js';
import { labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import { schedulePod, totalScores } from '../framework/schedule-pod.js';
import type { Plugin } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';
import type { ClusterState } from '../state/cluster-state.js';
import { clusterOf, infoOf, nodeOf } from '../testing/cluster.js';
import { balancedAllocation } from './balanced-allocation.js';
import { defaultPlugins } from './defaults.js';
import { interPodAffinity } from './inter-pod-affinity.js';
import { nodeResourcesFit } from './node-resources-fit.js';
import { nodeAffinity } from './node-selection.js';
import { podTopologySpread } from './pod-topology-spread.js';
import { taintToleration } from './taints.js';

const scores = (plugin: Plugin, pod: PodInfo, cluster: ClusterState): number[] =>
  totalScores(pod, cluster, { feasible: [...cluster.nodes()], plugins: [{ ...plugin, weight: 1 }] });

describe('scores from 0 to 100', () => {
  it('LeastAllocated prefers the emptier node; pods that say nothing count for something', () => {
    const nodes = [
      nodeOf('a', { allocatable: { cpu: '1', memory: '1000Mi' } }),
      nodeOf('b', { allocatable: { cpu: '1', memory: '1000Mi' } }),
    ];
    const busy = infoOf('busy', { requests: { cpu: '500m', memory: '500Mi' } });
    expect(
      scores(
        nodeResourcesFit,
        infoOf('p', { requests: { cpu: '250m', memory: '250Mi' } }),
        clusterOf(nodes, { a: [busy] }),
      ),
    ).toEqual([25, 75]);
    expect(scores(nodeResourcesFit, infoOf('p'), clusterOf(nodes, { a: [infoOf('silent')] }))).toEqual([70, 85]);
  });

  it('BalancedAllocation prefers even use, and has no opinion on pods that ask for nothing', () => {
    const nodes = [
      nodeOf('a', { allocatable: { cpu: '1', memory: '1000Mi' } }),
      nodeOf('b', { allocatable: { cpu: '1', memory: '1000Mi' } }),
    ];
    const lean = infoOf('lean', { requests: { cpu: '800m' } });
    const cluster = clusterOf(nodes, { a: [lean] });
    expect(scores(balancedAllocation, infoOf('p', { requests: { cpu: '100m', memory: '100Mi' } }), cluster)).toEqual([
      60, 100,
    ]);
    expect(scores(balancedAllocation, infoOf('p'), cluster)).toEqual([0, 0]);
  });

  it('TaintToleration prefers nodes that mind least', () => {
    const soft = (key: string) => ({ key, effect: 'PreferNoSchedule' });
    const cluster = clusterOf([
      nodeOf('a', { spec: { taints: [soft('x'), soft('y')] } }),
      nodeOf('b', { spec: { taints: [soft('x')] } }),
      nodeOf('c'),
    ]);
    expect(scores(taintToleration, infoOf('p'), cluster)).toEqual([0, 50, 100]);
    expect(scores(taintToleration, infoOf('p', { spec: { tolerations: [{ operator: 'Exists' }] } }), cluster)).toEqual([
      100, 100, 100,
    ]);
  });

  it('NodeAffinity adds the weights of preferred terms', () => {
    const prefer = (weight: number, zone: string) => ({
      weight,
      preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] },
    });
    const spec = {
      affinity: {
        nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [prefer(80, 'a'), prefer(20, 'b')] },
      },
    };
    const cluster = clusterOf(['a', 'b', 'c'].map((zone) => nodeOf(zone, { labels: { zone } })));
    expect(scores(nodeAffinity, infoOf('p', { spec }), cluster)).toEqual([100, 25, 0]);
  });

  it('InterPodAffinity draws to friends and from foes, in both directions', () => {
    const weighted = (app: string) => [
      {
        weight: 50,
        podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } },
      },
    ];
    const cluster = clusterOf([nodeOf('a'), nodeOf('b'), nodeOf('c')], {
      a: [infoOf('db', { labels: { app: 'db' } })],
    });
    const affinity = { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted('db') } } };
    const aversion = {
      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted('web') } },
    };
    expect(scores(interPodAffinity, infoOf('p', { spec: affinity }), cluster)).toEqual([100, 0, 0]);
    cluster.setPod(infoOf('loner', { spec: aversion }), 'b');
    expect(scores(interPodAffinity, infoOf('p', { labels: { app: 'web' } }), cluster)).toEqual([100, 0, 100]);
    expect(scores(interPodAffinity, infoOf('q'), cluster)).toEqual([0, 0, 0]);
  });

  it('PodTopologySpread prefers the domain with fewer pods of the group', () => {
    const web = (name: string) => infoOf(name, { labels: { app: 'web' } });
    const cluster = clusterOf([nodeOf('a'), nodeOf('b'), nodeOf('c')], { a: [web('w1'), web('w2')], b: [web('w3')] });
    const byDefault = podTopologySpread(() => labelSelectorOfMap({ app: 'web' }));
    const [a = 0, b = 0, c = 0] = scores(byDefault, web('p'), cluster);
    expect([c, b < c, a < b]).toEqual([100, true, true]);
    expect(
      scores(
        podTopologySpread(() => undefined),
        web('p'),
        cluster,
      ),
    ).toEqual([0, 0, 0]);
  });

  it('PodTopologySpread gives nothing to nodes that lack a label which the pod names', () => {
    const spec = {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: {} },
      ],
    };
    const cluster = clusterOf([nodeOf('a', { labels: { zone: 'a' } }), nodeOf('plain')]);
    expect(
      scores(
        podTopologySpread(() => undefined),
        infoOf('p', { spec }),
        cluster,
      ),
    ).toEqual([100, 0]);
  });
});

describe('the choice', () => {
  it('spreads the replicas of a group over nodes, whatever the seed', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom(seed);
      const cluster = clusterOf([nodeOf('a'), nodeOf('b'), nodeOf('c')]);
      const plugins = defaultPlugins(() => labelSelectorOfMap({ app: 'web' }));
      for (const name of ['w1', 'w2', 'w3']) {
        const pod = infoOf(name, { labels: { app: 'web' } });
        const decision = schedulePod(pod, cluster, { plugins, random });
        if (decision.kind === 'placed') cluster.assume(pod, decision.node.name);
      }
      expect([...cluster.nodes()].map((node) => node.podCount)).toEqual([1, 1, 1]);
    }
  });

  it('breaks ties by chance: the same seed, the same nodes; all of them over time', () => {
    const choose = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 30 }, () => {
        const decision = schedulePod(infoOf('p'), clusterOf([nodeOf('a'), nodeOf('b'), nodeOf('c')]), {
          plugins: defaultPlugins(() => undefined),
          random,
        });
        return decision.kind === 'placed' ? decision.node.name : decision.message;
      });
    };
    expect(choose(7)).toEqual(choose(7));
    expect(new Set(choose(7))).toEqual(new Set(['a', 'b', 'c']));
  });
});
