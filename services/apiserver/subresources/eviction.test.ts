import { describe, expect, it } from 'vitest';
import type { PodDisruptionBudgetStatus } from '../../../apimachinery/gen/types.js';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { startRecords } from '../testing/records.js';
import { pod, resources } from '../registry/testing.js';

const { pods } = resources;
const budgets = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const namespace = 'default';

async function start(wish: { readonly phase?: string; readonly isReady?: boolean } = {}) {
  const test = await startRecords();
  const { service } = test;
  await service.create({ resource: pods, namespace, object: pod('a', { app: 'x' }) });
  await service.create({
    resource: pods,
    namespace,
    name: 'a',
    subresource: 'binding',
    object: {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'a' },
      target: { kind: 'Node', name: 'n' },
    } as UnknownObject,
  });
  const conditions = [{ type: 'Ready', status: wish.isReady === false ? 'False' : 'True' }];
  await service.patch({
    resource: pods,
    namespace,
    name: 'a',
    subresource: 'status',
    type: 'strategic',
    patch: { status: { phase: wish.phase ?? 'Running', conditions } },
  });
  return Object.assign(test, {
    async budget(name: string, status: PodDisruptionBudgetStatus, spec: object = {}) {
      const object: UnknownObject = {
        metadata: { name },
        spec: { minAvailable: 1, selector: { matchLabels: { app: 'x' } }, ...spec },
      };
      await service.create({ resource: budgets, namespace, object });
      await service.patch({
        resource: budgets,
        namespace,
        name,
        subresource: 'status',
        type: 'merge',
        patch: {
          status: {
            observedGeneration: 1,
            disruptionsAllowed: 0,
            currentHealthy: 1,
            desiredHealthy: 1,
            expectedPods: 1,
            ...status,
          },
        },
      });
    },
    evict: (deleteOptions?: object, name = 'a', dryRun = false) =>
      service.create({
        resource: pods,
        namespace,
        name: 'a',
        subresource: 'eviction',
        dryRun,
        object: {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name },
          ...(deleteOptions === undefined ? {} : { deleteOptions }),
        } as UnknownObject,
      }),
    podNow: async () => (await service.get({ resource: pods, namespace, name: 'a' })).object as UnknownObject,
    budgetNow: async (name = 'b') =>
      (await service.get({ resource: budgets, namespace, name })).object as UnknownObject,
  });
}

describe('an eviction', () => {
  it.each<[object, boolean, number, string]>([
    [
      { propagationPolicy: 'Foo' },
      false,
      422,
      'propagationPolicy: Unsupported value: "Foo": supported values: "Foreground", "Background", "Orphan", "nil"',
    ],
    [
      { propagationPolicy: 'Orphan', orphanDependents: true },
      false,
      422,
      'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
    ],
    [{ dryRun: ['Foo'] }, false, 422, 'dryRun: Unsupported value: ["Foo"]: supported values: "All"'],
    [{ dryRun: ['All', 'All'] }, true, 500, 'Non-matching dry-run options in request and content: [All] and [All All]'],
  ])('with options that no deletion takes is refused: %j (row 42)', async (options, dryRun, code, message) => {
    await using test = await start();
    await expect(test.evict(options, 'a', dryRun)).rejects.toMatchObject({
      status: { code, message: expect.stringContaining(message) as string },
    });
    expect((await test.podNow()).metadata).not.toHaveProperty('deletionTimestamp');
  });

  it('in the version that older clients send is one, too', async () => {
    await using test = await start();
    const object = { apiVersion: 'policy/v1beta1', kind: 'Eviction', metadata: { name: 'a' } };
    expect(
      (
        await test.service.create({
          resource: pods,
          namespace,
          name: 'a',
          subresource: 'eviction',
          dryRun: true,
          object,
        })
      ).object,
    ).toMatchObject({ status: 'Success' });
  });

  it('without a budget deletes the pod, and says why in its status', async () => {
    await using test = await start();
    expect((await test.evict()).object).toMatchObject({ kind: 'Status', status: 'Success', code: 201 });
    expect(await test.podNow()).toMatchObject({ metadata: { deletionTimestamp: expect.any(String) as string } });
    expect((await test.podNow())['status']).toMatchObject({
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }),
      ]) as unknown,
    });
  });

  it.each<[string, PodDisruptionBudgetStatus, string, number | undefined]>([
    [
      'not looked at yet',
      { observedGeneration: 0 },
      'The disruption budget b is still being processed by the server.',
      10,
    ],
    ['used up', {}, 'The disruption budget b needs 1 healthy pods and has 1 currently', undefined],
    [
      'not computed',
      {
        conditions: [
          {
            type: 'DisruptionAllowed',
            status: 'False',
            reason: 'SyncFailed',
            message: 'found no controllers',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
      'The disruption budget b does not allow evicting pods currently because it failed sync: found no controllers',
      undefined,
    ],
    [
      'used up for a reason of its own',
      {
        currentHealthy: 3,
        conditions: [
          {
            type: 'DisruptionAllowed',
            status: 'False',
            reason: 'Other',
            message: 'wait',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
      'The disruption budget b does not allow evicting pods currently (Other): wait',
      undefined,
    ],
    [
      'used up without a word',
      { currentHealthy: 3 },
      'The disruption budget b does not allow evicting pods currently',
      undefined,
    ],
  ])('is refused with 429 by a budget that is %s', async (_, status, message, retryAfterSeconds) => {
    await using test = await start();
    await test.budget('b', status);
    const refused = test.evict();
    await expect(refused).rejects.toMatchObject({
      code: 429,
      status: {
        reason: 'TooManyRequests',
        message: "Cannot evict pod as it would violate the pod's disruption budget.",
        details: { causes: [{ reason: 'DisruptionBudget', message }] },
      },
    });
    await expect(refused).rejects.toSatisfy(
      (error: { status: { details: { retryAfterSeconds?: number } } }) =>
        error.status.details.retryAfterSeconds === retryAfterSeconds,
    );
    expect((await test.podNow()).metadata?.deletionTimestamp).toBeUndefined();
  });

  it('books the disruption; the last one allowed turns the condition', async () => {
    await using test = await start();
    await test.budget('b', { disruptionsAllowed: 1, currentHealthy: 2 });
    await test.evict();
    expect(await test.budgetNow()).toMatchObject({
      status: {
        disruptionsAllowed: 0,
        disruptedPods: { a: expect.any(String) as string },
        conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', observedGeneration: 1 }],
      },
    });
  });

  it('under two budgets is answered 500', async () => {
    await using test = await start();
    await test.budget('b', { disruptionsAllowed: 1 });
    await test.budget('c', { disruptionsAllowed: 1 });
    await expect(test.evict()).rejects.toMatchObject({
      code: 500,
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    });
  });

  it.each(['by the request', 'by its options'])(
    'for trial (%s) changes nothing, and is refused like a real one',
    async (how) => {
      await using test = await start();
      await test.budget('b', { disruptionsAllowed: 1, currentHealthy: 2 });
      const evict = () =>
        how === 'by the request' ? test.evict(undefined, 'a', true) : test.evict({ dryRun: ['All'] });
      await evict();
      expect([
        (await test.podNow()).metadata?.deletionTimestamp,
        ((await test.budgetNow())['status'] as PodDisruptionBudgetStatus).disruptionsAllowed,
      ]).toEqual([undefined, 1]);
      await test.service.patch({
        resource: budgets,
        namespace,
        name: 'b',
        subresource: 'status',
        type: 'merge',
        patch: { status: { disruptionsAllowed: 0 } },
      });
      await expect(evict()).rejects.toMatchObject({ code: 429 });
    },
  );

  it.each(['Succeeded', 'Failed', 'Pending'])('of a pod that is %s asks no budget', async (phase) => {
    await using test = await start({ phase });
    await test.budget('b', {});
    await test.evict();
    const left = await test.podNow().catch(() => undefined);
    expect(left?.metadata?.deletionTimestamp === undefined ? left : undefined).toBeUndefined();
    expect((await test.budgetNow())['status']).not.toHaveProperty('disruptedPods.a');
  });

  it.each<[string, object, PodDisruptionBudgetStatus, boolean]>([
    ['while the others are enough', {}, { currentHealthy: 1, desiredHealthy: 1 }, true],
    ['while the others are too few', {}, { currentHealthy: 0, desiredHealthy: 1 }, false],
    ['where nothing is wanted', {}, { currentHealthy: 0, desiredHealthy: 0 }, false],
    ['AlwaysAllow', { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, { currentHealthy: 0, desiredHealthy: 1 }, true],
  ])('of a pod that is not ready, %s (KEP-3017)', async (_, spec, status, isAllowed) => {
    await using test = await start({ isReady: false });
    await test.budget('b', status, spec);
    await (isAllowed
      ? expect(test.evict()).resolves.toBeDefined()
      : expect(test.evict()).rejects.toMatchObject({ code: 429 }));
    expect((await test.budgetNow())['status']).not.toHaveProperty('disruptedPods.a');
  });

  it('heeds the preconditions: the pod and its version', async () => {
    await using test = await start();
    const { uid, resourceVersion } = (await test.podNow()).metadata ?? {};
    await expect(test.evict({ preconditions: { uid: '00000000-0000-4000-8000-000000000000' } })).rejects.toMatchObject({
      code: 409,
    });
    await expect(test.evict({ preconditions: { resourceVersion: '1' } })).rejects.toMatchObject({ code: 409 });
    expect((await test.podNow()).metadata).toMatchObject({ resourceVersion });
    await test.evict({ preconditions: { uid, resourceVersion }, gracePeriodSeconds: 7 });
    expect((await test.podNow()).metadata).toMatchObject({ deletionGracePeriodSeconds: 7 });
  });

  it('names the pod of its URL', async () => {
    await using test = await start();
    await expect(test.evict(undefined, 'other')).rejects.toMatchObject({
      code: 400,
      message: 'name in URL does not match name in Eviction object',
    });
  });
});
