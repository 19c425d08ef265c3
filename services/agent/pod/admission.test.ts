import { describe, expect, it } from 'vitest';
import { hostPortsOf } from '../../../apimachinery/kinds/pod/host-ports.js';
import { admissionRefusal, type NodeObject } from './admission.js';
import { requestsOf } from './allocation.js';
import { TestNode } from './test-node.js';
import type { Pod, PodSpec, Quantities } from '../pod-spec/types.js';

const pod = (requests: Quantities): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests } }] },
});

const empty = { allocatable: {}, requested: new Map(), pods: 0, hostPorts: [], node: undefined };

/** The amounts are kubelet's: thousandths of a CPU, bytes, pieces. */
describe('room for a pod', () => {
  const allocatable = { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi', pods: '3', 'rules.example/card': '1' };
  it.each<[string, Quantities, readonly Quantities[], string | undefined]>([
    ['as much as is left', { cpu: '500m', memory: '1Gi' }, [{ cpu: '1500m' }], undefined],
    ['nothing, on a node that is full', {}, [{ cpu: '2' }], undefined],
    [
      'cpu',
      { cpu: '501m', memory: '2Gi' },
      [{ cpu: '1500m' }],
      'OutOfcpu: cpu, requested: 501, used: 1500, capacity: 2000',
    ],
    [
      'memory',
      { memory: '1Gi' },
      [{ memory: '1' }],
      'OutOfmemory: memory, requested: 1073741824, used: 1, capacity: 1073741824',
    ],
    [
      'disk',
      { 'ephemeral-storage': '11Gi' },
      [],
      'OutOfephemeral-storage: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240',
    ],
    ['pods, before all else', { cpu: '9' }, [{}, {}, {}], 'OutOfpods: pods, requested: 1, used: 3, capacity: 3'],
    [
      'what the node has of its own',
      { 'rules.example/card': '1' },
      [{ 'rules.example/card': '1' }],
      'OutOfrules.example/card: rules.example/card, requested: 1, used: 1, capacity: 1',
    ],
    ['what the node does not know', { 'rules.example/other': '1' }, [], undefined],
  ])('%s', (_, wish, others, expected) => {
    const refusal = admissionRefusal(pod(wish), {
      ...empty,
      allocatable,
      requested: requestsOf(others.map(pod)),
      pods: others.length,
    });
    expect(
      refusal === undefined
        ? undefined
        : `${refusal.reason}: ${refusal.message.replace("Node didn't have enough resource: ", '')}`,
    ).toBe(expected);
  });

  it('is not judged before the node knows what it has', () => {
    expect(admissionRefusal(pod({ cpu: '9' }), { ...empty, pods: 500 })).toBeUndefined();
  });
});

/** The cases, reasons and messages of kubelet v1.36 (pkg/kubelet/lifecycle, predicate.go). */
describe('a node that a pod may not run on', () => {
  const node: NodeObject = {
    name: 'w1',
    labels: { disk: 'ssd', cores: '8' },
    taints: [
      { key: 'gone', effect: 'NoExecute' },
      { key: 'soft', effect: 'NoSchedule' },
    ],
  };
  const tolerations = [{ key: 'gone', operator: 'Exists' }];
  const refusal = (
    spec: Partial<PodSpec>,
    {
      others = [],
      labels = {},
      at = node,
    }: { others?: readonly Partial<PodSpec>[]; labels?: Record<string, string>; at?: NodeObject | undefined } = {},
  ) => {
    const full = (part: Partial<PodSpec>): Pod => ({
      metadata: { name: 'p', labels },
      spec: { containers: [{ name: 'c', image: 'i' }], tolerations, ...part },
    });
    const taken = others.flatMap((other) => hostPortsOf(full(other)));
    const found = admissionRefusal(full(spec), { ...empty, allocatable: { cpu: '1' }, hostPorts: taken, node: at });
    return found === undefined ? undefined : `${found.reason}: ${found.message}`;
  };
  const required = (
    ...nodeSelectorTerms: NonNullable<
      NonNullable<NonNullable<PodSpec['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
    >['nodeSelectorTerms']
  ) => ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } });
  const ports = (
    ...list: { hostPort?: number; containerPort?: number; hostIP?: string; protocol?: string }[]
  ): Partial<PodSpec> => ({
    containers: [{ name: 'c', image: 'i', ports: list.map((port) => ({ containerPort: 80, ...port })) }],
  });
  const AFFINITY = "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
  const PORTS = "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  const TAINT = "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate";

  it.each<[string, Partial<PodSpec>, string | undefined]>([
    ['a selector that it has', { nodeSelector: { disk: 'ssd' } }, undefined],
    ['a selector with another value', { nodeSelector: { disk: 'hdd' } }, AFFINITY],
    ['a selector that it has not', { nodeSelector: { zone: 'a' } }, AFFINITY],
    ['a name of every object', { nodeSelector: { constructor: 'a' } }, AFFINITY],
    [
      'one of two terms',
      required(
        { matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] },
        { matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['4'] }] },
      ),
      undefined,
    ],
    ['no term', required({ matchExpressions: [{ key: 'cores', operator: 'Lt', values: ['8'] }] }), AFFINITY],
    ['an empty term', required({}), AFFINITY],
    ['its own name', required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['w1'] }] }), undefined],
    ['another name', required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['w2'] }] }), AFFINITY],
    ['a taint that moves pods away', { tolerations: [] }, TAINT],
    [
      'a taint that is tolerated for a while',
      { tolerations: [{ key: 'gone', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }] },
      undefined,
    ],
    [
      'another system',
      { os: { name: 'windows' } },
      "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      'groups of the image alone',
      { securityContext: { supplementalGroupsPolicy: 'Strict' } },
      'SupplementalGroupsPolicyNotSupported: SupplementalGroupsPolicy=Strict is not supported in this node',
    ],
    [
      'room is looked for first, taints last',
      {
        nodeSelector: { zone: 'a' },
        tolerations: [],
        containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '2' } } }],
      },
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000",
    ],
  ])('%s', (_name, spec, expected) => {
    expect(refusal(spec)).toBe(expected);
  });

  it('a label of the pod that names another system', () => {
    expect(refusal({}, { labels: { 'kubernetes.io/os': 'windows' } })).toBe(
      "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    );
    expect(refusal({}, { labels: { 'kubernetes.io/os': 'linux' } })).toBeUndefined();
  });

  it.each<[string, Partial<PodSpec>, Partial<PodSpec>, string | undefined]>([
    ['the same port', ports({ hostPort: 80 }), ports({ hostPort: 80 }), PORTS],
    ['another port', ports({ hostPort: 80 }), ports({ hostPort: 81 }), undefined],
    ['another protocol', ports({ hostPort: 80 }), ports({ hostPort: 80, protocol: 'UDP' }), undefined],
    [
      'two addresses',
      ports({ hostPort: 80, hostIP: '127.0.0.1' }),
      ports({ hostPort: 80, hostIP: '127.0.0.2' }),
      undefined,
    ],
    ['one address and all', ports({ hostPort: 80, hostIP: '127.0.0.1' }), ports({ hostPort: 80 }), PORTS],
    ['all and one address', ports({ hostPort: 80 }), ports({ hostPort: 80, hostIP: '127.0.0.1' }), PORTS],
    ['a port of the container alone', ports({}), ports({}), undefined],
    ["the host's network", { ...ports({}), hostNetwork: true }, ports({ hostPort: 80 }), PORTS],
    [
      'a sidecar',
      {
        initContainers: [
          { name: 's', image: 'i', restartPolicy: 'Always', ports: [{ containerPort: 1, hostPort: 80 }] },
        ],
      },
      ports({ hostPort: 80 }),
      PORTS,
    ],
    [
      'an init container',
      { initContainers: [{ name: 's', image: 'i', ports: [{ containerPort: 1, hostPort: 80 }] }] },
      ports({ hostPort: 80 }),
      undefined,
    ],
  ])('ports: %s', (_name, other, spec, expected) => {
    expect(refusal(spec, { others: [other] })).toBe(expected);
    expect(refusal(other, { others: [spec] })).toBe(expected);
  });

  it('is not judged by labels and taints before a member has sent them', () => {
    expect(admissionRefusal({ spec: { nodeSelector: { a: 'b' }, containers: [] } }, empty)).toBeUndefined();
  });
});

/** kubelet's admission: the scheduler looked for room, whoever writes spec.nodeName did not. */
describe('a pod for which the node has no room', () => {
  const asking = (name: string, cpu: string): Pod => ({
    metadata: { namespace: 'default', name, uid: `u-${name}` },
    spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu } } }] },
  });

  it('fails before anything is made of it, and says what there is too little of', async () => {
    const node = new TestNode();
    await node.apply(asking('first', '1500m'));
    await node.apply(asking('second', '600m'));
    const message = "Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000";
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
    expect(node.reported.get('second')).toMatchObject({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: `Pod was rejected: ${message}`,
    });
    expect(node.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'OutOfcpu', message }));
    expect(node.starts()).toHaveLength(1);
    // The refused one takes no room.
    await node.apply(asking('third', '500m'));
    expect(node.reported.get('third')).toMatchObject({ phase: 'Running' });
  });

  it('has it once another pod is gone from the API, though that one still ends', async () => {
    const node = new TestNode();
    await node.apply(asking('first', '1500m'));
    node.manager.removePod('u-first');
    await node.apply(asking('second', '600m'));
    expect(node.reported.get('second')).toMatchObject({ phase: 'Running' });
  });

  it('is not one that runs already when the agent starts again', async () => {
    const node = new TestNode();
    const first = await node.apply(asking('first', '1500m'));
    node.restart();
    await node.apply(asking('second', '1500m'));
    node.manager.applyPod(first, {});
    await node.clock.advance(10);
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
  });
});

describe('a pod that the node may not run', () => {
  const asking = (name: string, spec: Partial<PodSpec>): Pod => ({
    metadata: { namespace: 'default', name, uid: `u-${name}` },
    spec: {
      nodeName: 'w1',
      containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80, hostPort: 80 }] }],
      ...spec,
    },
  });

  it('fails with the reason; one whose port is free again runs', async () => {
    const node = new TestNode();
    node.object = { name: 'w1', labels: { disk: 'ssd' }, taints: [] };
    await node.apply(asking('elsewhere', { nodeSelector: { disk: 'hdd' } }));
    const message = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    expect(node.reported.get('elsewhere')).toMatchObject({
      phase: 'Failed',
      reason: 'NodeAffinity',
      message: `Pod was rejected: ${message}`,
    });
    expect(Object.keys(node.reported.get('elsewhere') ?? {}).toSorted()).toEqual([
      'message',
      'phase',
      'qosClass',
      'reason',
      'startTime',
    ]);
    expect(node.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'NodeAffinity', message }));
    await node.apply(asking('first', { nodeSelector: { disk: 'ssd' } }));
    await node.apply(asking('second', {}));
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
    expect(node.reported.get('second')).toMatchObject({ phase: 'Failed', reason: 'NodePorts' });
    node.manager.removePod('u-first');
    await node.apply(asking('third', {}));
    expect(node.reported.get('third')).toMatchObject({ phase: 'Running' });
  });

  it('goes on when it ran before its node changed', async () => {
    const node = new TestNode();
    node.object = { name: 'w1', labels: { disk: 'ssd' }, taints: [] };
    const pod = await node.apply(asking('first', { nodeSelector: { disk: 'ssd' } }));
    node.object = { name: 'w1', labels: {}, taints: [{ key: 'k', effect: 'NoExecute' }] };
    node.restart();
    node.manager.applyPod(pod, {});
    await node.clock.advance(10);
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
  });
});
