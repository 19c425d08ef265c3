import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { ReplicaSet } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import { createTestContext } from '../testing.js';
import { controllerRef, ownedObjects, ownersConcerned } from './owners.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(() => {
  t = createTestContext();
});
afterEach(() => t.stop());

const informers = () => ({
  sets: t.context.informers.informer(replicaSets),
  podInformer: t.context.informers.informer(pods),
});
const makeSet = (namespace: string, name: string, app = 'web') =>
  t.client.create(replicaSets, { metadata: { name, namespace }, spec: { selector: { matchLabels: { app } } } });
const makePod = (namespace: string, name: string, owner?: ReplicaSet) =>
  t.client.create(pods, {
    metadata: {
      name,
      namespace,
      labels: { app: 'web' },
      ...(owner === undefined ? {} : { ownerReferences: [controllerRef(owner, replicaSets)] }),
    },
  });
const names = (objects: readonly { metadata?: { name?: string } }[]) =>
  objects.map(({ metadata }) => metadata?.name ?? '').toSorted();

describe('objects by owner', () => {
  it('are its own by uid, and the orphans of its namespace, as they come, change hands and go', async () => {
    const { podInformer } = informers();
    const owned = ownedObjects(podInformer);
    await t.start();
    const [mine, other] = [await makeSet('d', 'mine'), await makeSet('e', 'mine')];
    await makePod('d', 'own', mine);
    await makePod('e', 'foreign', other);
    await makePod('d', 'orphan');
    await makePod('e', 'far');
    await t.settle();
    expect([names(owned.of(mine)), names(owned.orphansFor(mine))]).toEqual([['own'], ['orphan']]);
    const body = { metadata: { ownerReferences: [controllerRef(mine, replicaSets)] } };
    await t.client.patch(pods, { namespace: 'd', name: 'orphan' }, { type: 'merge', body });
    await t.client.delete(pods, { namespace: 'd', name: 'own' }, { gracePeriodSeconds: 0 });
    await t.settle();
    expect([names(owned.of(mine)), names(owned.orphansFor(mine))]).toEqual([['orphan'], []]);
  });

  it('are found by an index: neither the cache nor the API is gone through', async () => {
    const { sets, podInformer } = informers();
    const owned = ownedObjects(podInformer);
    const concerned = ownersConcerned({ informer: sets, selectorOf: ({ spec }) => labelSelectorOf(spec?.selector) });
    await t.start();
    const mine = await makeSet('d', 'mine');
    const orphan = await makePod('d', 'orphan');
    await t.settle();
    t.service.clearCalls();
    const lists = [vi.spyOn(sets.lister, 'list'), vi.spyOn(podInformer.lister, 'list')];
    expect([names(owned.of(mine)), names(owned.orphansFor(mine)), concerned(orphan)]).toEqual([
      [],
      ['orphan'],
      ['d/mine'],
    ]);
    expect([lists.map(({ mock }) => mock.calls.length), t.service.calls]).toEqual([[0, 0], []]);
  });
});

it('an owned object concerns its controller, an orphan those of its namespace that select it', async () => {
  const { sets } = informers();
  const concerned = ownersConcerned({ informer: sets, selectorOf: ({ spec }) => labelSelectorOf(spec?.selector) });
  await t.start();
  const first = await makeSet('d', 'first');
  await makeSet('d', 'second');
  await makeSet('d', 'db', 'db');
  await makeSet('e', 'far');
  await t.settle();
  expect([...concerned(await makePod('d', 'own', first))]).toEqual(['d/first']);
  expect([...concerned(await makePod('d', 'orphan'))].toSorted()).toEqual(['d/first', 'd/second']);
  const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'j', controller: true }];
  const stranger = { metadata: { name: 'x', namespace: 'd', labels: { app: 'web' }, ownerReferences } };
  expect([...concerned(stranger)]).toEqual([]);
});
