import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMaps, namespaces, pods, secrets, services } from '../../../apimachinery/gen/resources.js';
import type { Resource } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { fixedDiscovery, type Discovery } from '../discovery.js';
import { createTestContext } from '../testing.js';
import { conditionsOf } from './conditions.js';
import { createNamespaceController } from './namespace.js';

const things: Resource = { group: 'example.org', version: 'v1', resource: 'things', kind: 'Thing', namespaced: true };

let t: ReturnType<typeof createTestContext>;
let kinds: Resource[];
let discoveryError: Error | undefined;

beforeEach(async () => {
  t = createTestContext();
  kinds = [secrets, configMaps, pods, services];
  discoveryError = undefined;
  const discovery: Discovery = {
    ...fixedDiscovery([]),
    namespaced() {
      if (discoveryError !== undefined) throw discoveryError;
      return kinds;
    },
  };
  await t.start(createNamespaceController(t.context, { discovery }));
  await t.client.create(namespaces, {
    metadata: { name: 'a', finalizers: ['test/look'] },
    spec: { finalizers: ['kubernetes'] },
  });
});
afterEach(() => t.stop());

const make = (resource: Resource, name: string, finalizers: string[] = []) =>
  t.client.create(resource, { metadata: { namespace: 'a', name, finalizers } });
const release = (resource: Resource, name: string) =>
  t.client.patch(resource, { namespace: 'a', name }, { type: 'merge', body: { metadata: { finalizers: null } } });
const left = async (resource: Resource) =>
  (await t.client.list(resource, { namespace: 'a' })).items.map(
    ({ metadata }) => `${metadata?.name ?? ''}${metadata?.deletionTimestamp === undefined ? '' : ' going'}`,
  );
const namespace = () => t.client.get(namespaces, { name: 'a' });
const condition = async (type: string) => (await namespace()).status?.conditions?.find((one) => one.type === type);
const isOver = async () => ((await namespace()).spec?.finalizers ?? []).length === 0;

describe('the deletion of a namespace (KEP-5080)', () => {
  it('deletes pods first, and the rest when none is left', async () => {
    await make(pods, 'p', ['x/y']);
    await make(secrets, 's');
    await make(configMaps, 'm');
    await t.client.delete(namespaces, { name: 'a' });
    await t.settle(5_000);
    expect([await left(pods), await left(secrets), await left(configMaps)]).toEqual([['p going'], ['s'], ['m']]);
    expect(await condition('NamespaceContentRemaining')).toMatchObject({
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: 'Some resources are remaining: pods. has 1 resource instances',
    });
    expect(await condition('NamespaceFinalizersRemaining')).toMatchObject({
      status: 'True',
      reason: 'SomeFinalizersRemain',
      message: 'Some content in the namespace has finalizers remaining: x/y in 1 resource instances',
    });
    await release(pods, 'p');
    await t.client.delete(pods, { namespace: 'a', name: 'p' }, { gracePeriodSeconds: 0 }).catch(() => undefined);
    await t.settle(1_000);
    expect([await left(pods), await left(secrets), await left(configMaps), await isOver()]).toEqual([[], [], [], true]);
  });

  it('takes kinds along that came meanwhile', async () => {
    await make(configMaps, 'held', ['x/y']);
    await t.client.delete(namespaces, { name: 'a' });
    await t.settle(1_000);
    kinds.push(things);
    await make(things, 'late');
    await t.settle(1_000);
    expect([await left(things), await isOver()]).toEqual([[], false]);
  });

  it('goes on with the other kinds when one cannot be deleted, and says which', async () => {
    await make(configMaps, 'm');
    await make(secrets, 's');
    t.service.failNext('list', 'secrets', apiErrors.internal('conversion webhook failed'), 3);
    await t.client.delete(namespaces, { name: 'a' });
    await t.settle(0);
    expect([await left(configMaps), await isOver()]).toEqual([[], false]);
    expect(await condition('NamespaceDeletionContentFailure')).toMatchObject({
      status: 'True',
      reason: 'ContentDeletionFailed',
    });
    expect((await condition('NamespaceDeletionContentFailure'))?.message).toContain(
      'Failed to delete all resource types, 1 remaining: ',
    );
    await t.settle(3_000);
    expect([await left(secrets), await isOver(), (await condition('NamespaceDeletionContentFailure'))?.status]).toEqual(
      [[], true, 'False'],
    );
  });

  it('does not end while the kinds cannot be found out', async () => {
    discoveryError = new Error('no answer');
    await t.client.delete(namespaces, { name: 'a' });
    await t.settle(1_000);
    expect(await condition('NamespaceDeletionDiscoveryFailure')).toMatchObject({
      status: 'True',
      reason: 'DiscoveryFailed',
      message: 'no answer',
    });
    expect(await isOver()).toBe(false);
    discoveryError = undefined;
    await t.settle(1_000);
    expect([await isOver(), (await condition('NamespaceDeletionDiscoveryFailure'))?.status]).toEqual([true, 'False']);
  });
});

it('all five conditions are there, with the reasons that say all is well', () => {
  const none = { resources: new Map(), finalizers: new Map(), discoveryError: undefined, failures: [] };
  expect(conditionsOf([], none, 't').map(({ type, status, reason }) => `${type} ${status} ${reason ?? ''}`)).toEqual([
    'NamespaceDeletionDiscoveryFailure False ResourcesDiscovered',
    'NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions',
    'NamespaceDeletionContentFailure False ContentDeleted',
    'NamespaceContentRemaining False ContentRemoved',
    'NamespaceFinalizersRemaining False ContentHasNoFinalizers',
  ]);
});
