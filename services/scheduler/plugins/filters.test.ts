import { describe, expect, it } from 'vitest';
import type {
  NodeSelectorRequirement,
  PodSpec,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from '../../../apimachinery/gen/types.js';
import { seededRandom } from '../../../platform/random.js';
import { schedulePod } from '../framework/schedule-pod.js';
import type { PodInfo } from '../framework/pod-info.js';
import type { ClusterState } from '../state/cluster-state.js';
import { clusterOf, infoOf, nodeOf } from '../testing/cluster.js';
import { defaultPlugins } from './defaults.js';

const plugins = defaultPlugins(() => undefined);

/** The node's name, or the message for the event. */
function outcome(pod: PodInfo, cluster: ClusterState): string {
  const decision = schedulePod(pod, cluster, { plugins, random: seededRandom(1) });
  return decision.kind === 'placed' ? decision.node.name : decision.message;
}

describe('NodeResourcesFit', () => {
  const node = nodeOf('n', {
    allocatable: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi', pods: '3', 'example.com/gpu': '1' },
  });
  const half = infoOf('half', { requests: { cpu: '500m', memory: '512Mi' } });
  it.each([
    [{ cpu: '500m' }, 'n'],
    [{ cpu: '501m' }, '0/1 nodes are available: 1 Insufficient cpu.'],
    [{ cpu: '2', memory: '2Gi' }, '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.'],
    [{ 'ephemeral-storage': '2Gi' }, '0/1 nodes are available: 1 Insufficient ephemeral-storage.'],
    [{ 'example.com/gpu': '1' }, 'n'],
    [{ 'example.com/gpu': '2' }, '0/1 nodes are available: 1 Insufficient example.com/gpu.'],
    [{ 'example.com/unheard-of': '1' }, '0/1 nodes are available: 1 Insufficient example.com/unheard-of.'],
    [{ constructor: '1' }, '0/1 nodes are available: 1 Insufficient constructor.'],
  ])('%j', (requests, expected) => {
    expect(
      outcome(infoOf('p', { requests: requests as Record<string, string> }), clusterOf([node], { n: [half] })),
    ).toBe(expected);
  });

  it('counts pods that ask for nothing', () => {
    const full = clusterOf([node], { n: [infoOf('a'), infoOf('b'), infoOf('c')] });
    expect(outcome(infoOf('p'), full)).toBe('0/1 nodes are available: 1 Too many pods.');
  });

  it('gives back what a pod took', () => {
    const cluster = clusterOf([node], { n: [half, infoOf('other', { requests: { cpu: '500m' } })] });
    expect(outcome(infoOf('p', { requests: { cpu: '1m' } }), cluster)).toContain('Insufficient cpu');
    cluster.removePod('default/half');
    expect(outcome(infoOf('p', { requests: { cpu: '500m' } }), cluster)).toBe('n');
  });

  it('counts the peak of init containers, not their sum', () => {
    const spec: Partial<PodSpec> = {
      initContainers: [
        { name: 'i1', resources: { requests: { cpu: '1' } } },
        { name: 'i2', resources: { requests: { cpu: '1' } } },
      ],
    };
    expect(outcome(infoOf('p', { spec, requests: { cpu: '100m' } }), clusterOf([node]))).toBe('n');
  });
});

describe('what kube-scheduler says', () => {
  it('without nodes', () => expect(outcome(infoOf('p'), clusterOf([]))).toBe('no nodes available to schedule pods'));

  it('counts reasons over nodes, in order of their text', () => {
    const nodes = [
      nodeOf('a', { allocatable: { cpu: '0' } }),
      nodeOf('b', { allocatable: { cpu: '0' } }),
      nodeOf('c', { spec: { unschedulable: true } }),
      nodeOf('d', { spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } }),
    ];
    expect(outcome(infoOf('p', { requests: { cpu: '1' } }), clusterOf(nodes))).toBe(
      '0/4 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable, 2 Insufficient cpu.',
    );
  });
});

describe('NodeUnschedulable and TaintToleration', () => {
  const taint = (key: string, effect: string, value?: string): Taint => ({
    key,
    effect,
    ...(value === undefined ? {} : { value }),
  });
  it.each<[string, Taint, Toleration[], boolean]>([
    ['no toleration', taint('k', 'NoSchedule', 'v'), [], false],
    ['NoExecute', taint('k', 'NoExecute'), [], false],
    ['PreferNoSchedule', taint('k', 'PreferNoSchedule'), [], true],
    ['equal', taint('k', 'NoSchedule', 'v'), [{ key: 'k', value: 'v', effect: 'NoSchedule' }], true],
    ['another value', taint('k', 'NoSchedule', 'v'), [{ key: 'k', operator: 'Equal', value: 'w' }], false],
    ['another effect', taint('k', 'NoSchedule', 'v'), [{ key: 'k', value: 'v', effect: 'NoExecute' }], false],
    ['exists', taint('k', 'NoSchedule', 'v'), [{ key: 'k', operator: 'Exists' }], true],
    ['everything', taint('k', 'NoSchedule', 'v'), [{ operator: 'Exists' }], true],
    ['an empty key with Equal', taint('k', 'NoSchedule'), [{ operator: 'Equal' }], false],
  ])('%s', (_, given, tolerations, fits) => {
    const cluster = clusterOf([nodeOf('n', { spec: { taints: [given] } })]);
    expect(outcome(infoOf('p', { spec: { tolerations } }), cluster) === 'n').toBe(fits);
  });

  it('a cordoned node takes only pods that tolerate it', () => {
    const cluster = clusterOf([nodeOf('n', { spec: { unschedulable: true } })]);
    expect(outcome(infoOf('p'), cluster)).toBe('0/1 nodes are available: 1 node(s) were unschedulable.');
    expect(
      outcome(
        infoOf('p', { spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] } }),
        cluster,
      ),
    ).toBe('n');
  });
});

describe('NodeAffinity', () => {
  const node = nodeOf('n', { labels: { zone: 'a', cores: '16', odd: 'x1' } });
  const requiring = (...matchExpressions: NodeSelectorRequirement[]): Partial<PodSpec> => ({
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  });
  it.each<[NodeSelectorRequirement, boolean]>([
    [{ key: 'zone', operator: 'In', values: ['a', 'b'] }, true],
    [{ key: 'zone', operator: 'In', values: ['b'] }, false],
    [{ key: 'zone', operator: 'NotIn', values: ['b'] }, true],
    [{ key: 'absent', operator: 'NotIn', values: ['b'] }, true],
    [{ key: 'zone', operator: 'Exists' }, true],
    [{ key: 'constructor', operator: 'Exists' }, false],
    [{ key: 'absent', operator: 'DoesNotExist' }, true],
    [{ key: 'cores', operator: 'Gt', values: ['15'] }, true],
    [{ key: 'cores', operator: 'Gt', values: ['16'] }, false],
    [{ key: 'cores', operator: 'Lt', values: ['17'] }, true],
    [{ key: 'odd', operator: 'Gt', values: ['0'] }, false],
    [{ key: 'zone', operator: 'Near', values: ['a'] }, false],
  ])('%j', (requirement, fits) => {
    const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    expect(outcome(infoOf('p', { spec: requiring(requirement) }), clusterOf([node]))).toBe(fits ? 'n' : message);
  });

  it('nodeSelector, and terms that are alternatives; an empty term selects nothing', () => {
    const cluster = clusterOf([node]);
    expect(outcome(infoOf('p', { spec: { nodeSelector: { zone: 'a' } } }), cluster)).toBe('n');
    expect(outcome(infoOf('p', { spec: { nodeSelector: { zone: 'b' } } }), cluster)).toContain(
      'node affinity/selector',
    );
    const terms = (nodeSelectorTerms: object[]) => ({
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    });
    expect(
      outcome(
        infoOf('p', {
          spec: terms([
            { matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] },
            { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] },
          ]),
        }),
        cluster,
      ),
    ).toBe('n');
    expect(outcome(infoOf('p', { spec: terms([{}]) }), cluster)).toContain('node affinity/selector');
  });
});

describe('NodePorts', () => {
  it('a host port is taken once on a node, until its pod leaves', () => {
    const cluster = clusterOf([nodeOf('n')], { n: [infoOf('a', { hostPort: 8080 })] });
    expect(outcome(infoOf('p', { hostPort: 8080 }), cluster)).toBe(
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    );
    expect(outcome(infoOf('p', { hostPort: 8081 }), cluster)).toBe('n');
    cluster.removePod('default/a');
    expect(outcome(infoOf('p', { hostPort: 8080 }), cluster)).toBe('n');
  });
});

describe('PodTopologySpread', () => {
  const zones = [
    nodeOf('a1', { labels: { zone: 'a' } }),
    nodeOf('a2', { labels: { zone: 'a' } }),
    nodeOf('b1', { labels: { zone: 'b' } }),
  ];
  const web = (name: string) => infoOf(name, { labels: { app: 'web' } });
  const spread = (more: Partial<TopologySpreadConstraint> = {}) =>
    infoOf('p', {
      labels: { app: 'web' },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'zone',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
            ...more,
          },
        ],
      },
    });

  it('keeps the skew within bounds', () => {
    expect(outcome(spread(), clusterOf(zones, { a1: [web('w1')] }))).toBe('b1');
    const uneven = clusterOf(
      [...zones.slice(0, 2), nodeOf('b1', { labels: { zone: 'b' }, spec: { unschedulable: true } })],
      { a1: [web('w1')] },
    );
    expect(outcome(spread(), uneven)).toBe(
      "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod topology spread constraints.",
    );
  });

  it('does not count other namespaces, pods that end, or zones the pod cannot go to', () => {
    const elsewhere = infoOf('w1', { labels: { app: 'web' }, namespace: 'other' });
    const doomed = web('w2');
    const ending = {
      ...doomed,
      pod: { ...doomed.pod, metadata: { ...doomed.pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    };
    const lopsided = clusterOf(
      [...zones.slice(0, 2), nodeOf('b1', { labels: { zone: 'b' }, spec: { unschedulable: true } })],
      { a1: [elsewhere, ending] },
    );
    expect(['a1', 'a2']).toContain(outcome(spread(), lopsided));
    const narrowed = infoOf('p', {
      labels: { app: 'web' },
      spec: {
        nodeSelector: { zone: 'a' },
        topologySpreadConstraints: spread().pod.spec?.topologySpreadConstraints ?? [],
      },
    });
    expect(['a1', 'a2']).toContain(outcome(narrowed, clusterOf(zones, { a1: [web('w1')], a2: [web('w2')] })));
  });

  it('wants at least minDomains, and the label', () => {
    expect(outcome(spread({ minDomains: 3 }), clusterOf(zones, { a1: [web('w1')], b1: [web('w2')] }))).toContain(
      "3 node(s) didn't match pod topology spread constraints.",
    );
    expect(outcome(spread(), clusterOf([nodeOf('plain')]))).toContain(
      "didn't match pod topology spread constraints (missing required label)",
    );
  });

  it("counts only the pod's own revision with matchLabelKeys", () => {
    const old = infoOf('old', { labels: { app: 'web', rev: '1' } });
    const next = infoOf('p', {
      labels: { app: 'web', rev: '2' },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'zone',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
            matchLabelKeys: ['rev'],
          },
        ],
        nodeSelector: { zone: 'a' },
      },
    });
    expect(['a1', 'a2']).toContain(outcome(next, clusterOf(zones, { a1: [old] })));
  });
});

describe('InterPodAffinity', () => {
  const zones = [nodeOf('a1', { labels: { zone: 'a' } }), nodeOf('b1', { labels: { zone: 'b' } })];
  const term = (app: string, topologyKey = 'zone') => ({ topologyKey, labelSelector: { matchLabels: { app } } });
  const near = (app: string) => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(app)] } },
  });
  const awayFrom = (app: string) => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(app)] } },
  });

  it('goes where its friend is', () => {
    const cluster = clusterOf(zones, { b1: [infoOf('db', { labels: { app: 'db' } })] });
    expect(outcome(infoOf('p', { spec: near('db') }), cluster)).toBe('b1');
    expect(outcome(infoOf('p', { spec: near('nobody') }), cluster)).toBe(
      "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.",
    );
    expect(outcome(infoOf('p', { spec: near('db'), namespace: 'other' }), cluster)).toContain('pod affinity rules');
  });

  it('the first of a group may go anywhere, the second goes to the first', () => {
    const first = infoOf('p1', { labels: { app: 'ring' }, spec: near('ring') });
    expect(['a1', 'b1']).toContain(outcome(first, clusterOf(zones)));
    expect(
      outcome(infoOf('p2', { labels: { app: 'ring' }, spec: near('ring') }), clusterOf(zones, { a1: [first] })),
    ).toBe('a1');
  });

  it('keeps away, in both directions', () => {
    const db = infoOf('db', { labels: { app: 'db' } });
    expect(outcome(infoOf('p', { spec: awayFrom('db') }), clusterOf(zones, { a1: [db] }))).toBe('b1');
    const loner = infoOf('loner', { labels: { app: 'loner' }, spec: awayFrom('db') });
    const cluster = clusterOf(zones, { a1: [loner] });
    expect(outcome(db, cluster)).toBe('b1');
    cluster.setPod(infoOf('loner2', { spec: awayFrom('db') }), 'b1');
    expect(outcome(db, cluster)).toBe(
      "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
    );
    cluster.removePod('default/loner2');
    expect(outcome(db, cluster)).toBe('b1');
  });

  it('knows namespaces by name and by label', () => {
    const cluster = clusterOf(zones, { b1: [infoOf('db', { labels: { app: 'db' }, namespace: 'data' })] });
    const spec = (more: object) => ({
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ ...term('db'), ...more }] } },
    });
    expect(outcome(infoOf('p', { spec: spec({ namespaces: ['data'] }) }), cluster)).toBe('b1');
    expect(outcome(infoOf('p', { spec: spec({ namespaceSelector: {} }) }), cluster)).toBe('b1');
    expect(
      outcome(
        infoOf('p', { spec: spec({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'data' } } }) }),
        cluster,
      ),
    ).toBe('b1');
    expect(
      outcome(infoOf('p', { spec: spec({ namespaceSelector: { matchLabels: { team: 'x' } } }) }), cluster),
    ).toContain('pod affinity rules');
  });
});
