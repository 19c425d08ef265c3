import { describe, expect, it } from 'vitest';
import type { UnknownObject } from '../../../apimachinery/object.js';
import type { AdmissionAttributes, WriteHook } from '../ports.js';
import { startRecords } from '../testing/records.js';
import { admitEverything, configMap, pod, resources } from './testing.js';

const { pods, namespaces, configMaps, deployments } = resources;
const namespace = 'default';

const start = startRecords;

const binding = (name: string, node: string): UnknownObject => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name },
  target: { kind: 'Node', name: node },
});

describe('pods/binding', () => {
  it.each([
    ['no target', { target: {} }, 500, 'target.name: Required value'],
    [
      'a target of another kind',
      { target: { kind: 'Pod', name: 'x' } },
      500,
      'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"',
    ],
    ['another name', { metadata: { name: 'b' } }, 400, 'name in URL does not match name in Binding object'],
    ['no name', { metadata: {} }, 400, 'name in URL does not match name in Binding object'],
    [
      'another pod',
      { metadata: { name: 'a', uid: 'u' } },
      409,
      'AdditionalErrorMsg: Precondition failed: UID in precondition: u, UID in object meta: ',
    ],
    [
      'another version',
      { metadata: { name: 'a', resourceVersion: '1' } },
      409,
      'AdditionalErrorMsg: Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: ',
    ],
  ] as const)('is refused with %s, as kube-apiserver refuses it', async (_title, change, code, message) => {
    await using test = await start();
    await test.service.create({ resource: pods, namespace, object: pod('a') });
    const object = { ...binding('a', 'n'), ...change } as UnknownObject;
    await expect(
      test.service.create({ resource: pods, namespace, name: 'a', subresource: 'binding', object }),
    ).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  it('assigns a pod once', async () => {
    await using test = await start();
    await test.service.create({ resource: pods, namespace, object: pod('a') });
    const bind = (node: string) =>
      test.service.create({ resource: pods, namespace, name: 'a', subresource: 'binding', object: binding('a', node) });
    expect((await bind('n1')).object).toMatchObject({ kind: 'Status', status: 'Success' });
    const bound = await test.service.get({ resource: pods, namespace, name: 'a' });
    expect(bound.object).toMatchObject({
      spec: { nodeName: 'n1' },
      status: { conditions: [{ type: 'PodScheduled', status: 'True' }] },
    });
    await expect(bind('n2')).rejects.toMatchObject({
      code: 409,
      message: expect.stringContaining('already assigned to node "n1"') as string,
    });
    await expect(bind('')).rejects.toMatchObject({ code: 500, message: 'target.name: Required value' });
  });
});

describe('namespaces', () => {
  it('stay until they are finalized', async () => {
    await using test = await start();
    const { service } = test;
    await service.create({ resource: namespaces, object: { metadata: { name: 'x' } } });
    const marked = await service.delete({ resource: namespaces, name: 'x' });
    expect(marked).toMatchObject({ gone: false, handle: { object: { status: { phase: 'Terminating' } } } });
    const object: UnknownObject = { ...marked.handle.object, spec: { finalizers: [] } };
    await service.update({ resource: namespaces, name: 'x', subresource: 'finalize', object });
    await expect(service.get({ resource: namespaces, name: 'x' })).rejects.toMatchObject({ code: 404 });
  });
});

describe('scale', () => {
  it('reads and writes the replicas of its parent', async () => {
    await using test = await start();
    const { service } = test;
    const object: UnknownObject = {
      metadata: { name: 'd' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'd' } },
        template: { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    };
    await service.create({ resource: deployments, namespace, object });
    const scale = await service.get({ resource: deployments, namespace, name: 'd', subresource: 'scale' });
    expect(scale.object).toMatchObject({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      spec: { replicas: 2 },
      status: { selector: 'app=d' },
    });
    await service.patch({
      resource: deployments,
      namespace,
      name: 'd',
      subresource: 'scale',
      type: 'merge',
      patch: { spec: { replicas: 5 } },
    });
    const parent = await service.get({ resource: deployments, namespace, name: 'd' });
    expect(parent.object).toMatchObject({ spec: { replicas: 5 }, metadata: { generation: 2 } });
    await expect(
      service.patch({
        resource: deployments,
        namespace,
        name: 'd',
        subresource: 'scale',
        type: 'merge',
        patch: { spec: { replicas: -1 } },
      }),
    ).rejects.toMatchObject({ code: 422 });
  });
});

/** Owners and words as kube-apiserver's ScaleHandler has them. */
describe('apply on scale', () => {
  const owners = async ({ service }: Awaited<ReturnType<typeof start>>) => {
    const { object } = await service.get({ resource: deployments, namespace, name: 'd' });
    const entries = (object.metadata?.managedFields ?? []).filter(({ fieldsV1 }) =>
      JSON.stringify(fieldsV1).includes('"f:replicas"'),
    );
    return [
      (object as { spec?: { replicas?: number } }).spec?.replicas,
      ...entries.map(({ manager, operation, apiVersion, subresource, time }) => [
        manager,
        operation,
        apiVersion,
        subresource,
        time !== undefined,
      ]),
    ];
  };

  it('conflicts with who owns the replicas, and takes them over by force and from nobody', async () => {
    await using test = await start();
    const { service } = test;
    const template = { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const object = {
      metadata: { name: 'd' },
      spec: { replicas: 0, selector: { matchLabels: { app: 'd' } }, template },
    } as UnknownObject;
    await service.create({ resource: deployments, namespace, object, fieldManager: 'maker' });
    const scale = (replicas: number, force = false) =>
      service.patch({
        resource: deployments,
        namespace,
        name: 'd',
        subresource: 'scale',
        type: 'apply',
        fieldManager: 'hpa',
        force,
        patch: { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas } },
      });
    await expect(scale(3)).rejects.toMatchObject({
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "maker" using autoscaling/v1: .spec.replicas',
    });
    await scale(3, true);
    expect(await owners(test)).toEqual([3, ['hpa', 'Apply', 'apps/v1', 'scale', false]]);
    await scale(4);
    expect(await owners(test)).toEqual([4, ['hpa', 'Apply', 'apps/v1', 'scale', false]]);
    await service.patch({
      resource: deployments,
      namespace,
      name: 'd',
      subresource: 'scale',
      type: 'merge',
      fieldManager: 'other',
      patch: { spec: { replicas: 5 } },
    });
    expect(await owners(test)).toEqual([5, ['other', 'Update', 'apps/v1', 'scale', false]]);
    await expect(scale(3)).rejects.toMatchObject({
      code: 409,
      message:
        'Apply failed with 1 conflict: conflict with "other" with subresource "scale" using autoscaling/v1: .spec.replicas',
    });
    // The same value is no conflict: both own it.
    await scale(5);
    expect(await owners(test)).toEqual([
      5,
      ['hpa', 'Apply', 'apps/v1', 'scale', false],
      ['other', 'Update', 'apps/v1', 'scale', false],
    ]);
  });
});

describe('what others plug in', () => {
  it('a handler serves a resource that is not stored', async () => {
    await using test = await start();
    const reviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' };
    await expect(test.service.create({ resource: reviews, object: {} })).rejects.toMatchObject({ code: 405 });
    test.registry.register({
      resource: reviews,
      handler: {
        create: (call) => Promise.resolve({ status: { userInfo: { username: call.user.name } } } as UnknownObject),
      },
    });
    const answer = await test.service.create({ resource: reviews, object: {} });
    expect(answer.object).toMatchObject({ kind: 'SelfSubjectReview', status: { userInfo: { username: 'admin' } } });
  });

  it('a hook claims keys in the transaction of the object, and chooses again when they are taken', async () => {
    await using test = await start();
    const key = (n: number) => Buffer.from(`/registry/ranges/test/${n}`);
    const hook: WriteHook = {
      before: ({ draft, attempt }) => {
        (draft as UnknownObject)['data'] = { claimed: String(attempt) };
        return Promise.resolve({
          compare: [{ target: 'version', key: key(attempt), op: '=', value: 0 }],
          ops: [{ kind: 'put', key: key(attempt), value: Buffer.from('x') }],
        });
      },
    };
    test.registry.register({ resource: configMaps, hooks: [hook] });
    const claims = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const { object } = await test.service.create({ resource: configMaps, namespace, object: configMap(name) });
        return ((object as UnknownObject)['data'] as { claimed: string }).claimed;
      }),
    );
    expect(claims.toSorted()).toEqual(['0', '1', '2']);
  });

  it('admission changes and refuses, and sees the true old object (CVE-2021-25735)', async () => {
    const seen: unknown[] = [];
    const admission = {
      ...admitEverything,
      mutate(attributes: AdmissionAttributes) {
        if (attributes.operation === 'CREATE') (attributes.object as UnknownObject)['data'] = { by: 'admission' };
        return Promise.resolve();
      },
      validate(attributes: AdmissionAttributes) {
        if (attributes.operation === 'UPDATE') seen.push((attributes.oldObject as UnknownObject)['data']);
        return attributes.operation === 'DELETE' ? Promise.reject(new Error('refused')) : Promise.resolve();
      },
    };
    await using test = await start({ admission });
    await test.service.create({ resource: configMaps, namespace, object: configMap('a') });
    await test.service.update({ resource: configMaps, namespace, name: 'a', object: configMap('a', { k: 'v' }) });
    expect(seen).toEqual([{ by: 'admission' }]);
    await expect(test.service.delete({ resource: configMaps, namespace, name: 'a' })).rejects.toThrow('refused');
  });
});

describe('pods', () => {
  it('that run are given time to end; a second request with none left ends them', async () => {
    await using test = await start();
    const { service } = test;
    await service.create({ resource: pods, namespace, object: pod('a') });
    await service.create({ resource: pods, namespace, name: 'a', subresource: 'binding', object: binding('a', 'n1') });
    const first = await service.delete({ resource: pods, namespace, name: 'a' });
    expect(first).toMatchObject({ gone: false, handle: { object: { metadata: { deletionGracePeriodSeconds: 30 } } } });
    expect((await service.delete({ resource: pods, namespace, name: 'a' })).gone).toBe(false);
    expect(
      (await service.delete({ resource: pods, namespace, name: 'a', options: { gracePeriodSeconds: 0 } })).gone,
    ).toBe(true);
  });
});
