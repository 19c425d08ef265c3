import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  configMaps,
  deployments,
  leases,
  namespaces,
  nodes,
  pods,
  replicaSets,
  serviceAccounts,
} from '../../apimachinery/gen/resources.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import { toMicroTime, toTime } from '../../platform/clock.js';
import { fixedDiscovery } from './discovery.js';
import { createGarbageCollector } from './garbagecollector/garbagecollector.js';
import { createNamespaceController } from './namespace/namespace.js';
import { createTaintEvictionController } from './node/eviction.js';
import { createNodeLifecycleController, LEASE_NAMESPACE } from './node/lifecycle.js';
import { createNodeSubnetController, subnetsOf } from './node/subnets.js';
import { toleratesTaint } from '../../apimachinery/kinds/pod/tolerations.js';
import { evictionIn_ms } from './node/tolerance.js';
import { createPodGcController } from './podgc/podgc.js';
import { createRootCaPublisher, createServiceAccountController } from './serviceaccount/defaults.js';
import { createTestContext } from './testing.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(() => {
  t = createTestContext();
});
afterEach(() => t.stop());

const node = (name: string): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
});
const exists = async (resource: Resource, ref: { namespace?: string; name: string }) =>
  t.client.get(resource, ref).then(
    () => true,
    () => false,
  );

describe('node lifecycle and eviction', () => {
  const renew = async (name: string) => {
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: toMicroTime(t.clock.now()) };
    const lease = await t.client.get(leases, { namespace: LEASE_NAMESPACE, name }).catch(() => undefined);
    if (lease === undefined) await t.client.create(leases, { metadata: { namespace: LEASE_NAMESPACE, name }, spec });
    else await t.client.update(leases, { ...lease, spec });
  };
  const start = () =>
    t.start(createNodeLifecycleController(t.context, { grace_ms: 40_000 }), createTaintEvictionController(t.context));
  const taintsOf = async (name: string) =>
    ((await t.client.get(nodes, { name })).spec?.taints ?? []).map((taint) => `${taint.key}:${taint.effect}`);
  const pod = (name: string, tolerationSeconds?: number): Pod => ({
    metadata: { name, namespace: 'd' },
    spec: {
      nodeName: 'w1',
      containers: [],
      ...(tolerationSeconds === undefined
        ? {}
        : {
            tolerations: [
              { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds },
            ],
          }),
    },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: toTime(t.clock.now()) }],
    },
  });

  it('leaves a node alone that renews its lease, whatever the wall clocks say', async () => {
    await t.client.create(nodes, node('w1'));
    await renew('w1');
    await start();
    for (let i = 0; i < 10; i++) {
      t.clock.jump(i % 2 === 0 ? 3_600_000 : -3_600_000);
      await renew('w1');
      await t.settle(10_000);
    }
    expect(await taintsOf('w1')).toEqual([]);
  });

  it('says once that it has seen a node, as kubectl describe shows it', async () => {
    await t.client.create(nodes, node('w1'));
    await start();
    await t.settle(100_000);
    await t.client.create(nodes, node('w2'));
    await t.settle(100_000);
    expect(t.said.filter((event) => event.includes('RegisteredNode'))).toEqual([
      'w1 RegisteredNode: Node w1 event: Registered Node w1 in Controller',
      'w2 RegisteredNode: Node w2 event: Registered Node w2 in Controller',
    ]);
  });

  it('makes a silent node NotReady, taints it, and moves its pods when their toleration ends', async () => {
    await t.client.create(nodes, node('w1'));
    await renew('w1');
    await t.client.create(pods, pod('patient', 300));
    await t.client.create(pods, pod('hasty', 5));
    await start();
    await t.settle(41_000);
    const silent = await t.client.get(nodes, { name: 'w1' });
    expect(silent.status?.conditions?.find((c) => c.type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
    });
    expect(await taintsOf('w1')).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
    const notReady = await t.client.get(pods, { namespace: 'd', name: 'patient' });
    expect(notReady.status?.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'NodeNotReady' }]);
    await t.settle(6_000);
    const going = async (name: string) =>
      (await t.client.get(pods, { namespace: 'd', name }).catch(() => undefined))?.metadata?.deletionTimestamp;
    expect([
      await going('patient'),
      (await going('hasty')) !== undefined || !(await exists(pods, { namespace: 'd', name: 'hasty' })),
    ]).toEqual([undefined, true]);
  });

  it('takes its taints off when the node is back, and leaves those of others', async () => {
    await t.client.create(nodes, {
      ...node('w1'),
      spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] },
    });
    await renew('w1');
    await start();
    await t.settle(41_000);
    await renew('w1');
    const back = await t.client.get(nodes, { name: 'w1' });
    await t.client.updateStatus(nodes, { ...back, status: node('w1').status ?? {} });
    await t.settle();
    expect(await taintsOf('w1')).toEqual(['gpu:NoSchedule']);
  });

  it('taints what is cordoned', async () => {
    await t.client.create(nodes, { ...node('w1'), spec: { unschedulable: true } });
    await renew('w1');
    await start();
    await t.settle();
    expect(await taintsOf('w1')).toEqual(['node.kubernetes.io/unschedulable:NoSchedule']);
  });

  it('reads tolerations as Kubernetes does', () => {
    const taint = { key: 'k', value: 'v', effect: 'NoExecute' };
    expect([
      toleratesTaint({ key: 'k', operator: 'Exists' }, taint),
      toleratesTaint({ key: 'k', value: 'v' }, taint),
      toleratesTaint({ key: 'k' }, taint),
      toleratesTaint({ operator: 'Exists' }, taint),
      toleratesTaint({}, taint),
      toleratesTaint({ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, taint),
    ]).toEqual([true, true, false, true, false, false]);
    const left = (tolerations: object[]) =>
      evictionIn_ms({ spec: { containers: [], tolerations } } as Pod, [taint], () => 40_000);
    expect([
      left([]),
      left([{ operator: 'Exists' }]),
      left([{ key: 'k', operator: 'Exists', tolerationSeconds: 60 }]),
      left([{ key: 'k', operator: 'Exists', tolerationSeconds: 30 }]),
      left([{ key: 'k', operator: 'Exists', tolerationSeconds: -5 }]),
      left([{ operator: 'Exists' }, { key: 'k', operator: 'Exists', tolerationSeconds: 60 }]),
    ]).toEqual([0, undefined, 20_000, 0, 0, 20_000]);
  });
});

describe('node subnets', () => {
  it('gives each node its own, and keeps those that are there', async () => {
    await t.client.create(nodes, { metadata: { name: 'old' }, spec: { podCIDR: '10.244.1.0/24' } });
    await t.start(createNodeSubnetController(t.context, { clusterCidr: '10.244.0.0/16', nodeBits: 24 }));
    for (const name of ['a', 'b', 'c']) await t.client.create(nodes, { metadata: { name } });
    await t.settle();
    const cidrs = (await t.client.list(nodes)).items.map((n) => n.spec?.podCIDR ?? '').sort((a, b) => (a < b ? -1 : 1));
    expect(cidrs).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']);
  });

  it('counts through the range and no further', () => {
    expect([...subnetsOf({ clusterCidr: '10.0.255.0/23', nodeBits: 24 })]).toEqual(['10.0.254.0/24', '10.0.255.0/24']);
  });
});

describe('namespaces', () => {
  it('get their account and root certificate, and get them back', async () => {
    await t.start(
      createServiceAccountController(t.context),
      createRootCaPublisher(t.context, { clusterAuthority: () => 'PEM' }),
    );
    await t.client.create(namespaces, { metadata: { name: 'a' } });
    await t.settle();
    expect((await t.client.get(configMaps, { namespace: 'a', name: 'kube-root-ca.crt' })).data).toEqual({
      'ca.crt': 'PEM',
    });
    await t.client.delete(serviceAccounts, { namespace: 'a', name: 'default' });
    await t.settle();
    expect(await exists(serviceAccounts, { namespace: 'a', name: 'default' })).toBe(true);
  });

  it('go only when everything in them has gone', async () => {
    await t.start(createNamespaceController(t.context, { discovery: fixedDiscovery([pods, configMaps]) }));
    await t.client.create(namespaces, {
      metadata: { name: 'a', finalizers: ['test/hold'] },
      spec: { finalizers: ['kubernetes'] },
    });
    await t.client.create(configMaps, { metadata: { namespace: 'a', name: 'm' } });
    await t.client.create(configMaps, { metadata: { namespace: 'a', name: 'held', finalizers: ['x/y'] } });
    await t.client.delete(namespaces, { name: 'a' });
    await t.settle(1_000);
    expect(await exists(configMaps, { namespace: 'a', name: 'm' })).toBe(false);
    const waiting = await t.client.get(namespaces, { name: 'a' });
    expect(waiting.status).toMatchObject({ phase: 'Terminating' });
    expect(waiting.status?.conditions?.map((c) => c.message).join()).toContain('x/y in 1 resource instances');
    await t.client.patch(
      configMaps,
      { namespace: 'a', name: 'held' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await t.settle(1_000);
    const last = await t.client.get(namespaces, { name: 'a' });
    expect(last.spec?.finalizers ?? []).toEqual([]);
  });
});

describe('the garbage collector', () => {
  const owned = (name: string, owner: KubeObject, kind: string, more: object = {}) => ({
    metadata: {
      name,
      namespace: 'd',
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind,
          name: owner.metadata?.name ?? '',
          uid: owner.metadata?.uid ?? '',
          blockOwnerDeletion: true,
          controller: true,
        },
      ],
      ...more,
    },
  });
  const start = () =>
    t.start(createGarbageCollector(t.context, { discovery: fixedDiscovery([deployments, replicaSets, pods]) }));
  const make = async () => {
    const top = await t.client.create(deployments, { metadata: { name: 'top', namespace: 'd' } });
    const middle = await t.client.create(replicaSets, owned('middle', top, 'Deployment'));
    await t.client.create(pods, owned('leaf', middle, 'ReplicaSet'));
    return { top, middle };
  };
  const left = async () => [
    await exists(deployments, { namespace: 'd', name: 'top' }),
    await exists(replicaSets, { namespace: 'd', name: 'middle' }),
    await exists(pods, { namespace: 'd', name: 'leaf' }),
  ];

  it('deletes dependents after their owner, down the chain', async () => {
    await start();
    await make();
    await t.client.delete(deployments, { namespace: 'd', name: 'top' }, { propagationPolicy: 'Background' });
    await t.settle();
    expect(await left()).toEqual([false, false, false]);
  });

  it('deletes dependents first in the foreground', async () => {
    await start();
    await make();
    await t.client.delete(deployments, { namespace: 'd', name: 'top' }, { propagationPolicy: 'Foreground' });
    await t.settle();
    expect(await left()).toEqual([false, false, false]);
  });

  it('leaves orphans that were asked for, and what has another owner', async () => {
    await start();
    const { middle } = await make();
    await t.client.delete(deployments, { namespace: 'd', name: 'top' }, { propagationPolicy: 'Orphan' });
    await t.settle();
    expect(await left()).toEqual([false, true, true]);
    expect(
      (await t.client.get(replicaSets, { namespace: 'd', name: 'middle' })).metadata?.ownerReferences ?? [],
    ).toEqual([]);
    const second = await t.client.create(replicaSets, { metadata: { name: 'second', namespace: 'd' } });
    const reference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'second', uid: second.metadata?.uid ?? '' };
    const leaf = await t.client.get(pods, { namespace: 'd', name: 'leaf' });
    await t.client.update(pods, {
      ...leaf,
      metadata: { ...leaf.metadata, ownerReferences: [...(leaf.metadata?.ownerReferences ?? []), reference] },
    });
    await t.client.delete(
      replicaSets,
      { namespace: 'd', name: middle.metadata?.name ?? '' },
      { propagationPolicy: 'Background' },
    );
    await t.settle();
    expect(
      (await t.client.get(pods, { namespace: 'd', name: 'leaf' })).metadata?.ownerReferences?.map((o) => o.name),
    ).toEqual(['second']);
  });

  it('deletes what names an owner of another uid, and keeps what names a kind nobody serves', async () => {
    await t.client.create(pods, {
      metadata: {
        name: 'ghost',
        namespace: 'd',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'u' }],
      },
    });
    await t.client.create(pods, {
      metadata: {
        name: 'foreign',
        namespace: 'd',
        ownerReferences: [{ apiVersion: 'example.org/v1', kind: 'Thing', name: 'x', uid: 'v' }],
      },
    });
    await start();
    await t.settle();
    expect([
      await exists(pods, { namespace: 'd', name: 'ghost' }),
      await exists(pods, { namespace: 'd', name: 'foreign' }),
    ]).toEqual([false, true]);
  });
});

describe('pod garbage', () => {
  it('is what its node left behind for good', async () => {
    await t.client.create(pods, {
      metadata: { name: 'p', namespace: 'd' },
      spec: { nodeName: 'gone', containers: [] },
    });
    await t.client.create(pods, {
      metadata: { name: 'held', namespace: 'd', finalizers: ['test/look'] },
      spec: { nodeName: 'gone', containers: [] },
    });
    await t.start(createPodGcController(t.context));
    await t.settle(20_000);
    expect(await exists(pods, { namespace: 'd', name: 'p' })).toBe(true);
    await t.settle(45_000);
    await t.settle(20_000);
    expect(await exists(pods, { namespace: 'd', name: 'p' })).toBe(false);
    expect((await t.client.get(pods, { namespace: 'd', name: 'held' })).status).toMatchObject({
      phase: 'Failed',
      conditions: [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'DeletionByPodGC',
          message: 'PodGC: node no longer exists',
        },
      ],
    });
  });
});
