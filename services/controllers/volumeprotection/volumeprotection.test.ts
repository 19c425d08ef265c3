import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from '../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import {
  createClaimProtectionController,
  createClassProtectionController,
  createVolumeProtectionController,
} from './volumeprotection.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(async () => {
  t = createTestContext();
  await t.start(
    createClaimProtectionController(t.context),
    createVolumeProtectionController(t.context),
    createClassProtectionController(t.context),
  );
});
afterEach(() => t.stop());

const claim = { namespace: 'd', name: 'c' };
const makeClaim = (more: object = {}) =>
  t.client.create(persistentVolumeClaims, {
    metadata: { ...claim, finalizers: ['kubernetes.io/pvc-protection'], ...more },
  });
const makePod = (name: string, spec: object, more: object = {}) =>
  t.client.create(pods, {
    metadata: { name, namespace: 'd', ...more },
    spec: { containers: [], nodeName: 'w1', ...spec },
  } as Pod);
const volume = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] };
const exists = () =>
  t.client.get(persistentVolumeClaims, claim).then(
    () => true,
    () => false,
  );

async function isHeld(): Promise<boolean> {
  await t.client.delete(persistentVolumeClaims, claim);
  await t.settle();
  return exists();
}

describe('a claim (StorageObjectInUseProtection)', () => {
  it('goes when nobody uses it, and is protected when an older version did not see to it', async () => {
    await makeClaim({ finalizers: [] });
    await t.settle();
    expect((await t.client.get(persistentVolumeClaims, claim)).metadata?.finalizers).toEqual([
      'kubernetes.io/pvc-protection',
    ]);
    expect(await isHeld()).toBe(false);
  });

  it('stays while a pod on a node uses it, also one that has ended, and goes with the pod', async () => {
    await makeClaim();
    const pod = await makePod('p', volume);
    await t.client.updateStatus(pods, { ...pod, status: { phase: 'Succeeded' } });
    await t.settle();
    expect(await isHeld()).toBe(true);
    await t.client.delete(pods, { namespace: 'd', name: 'p' }, { gracePeriodSeconds: 0 });
    await t.settle();
    expect(await exists()).toBe(false);
  });

  it.each<[string, object, object]>([
    ['that waits for a node', { ...volume, nodeName: '' }, {}],
    ['of another namespace', volume, { namespace: 'e' }],
    ['with another claim', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'other' } }] }, {}],
    [
      'whose ephemeral volume would have that name, but did not make it',
      { volumes: [{ name: 'v', ephemeral: {} }] },
      { name: 'not' },
    ],
  ])('is not held by a pod %s', async (_, spec, more) => {
    await makeClaim();
    await makePod('p', spec, more);
    await t.settle();
    expect(await isHeld()).toBe(false);
  });

  it('of an ephemeral volume is held by its pod until the kubelet is done with it', async () => {
    const pod = await makePod('p', { volumes: [{ name: 'v', ephemeral: {} }] }, { finalizers: ['test/hold'] });
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata?.uid ?? '', controller: true };
    Object.assign(claim, { name: 'p-v' });
    await makeClaim({ ownerReferences: [owner] });
    await t.settle();
    expect(await isHeld()).toBe(true);
    await t.client.delete(pods, { namespace: 'd', name: 'p' }, { gracePeriodSeconds: 0 });
    await t.settle();
    expect(await exists()).toBe(false);
    Object.assign(claim, { name: 'c' });
  });
});

it('a volume stays while it is bound', async () => {
  const made = await t.client.create(persistentVolumes, {
    metadata: { name: 'v', finalizers: ['kubernetes.io/pv-protection'] },
  });
  const bound = await t.client.updateStatus(persistentVolumes, { ...made, status: { phase: 'Bound' } });
  await t.client.delete(persistentVolumes, { name: 'v' });
  await t.settle();
  const held = await t.client.get(persistentVolumes, { name: 'v' });
  expect([held.metadata?.deletionTimestamp !== undefined, bound.status?.phase]).toEqual([true, 'Bound']);
  await t.client.updateStatus(persistentVolumes, { ...held, status: { phase: 'Released' } });
  await t.settle();
  expect(
    await t.client.get(persistentVolumes, { name: 'v' }).then(
      () => true,
      () => false,
    ),
  ).toBe(false);
});

describe('a class of attributes (KEP-3751)', () => {
  const gone = () =>
    t.client.get(volumeAttributesClasses, { name: 'gold' }).then(
      () => false,
      () => true,
    );
  const makeClass = () =>
    t.client.create(volumeAttributesClasses, {
      metadata: { name: 'gold', finalizers: ['kubernetes.io/vac-protection'] },
      driverName: 'a.b',
      parameters: { iops: '1' },
    });

  it('goes at once when nobody has it', async () => {
    await makeClass();
    await t.client.delete(volumeAttributesClasses, { name: 'gold' });
    await t.settle();
    expect(await gone()).toBe(true);
  });

  it.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'a claim',
      () =>
        makeClaim({}).then((made) =>
          t.client.update(persistentVolumeClaims, { ...made, spec: { volumeAttributesClassName: 'gold' } }),
        ),
      () =>
        t.client
          .get(persistentVolumeClaims, claim)
          .then((now) => t.client.update(persistentVolumeClaims, { ...now, spec: {} })),
    ],
    [
      'a volume',
      () =>
        t.client.create(persistentVolumes, { metadata: { name: 'v' }, spec: { volumeAttributesClassName: 'gold' } }),
      () =>
        t.client
          .get(persistentVolumes, { name: 'v' })
          .then((now) => t.client.update(persistentVolumes, { ...now, spec: {} })),
    ],
  ])('stays while %s has it', async (_, use, release) => {
    await makeClass();
    await use();
    await t.settle();
    await t.client.delete(volumeAttributesClasses, { name: 'gold' });
    await t.settle();
    expect(await gone()).toBe(false);
    await release();
    await t.settle();
    expect(await gone()).toBe(true);
  });
});
