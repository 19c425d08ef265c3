import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployments, jobs, podDisruptionBudgets, pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type {
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetSpec,
  PodDisruptionBudgetStatus,
} from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { fixedDiscovery } from '../discovery.js';
import { controllerRef } from '../lib/owners.js';
import { createTestContext } from '../testing.js';
import { decide, failedStatus, type ControllerScale } from './budget.js';
import { createDisruptionController } from './disruption.js';
import { createStaleTargetsController } from './stale-targets.js';

const NOW_MS = Date.parse('2026-01-01T00:10:00Z');
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

interface Wish {
  readonly name?: string;
  readonly controller?: string;
  readonly isReady?: boolean;
  readonly isGoing?: boolean;
}

const podOf = ({ name = 'p', controller, isReady = true, isGoing = false }: Wish): Pod => ({
  metadata: {
    name,
    namespace: 'd',
    ...(isGoing ? { deletionTimestamp: toTime(NOW_MS) } : {}),
    ...(controller === undefined
      ? {}
      : {
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: controller, uid: controller, controller: true },
          ],
        }),
  },
  status: isReady ? ready : {},
});
const budgetOf = (spec: object, status?: PodDisruptionBudgetStatus): PodDisruptionBudget => ({
  metadata: { name: 'b', namespace: 'd', generation: 3 },
  spec: spec as PodDisruptionBudgetSpec,
  ...(status === undefined ? {} : { status }),
});
const many = (count: number, wish: Wish): Pod[] =>
  Array.from({ length: count }, (_, i) => podOf({ ...wish, name: `p${i}` }));
const scales = (...rows: [string, string, number][]) =>
  new Map<string, ControllerScale>(rows.map(([controller, uid, replicas]) => [controller, { uid, replicas }]));

describe('what a budget allows', () => {
  it.each<[string, object, Pod[], [string, string, number][], object]>([
    [
      'minAvailable counts pods, bare ones too',
      { minAvailable: 2 },
      many(3, {}),
      [],
      { expectedPods: 3, desiredHealthy: 2, currentHealthy: 3, disruptionsAllowed: 1 },
    ],
    [
      'not ready pods are not healthy',
      { minAvailable: 2 },
      [...many(2, {}), podOf({ isReady: false })],
      [],
      { expectedPods: 3, currentHealthy: 2, disruptionsAllowed: 0 },
    ],
    [
      'pods that go are not healthy',
      { minAvailable: 1 },
      [...many(2, {}), podOf({ isGoing: true })],
      [],
      { expectedPods: 3, currentHealthy: 2, disruptionsAllowed: 1 },
    ],
    [
      'a share of what is wanted, rounded up',
      { minAvailable: '50%' },
      many(5, { controller: 'r' }),
      [['r', 'r', 5]],
      { expectedPods: 5, desiredHealthy: 3, disruptionsAllowed: 2 },
    ],
    [
      '100 % allow nothing',
      { minAvailable: '100%' },
      many(4, { controller: 'r' }),
      [['r', 'r', 4]],
      { desiredHealthy: 4, disruptionsAllowed: 0 },
    ],
    [
      'maxUnavailable of what is wanted, though fewer are there',
      { maxUnavailable: 1 },
      many(2, { controller: 'r' }),
      [['r', 'r', 4]],
      { expectedPods: 4, desiredHealthy: 3, currentHealthy: 2, disruptionsAllowed: 0 },
    ],
    [
      'a share of unavailable pods, rounded up',
      { maxUnavailable: '30%' },
      many(5, { controller: 'r' }),
      [['r', 'r', 5]],
      { desiredHealthy: 3, disruptionsAllowed: 2 },
    ],
    [
      'more unavailable than there are',
      { maxUnavailable: 10 },
      many(2, { controller: 'r' }),
      [['r', 'r', 2]],
      { desiredHealthy: 0, disruptionsAllowed: 2 },
    ],
    [
      'maxUnavailable 0',
      { maxUnavailable: 0 },
      many(2, { controller: 'r' }),
      [['r', 'r', 2]],
      { desiredHealthy: 2, disruptionsAllowed: 0 },
    ],
    [
      'two sets of one Deployment count once',
      { maxUnavailable: 1 },
      [podOf({ name: 'a', controller: 'r1' }), podOf({ name: 'b', controller: 'r2' })],
      [
        ['r1', 'd', 2],
        ['r2', 'd', 2],
      ],
      { expectedPods: 2, desiredHealthy: 1, disruptionsAllowed: 1 },
    ],
    [
      'two controllers add up',
      { maxUnavailable: '50%' },
      [podOf({ name: 'a', controller: 'r1' }), podOf({ name: 'b', controller: 'r2' })],
      [
        ['r1', 'r1', 1],
        ['r2', 'r2', 1],
      ],
      { expectedPods: 2, desiredHealthy: 1, disruptionsAllowed: 1 },
    ],
    [
      'bare pods count for nothing where scales count',
      { maxUnavailable: 1 },
      many(2, {}),
      [],
      { expectedPods: 0, currentHealthy: 2, disruptionsAllowed: 0 },
    ],
    ['no pods', { minAvailable: 1 }, [], [], { expectedPods: 0, desiredHealthy: 1, disruptionsAllowed: 0 }],
  ])('%s', (_, spec, list, rows, wanted) => {
    const { status } = decide({ budget: budgetOf(spec), pods: list, now_ms: NOW_MS }, scales(...rows));
    expect(status).toMatchObject({ ...wanted, observedGeneration: 3 });
    expect(status.conditions).toMatchObject([
      (status.disruptionsAllowed ?? 0) > 0
        ? { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', observedGeneration: 3 }
        : { status: 'False', reason: 'InsufficientPods' },
    ]);
  });

  it('booked evictions count until the pod goes, or for two minutes', () => {
    const status = (seconds: number): PodDisruptionBudgetStatus => ({
      disruptedPods: { p0: toTime(NOW_MS - seconds * 1000), gone: toTime(NOW_MS) },
    });
    const look = (seconds: number, list = many(3, {})) =>
      decide({ budget: budgetOf({ minAvailable: 1 }, status(seconds)), pods: list, now_ms: NOW_MS }, new Map());
    expect(look(20)).toMatchObject({
      status: { currentHealthy: 2, disruptionsAllowed: 1, disruptedPods: { p0: toTime(NOW_MS - 20_000) } },
      recheckIn_ms: 100_000,
      notDeleted: [],
    });
    expect(Object.keys(look(20).status.disruptedPods ?? {})).toEqual(['p0']);
    const over = look(121);
    expect([
      over.status.currentHealthy,
      over.status.disruptedPods,
      over.recheckIn_ms,
      over.notDeleted.map(({ metadata }) => metadata?.name),
    ]).toEqual([3, undefined, undefined, ['p0']]);
    const going = look(20, [...many(3, {}).slice(1), podOf({ name: 'p0', isGoing: true })]);
    expect([going.status.currentHealthy, going.status.disruptedPods]).toEqual([2, undefined]);
  });

  it('keeps the time of a condition whose status stays, and says why nothing could be computed', () => {
    const first = decide(
      { budget: budgetOf({ minAvailable: 1 }), pods: many(2, {}), now_ms: NOW_MS },
      new Map(),
    ).status;
    const second = decide(
      { budget: budgetOf({ minAvailable: 1 }, first), pods: many(3, {}), now_ms: NOW_MS + 5_000 },
      new Map(),
    ).status;
    expect(second.conditions?.[0]?.lastTransitionTime).toBe(toTime(NOW_MS));
    const failed = failedStatus(
      { budget: budgetOf({ maxUnavailable: 1 }, second), pods: [], now_ms: NOW_MS },
      'no controllers',
    );
    expect(failed).toMatchObject({
      disruptionsAllowed: 0,
      currentHealthy: 3,
      conditions: [{ status: 'False', reason: 'SyncFailed', message: 'no controllers', observedGeneration: 3 }],
    });
  });
});

describe('the disruption controller', () => {
  let t: ReturnType<typeof createTestContext>;
  beforeEach(async () => {
    t = createTestContext();
    await t.start(
      createDisruptionController(t.context, { discovery: fixedDiscovery([jobs]) }),
      createStaleTargetsController(t.context),
    );
  });
  afterEach(() => t.stop());

  const ref = { namespace: 'd', name: 'b' };
  const make = (spec: object) =>
    t.client.create(podDisruptionBudgets, {
      metadata: { ...ref, generation: 1 },
      spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    });
  const statusNow = async () => (await t.client.get(podDisruptionBudgets, ref)).status;
  const makePod = async (name: string, owner?: Parameters<typeof controllerRef>) => {
    const pod = await t.client.create(pods, {
      metadata: {
        name,
        namespace: 'd',
        labels: { app: 'web' },
        ...(owner === undefined ? {} : { ownerReferences: [controllerRef(...owner)] }),
      },
    });
    return t.client.updateStatus(pods, { ...pod, status: { phase: 'Running', ...ready } });
  };

  it('follows pods as they come, become ready, and go', async () => {
    await make({ minAvailable: 1 });
    await t.settle();
    expect(await statusNow()).toMatchObject({ observedGeneration: 1, disruptionsAllowed: 0, expectedPods: 0 });
    expect(t.said).toContain('b NoPods: No matching pods found');
    await makePod('a');
    await makePod('c');
    await t.settle();
    expect(await statusNow()).toMatchObject({ disruptionsAllowed: 1, currentHealthy: 2, expectedPods: 2 });
    await t.client.delete(pods, { namespace: 'd', name: 'a' }, { gracePeriodSeconds: 0 });
    await t.settle();
    expect(await statusNow()).toMatchObject({ disruptionsAllowed: 0, currentHealthy: 1, expectedPods: 1 });
  });

  it('asks the Deployment above the sets how many there ought to be', async () => {
    const deployment = await t.client.create(deployments, {
      metadata: { name: 'web', namespace: 'd' },
      spec: { replicas: 3, selector: {}, template: {} },
    });
    const set = await t.client.create(replicaSets, {
      metadata: { name: 'web-1', namespace: 'd', ownerReferences: [controllerRef(deployment, deployments)] },
      spec: { replicas: 1, selector: {} },
    });
    await make({ maxUnavailable: 1 });
    for (const name of ['a', 'c', 'e']) await makePod(name, [set, replicaSets]);
    await t.settle();
    expect(await statusNow()).toMatchObject({ expectedPods: 3, desiredHealthy: 2, disruptionsAllowed: 1 });
  });

  it('allows nothing, and says so, where the number wanted cannot be found out', async () => {
    const job = await t.client.create(jobs, { metadata: { name: 'j', namespace: 'd' } });
    await make({ maxUnavailable: 1 });
    await makePod('a', [job, jobs]);
    await makePod('lost', [{ metadata: { name: 'gone', uid: 'u' } }, replicaSets]);
    await t.settle();
    const { disruptionsAllowed, conditions } = (await statusNow()) ?? {};
    expect([disruptionsAllowed, conditions?.[0]?.reason]).toEqual([0, 'SyncFailed']);
  });

  it('tells of pods without a controller', async () => {
    await make({ maxUnavailable: '50%' });
    await makePod('bare');
    await t.settle();
    expect(t.said.some((line) => line.startsWith('b UnmanagedPods: Pods selected by this PodDisruptionBudget'))).toBe(
      true,
    );
  });

  it('frees a budget of an eviction that never came, after two minutes', async () => {
    await make({ minAvailable: 1 });
    await makePod('a');
    await makePod('c');
    await t.settle();
    const budget = await t.client.get(podDisruptionBudgets, ref);
    await t.client.updateStatus(podDisruptionBudgets, {
      ...budget,
      status: {
        ...budget.status,
        disruptionsAllowed: 0,
        disruptedPods: { a: toTime(t.clock.now()) },
      } as PodDisruptionBudgetStatus,
    });
    await t.settle(110_000);
    expect((await statusNow())?.disruptionsAllowed).toBe(0);
    await t.settle(11_000);
    expect(await statusNow()).toMatchObject({ disruptionsAllowed: 1, currentHealthy: 2 });
    expect((await statusNow())?.disruptedPods).toBeUndefined();
    expect(t.said).toContain("a NotDeleted: Pod was expected by PDB d/b to be deleted but it wasn't");
  });

  it('takes DisruptionTarget back from a pod that did not go, and leaves a kubelet its time', async () => {
    const mark = async (name: string, reason: string) => {
      const pod = await makePod(name);
      const condition = { type: 'DisruptionTarget', status: 'True', reason, lastTransitionTime: toTime(t.clock.now()) };
      await t.client.updateStatus(pods, { ...pod, status: { phase: 'Running', conditions: [condition] } });
    };
    await mark('evicted', 'EvictionByEvictionAPI');
    await mark('ending', 'TerminationByKubelet');
    const statusOf = async (name: string) =>
      (await t.client.get(pods, { namespace: 'd', name })).status?.conditions?.find(
        ({ type }) => type === 'DisruptionTarget',
      )?.status;
    await t.settle(110_000);
    expect(await statusOf('evicted')).toBe('True');
    await t.settle(11_000);
    expect([await statusOf('evicted'), await statusOf('ending')]).toEqual(['False', 'True']);
  });
});
