import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  deployments,
  endpoints,
  endpointSlices,
  pods,
  replicaSets,
  services,
} from '../../apimachinery/gen/resources.js';
import type { Deployment, Pod } from '../../apimachinery/gen/types.js';
import { apiErrors } from '../../apimachinery/status.js';
import { createDeploymentController } from './deployment/deployment.js';
import { newSetReplicas, oldSetReplicas, proportionalReplicas, surgeOf } from './deployment/sizes.js';
import { createEndpointsController } from './endpoints/endpoints.js';
import { subsetsOf } from './endpoints/subsets.js';
import { createEndpointSliceController } from './endpointslice/endpointslice.js';
import { templateHash } from './lib/workload/pod-template.js';
import { createReplicaSetController } from './replicaset/replicaset.js';
import { createTestContext } from './testing.js';

const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});
const deployment = (replicas: number, image = 'web:1', spec: object = {}): Deployment => ({
  metadata: { name: 'web', namespace: 'd', generation: 1 },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: template(image),
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    ...spec,
  },
});

let t: ReturnType<typeof createTestContext>;

beforeEach(async () => {
  t = createTestContext();
  await t.start(
    createReplicaSetController(t.context),
    createDeploymentController(t.context),
    createEndpointSliceController(t.context),
    createEndpointsController(t.context),
  );
});

afterEach(() => t.stop());

const ref = { namespace: 'd', name: 'web' };
const sizes = async () =>
  (await t.client.list(replicaSets)).items.map((set) => set.spec?.replicas ?? 0).sort((a, b) => a - b);

async function rollOut(): Promise<Deployment> {
  for (let i = 0; i < 10; i++) {
    await t.settle();
    await t.kubelet();
  }
  await t.settle();
  return t.client.get(deployments, ref);
}

describe('a replica set', () => {
  const set = (replicas: number) => ({
    metadata: { name: 'rs', namespace: 'd' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('web:1') },
  });

  it('makes exactly as many pods as it wants, also while its cache is behind', async () => {
    await t.client.create(replicaSets, set(3));
    await t.settle();
    expect(await t.podList()).toHaveLength(3);
    for (const pod of await t.podList()) {
      expect(pod.metadata?.ownerReferences).toMatchObject([
        { kind: 'ReplicaSet', name: 'rs', controller: true, blockOwnerDeletion: true },
      ]);
    }
    const { status } = await t.client.get(replicaSets, { namespace: 'd', name: 'rs' });
    expect(status).toMatchObject({ replicas: 3, fullyLabeledReplicas: 3 });
  });

  it('replaces a pod that is deleted, adopts an orphan that matches, releases one that no longer does', async () => {
    await t.client.create(replicaSets, set(2));
    await t.settle();
    const [first] = await t.podList();
    await t.client.delete(pods, { namespace: 'd', name: first?.metadata?.name ?? '' }, { gracePeriodSeconds: 0 });
    await t.settle();
    expect(await t.podList()).toHaveLength(2);
    await t.client.create(pods, { metadata: { name: 'orphan', namespace: 'd', labels: { app: 'web' } } });
    await t.settle();
    expect((await t.podList()).filter((pod) => pod.metadata?.deletionTimestamp === undefined)).toHaveLength(2);
    const [kept] = (await t.podList()).filter((pod) => pod.metadata?.ownerReferences !== undefined);
    await t.client.patch(
      pods,
      { namespace: 'd', name: kept?.metadata?.name ?? '' },
      { type: 'merge', body: { metadata: { labels: { app: 'other' } } } },
    );
    await t.settle();
    const released = await t.client.get(pods, { namespace: 'd', name: kept?.metadata?.name ?? '' });
    expect(released.metadata?.ownerReferences ?? []).toEqual([]);
  });

  it('reports why it cannot create pods, and goes on when it can', async () => {
    t.service.failNext('create', 'pods', apiErrors.forbidden(pods, '', 'exceeded quota'));
    await t.client.create(replicaSets, set(1));
    await t.clock.advance(0);
    await t.settle();
    expect(t.said.join('\n')).toContain('FailedCreate: Error creating: pods is forbidden: exceeded quota');
    expect(await t.podList()).toHaveLength(1);
  });

  it('makes each pod once when the last of many is seen between two of its looks', async () => {
    t.service.failNext('create', 'pods', apiErrors.forbidden(pods, '', 'exceeded quota'));
    await t.client.create(replicaSets, set(40));
    await t.settle();
    expect(t.said.filter((line) => line.includes('SuccessfulCreate'))).toHaveLength(40);
    expect(t.said.filter((line) => line.includes('SuccessfulDelete'))).toEqual([]);
  });

  it('counts no pod that it has asked to go, also while its cache still shows it', async () => {
    const told: string[] = [];
    t.context.informers.informer(replicaSets).addHandler({
      update: ({ metadata, spec, status }) => {
        if (
          status?.observedGeneration === metadata?.generation &&
          (status?.availableReplicas ?? 0) > (spec?.replicas ?? 1)
        )
          told.push(`${status?.availableReplicas ?? 0} of ${spec?.replicas ?? 1}`);
      },
    });
    await t.client.create(replicaSets, set(3));
    await t.settle();
    await t.kubelet();
    await t.settle();
    for (const replicas of [1, 0]) {
      await t.client.patch(
        replicaSets,
        { namespace: 'd', name: 'rs' },
        { type: 'merge', body: { spec: { replicas } } },
      );
      await t.settle();
    }
    expect(told).toEqual([]);
    expect((await t.client.get(replicaSets, { namespace: 'd', name: 'rs' })).status).toMatchObject({ replicas: 0 });
  });
});

describe('a deployment', () => {
  it('rolls out, rolls on to a new template, and back again with the old set', async () => {
    await t.client.create(deployments, deployment(3));
    const first = await rollOut();
    expect(first.status).toMatchObject({ replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 });
    expect(first.status?.conditions).toMatchObject([
      { type: 'Available', status: 'True' },
      { type: 'Progressing', reason: 'NewReplicaSetAvailable' },
    ]);
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { template: template('web:2') } } });
    const second = await rollOut();
    expect(await sizes()).toEqual([0, 3]);
    expect(second.metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '2' });
    expect((await t.podList()).map((pod) => pod.spec?.containers?.[0]?.image)).toEqual(['web:2', 'web:2', 'web:2']);
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { template: template('web:1') } } });
    const third = await rollOut();
    expect(await sizes()).toEqual([0, 3]);
    expect(third.metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
    expect(
      (await t.client.list(replicaSets)).items.find((set) => set.spec?.replicas === 3)?.metadata?.annotations,
    ).toMatchObject({ 'deployment.kubernetes.io/revision-history': '1' });
  });

  it('never has fewer available pods than it may during a rollout', async () => {
    await t.client.create(
      deployments,
      deployment(4, 'web:1', {
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      }),
    );
    await rollOut();
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { template: template('web:2') } } });
    for (let i = 0; i < 40; i++) {
      await t.settle();
      const live = (await t.podList()).filter((pod) => pod.metadata?.deletionTimestamp === undefined);
      expect(live.filter((pod) => pod.status?.conditions !== undefined).length).toBeGreaterThanOrEqual(4);
      expect(live.length).toBeLessThanOrEqual(5);
      await t.kubelet();
    }
    expect((await t.podList()).every((pod) => pod.spec?.containers?.[0]?.image === 'web:2')).toBe(true);
  });

  it('stalls on an image that does not come up, keeps the old pods, and says so after the deadline', async () => {
    await t.client.create(deployments, deployment(3));
    await rollOut();
    await t.client.patch(deployments, ref, {
      type: 'merge',
      body: { spec: { template: template('broken'), progressDeadlineSeconds: 60 } },
    });
    for (let i = 0; i < 5; i++) {
      await t.settle();
      await t.kubelet((pod) => pod.spec?.containers?.[0]?.image !== 'broken');
    }
    await t.settle(70_000);
    const { status } = await t.client.get(deployments, ref);
    expect(status).toMatchObject({ availableReplicas: 3, updatedReplicas: 1, unavailableReplicas: 1 });
    expect(status?.conditions?.find((c) => c.type === 'Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
    });
  });

  it('scales without a new revision, also to zero', async () => {
    await t.client.create(deployments, deployment(2));
    await rollOut();
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 5 } } });
    await rollOut();
    expect(await sizes()).toEqual([5]);
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 0 } } });
    const { status } = await rollOut();
    expect([await sizes(), await t.podList(), status?.replicas]).toEqual([[0], [], undefined]);
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 1 } } });
    await rollOut();
    expect(await sizes()).toEqual([1]);
  });

  it('recreates: no new pod before the last old one is gone', async () => {
    await t.client.create(deployments, deployment(2, 'web:1', { strategy: { type: 'Recreate' } }));
    await rollOut();
    await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { template: template('web:2') } } });
    for (let i = 0; i < 10; i++) {
      await t.settle();
      const images = new Set((await t.podList()).map((pod) => pod.spec?.containers?.[0]?.image));
      expect(images.size).toBeLessThanOrEqual(1);
      await t.kubelet();
    }
    expect((await t.podList()).map((pod) => pod.spec?.containers?.[0]?.image)).toEqual(['web:2', 'web:2']);
  });

  it('releases a set whose labels left its selector, and makes another for the template', async () => {
    await t.client.create(deployments, deployment(2));
    await rollOut();
    const [set] = (await t.client.list(replicaSets)).items;
    const name = set?.metadata?.name ?? '';
    await t.client.patch(
      replicaSets,
      { namespace: 'd', name },
      { type: 'merge', body: { metadata: { labels: { app: 'debug' } } } },
    );
    await rollOut();
    const released = await t.client.get(replicaSets, { namespace: 'd', name });
    expect([released.metadata?.ownerReferences ?? [], released.spec?.replicas]).toEqual([[], 2]);
    const owned = (await t.client.list(replicaSets)).items.filter(
      ({ metadata }) => metadata?.ownerReferences?.[0]?.name === 'web',
    );
    expect(owned.map(({ metadata, spec }) => [metadata?.name === name, spec?.replicas])).toEqual([[false, 2]]);
    await t.client.patch(
      replicaSets,
      { namespace: 'd', name },
      { type: 'merge', body: { metadata: { labels: { app: 'web' } } } },
    );
    await t.settle();
    expect((await t.client.get(replicaSets, { namespace: 'd', name })).metadata?.ownerReferences?.[0]?.name).toBe(
      'web',
    );
  });

  it('counts its new set while its cache does not show it, and makes no other', async () => {
    t.service.failNext('watch', 'replicasets', apiErrors.serviceUnavailable('away'), 1000);
    t.service.failNext('list', 'replicasets', apiErrors.serviceUnavailable('away'), 1000);
    t.service.cutWatches();
    await t.client.create(deployments, deployment(2));
    await t.settle(1000);
    const name = `web-${templateHash(template('web:1'), undefined)}`;
    const made = await t.client.get(replicaSets, { namespace: 'd', name });
    await t.client.updateStatus(replicaSets, { ...made, status: { replicas: 2, observedGeneration: 1 } });
    await t.client.patch(deployments, ref, { type: 'merge', body: { metadata: { labels: { look: 'again' } } } });
    await t.settle(1000);
    const { metadata, status } = await t.client.get(deployments, ref);
    expect([status?.updatedReplicas, status?.collisionCount]).toEqual([2, undefined]);
    expect(metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '1' });
  });

  it('keeps as many old sets as its history may have', async () => {
    await t.client.create(deployments, deployment(1, 'web:1', { revisionHistoryLimit: 1 }));
    for (const image of ['web:2', 'web:3', 'web:4']) {
      await rollOut();
      await t.client.patch(deployments, ref, { type: 'merge', body: { spec: { template: template(image) } } });
    }
    await rollOut();
    expect(await sizes()).toEqual([0, 1]);
  });
});

describe('the arithmetic of rollouts', () => {
  const set = (name: string, replicas: number, available = replicas) => ({
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { replicas, selector: {} },
    status: { replicas, availableReplicas: available },
  });

  it.each([
    [10, '25%', '25%', 3, 2],
    [3, '25%', '25%', 1, 0],
    [1, '25%', '25%', 1, 0],
    [4, 0, 0, 0, 1],
    [2, 0, '100%', 0, 2],
  ])(
    'of %i replicas, surge %s and unavailable %s mean %i and %i',
    (replicas, maxSurge, maxUnavailable, surge, unavailable) => {
      expect(
        surgeOf(
          deployment(replicas, 'x', {
            strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
          }),
        ),
      ).toEqual({ surge, unavailable });
    },
  );

  it('grows the new set within the surge and shrinks old ones by what is available beyond the minimum', () => {
    const d = deployment(10);
    const [old, fresh] = [set('old', 10), set('new', 0)];
    expect(newSetReplicas(d, [old, fresh], fresh)).toBe(3);
    expect([...oldSetReplicas(d, [old, set('new', 3, 0)], set('new', 3, 0))]).toEqual([['old', 8]]);
    const stuck = set('new', 3, 0);
    expect([...oldSetReplicas(d, [set('old', 8), stuck], stuck)]).toEqual([]);
  });

  it('shrinks no old set while another has not reported on its size: what an emptied set counted may be gone', () => {
    const again = {
      ...set('again', 1, 1),
      metadata: { name: 'again', generation: 5 },
      status: { replicas: 1, availableReplicas: 1, observedGeneration: 4 },
    };
    expect([...oldSetReplicas(deployment(3), [set('old', 3), again], again)]).toEqual([]);
    const reported = { ...again, status: { ...again.status, observedGeneration: 5 } };
    expect([...oldSetReplicas(deployment(3), [set('old', 3), reported], reported)]).toEqual([['old', 2]]);
  });

  it('spreads a change of scale in proportion', () => {
    expect([
      ...proportionalReplicas(
        deployment(20, 'x', { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }),
        [set('a', 8), set('b', 2)],
        10,
      ),
    ]).toEqual([
      ['a', 16],
      ['b', 4],
    ]);
  });

  it('hashes the same template to the same name, whatever the order of its keys', () => {
    expect(templateHash({ metadata: { labels: { a: '1', b: '2' } } }, undefined)).toBe(
      templateHash({ metadata: { labels: { b: '2', a: '1', 'pod-template-hash': 'x' } } }, undefined),
    );
    expect(templateHash({ metadata: { labels: { a: '1' } } }, undefined)).not.toBe(
      templateHash({ metadata: { labels: { a: '1' } } }, 1),
    );
  });
});

describe('endpoint slices and endpoints', () => {
  const service = {
    metadata: { name: 'web', namespace: 'd' },
    spec: {
      selector: { app: 'web' },
      clusterIP: '10.96.0.9',
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    },
  };
  const pod = (name: string, ip: string, port: number): Pod => ({
    metadata: { name, namespace: 'd', labels: { app: 'web' } },
    spec: { nodeName: 'w1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
    status: { phase: 'Running', podIP: ip, conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const slices = async () => (await t.client.list(endpointSlices)).items;

  it('name ready pods with their ports, one slice for each set of ports', async () => {
    await t.client.create(services, service);
    for (const [name, ip, port] of [
      ['a', '10.0.0.1', 8080],
      ['b', '10.0.0.2', 8080],
      ['c', '10.0.0.3', 9090],
    ] as const)
      await t.client.create(pods, pod(name, ip, port));
    await t.settle();
    const found = await slices();
    expect(
      found.map((slice) => [slice.ports?.[0]?.port, (slice.endpoints ?? []).flatMap((e) => e.addresses).sort()]),
    ).toEqual(
      expect.arrayContaining([
        [8080, ['10.0.0.1', '10.0.0.2']],
        [9090, ['10.0.0.3']],
      ]),
    );
    expect(found).toHaveLength(2);
    expect(found[0]?.metadata?.labels).toMatchObject({
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
  });

  it('show a terminating pod as not ready but serving', async () => {
    await t.client.create(services, service);
    await t.client.create(pods, pod('a', '10.0.0.1', 8080));
    await t.settle();
    await t.client.delete(pods, { namespace: 'd', name: 'a' }, { gracePeriodSeconds: 30 });
    await t.settle();
    expect((await slices())[0]?.endpoints).toMatchObject([
      { conditions: { ready: false, serving: true, terminating: true }, nodeName: 'w1' },
    ]);
  });

  it('exist, empty, for a service without pods', async () => {
    await t.client.create(services, service);
    await t.settle();
    expect(await slices()).toMatchObject([{ endpoints: [], addressType: 'IPv4' }]);
  });

  it('tell old clients the same as Endpoints, which go with their service', async () => {
    await t.client.create(services, service);
    for (const [name, ip, port] of [
      ['a', '10.0.0.1', 8080],
      ['b', '10.0.0.2', 8080],
      ['c', '10.0.0.3', 9090],
    ] as const)
      await t.client.create(pods, pod(name, ip, port));
    await t.client.create(pods, {
      ...pod('d', '10.0.0.4', 8080),
      status: { phase: 'Running', podIP: '10.0.0.4', conditions: [] },
    });
    await t.settle();
    const found = await t.client.get(endpoints, { namespace: 'd', name: 'web' });
    expect(found.subsets).toMatchObject([
      {
        addresses: [{ ip: '10.0.0.1', nodeName: 'w1', targetRef: { kind: 'Pod', name: 'a' } }, { ip: '10.0.0.2' }],
        notReadyAddresses: [{ ip: '10.0.0.4' }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
      { addresses: [{ ip: '10.0.0.3' }], ports: [{ port: 9090 }] },
    ]);
    await t.client.delete(pods, { namespace: 'd', name: 'a' }, { gracePeriodSeconds: 30 });
    await t.settle();
    expect((await t.client.get(endpoints, { namespace: 'd', name: 'web' })).subsets?.[0]?.addresses).toMatchObject([
      { ip: '10.0.0.2' },
    ]);
    await t.client.delete(services, { namespace: 'd', name: 'web' });
    await t.settle();
    expect((await t.client.list(endpoints)).items).toEqual([]);
  });

  it('leave alone the Endpoints of a service without selector', async () => {
    const { selector: _, ...spec } = service.spec;
    await t.client.create(services, { ...service, spec });
    const own = {
      metadata: { namespace: 'd', name: 'web' },
      subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
    };
    await t.client.create(endpoints, own);
    await t.settle();
    expect((await t.client.get(endpoints, { namespace: 'd', name: 'web' })).subsets).toEqual(own.subsets);
  });

  it('are at most a thousand in an Endpoints object, ready ones first', () => {
    const slice = (from: number, ready: boolean) => ({
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: Array.from({ length: 700 }, (_, i) => ({
        addresses: [`10.${from}.${Math.floor(i / 250)}.${i % 250}`],
        conditions: { ready },
      })),
    });
    const { subsets, isTruncated } = subsetsOf([slice(1, false), slice(2, true)]);
    expect([subsets[0]?.addresses?.length, subsets[0]?.notReadyAddresses?.length, isTruncated]).toEqual([
      700,
      300,
      true,
    ]);
  });

  it('split at a hundred endpoints', async () => {
    await t.client.create(services, service);
    for (let i = 0; i < 150; i++) await t.client.create(pods, pod(`p${i}`, `10.0.1.${i}`, 8080));
    await t.settle();
    const counts = (await slices()).map((slice) => slice.endpoints?.length ?? 0).sort((a, b) => a - b);
    expect([counts.reduce((a, b) => a + b, 0), Math.max(...counts)]).toEqual([150, 100]);
  });
});
