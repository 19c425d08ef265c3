import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMaps, nodes, pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { KubeObject, OwnerReference, Resource } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { type Discovery, fixedDiscovery } from '../discovery.js';
import { createTestContext } from '../testing.js';
import { createGarbageCollector } from './garbagecollector.js';

const things: Resource = { group: 'example.org', version: 'v1', resource: 'things', kind: 'Thing', namespaced: true };
const thingsV2: Resource = { ...things, version: 'v2' };

/** A discovery whose kinds come and go. */
class LiveDiscovery implements Discovery {
  #kinds: readonly Resource[];
  #generation = 1;
  readonly #listeners = new Set<() => void>();

  constructor(kinds: readonly Resource[]) {
    this.#kinds = kinds;
  }

  set(...kinds: Resource[]): void {
    this.#kinds = kinds;
    this.#generation++;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  readonly refresh = () => Promise.resolve();
  readonly generation = () => this.#generation;
  readonly deletable = () => this.#kinds;
  readonly namespaced = () => this.#kinds.filter(({ namespaced }) => namespaced);
  readonly isBuiltIn = (resource: Resource) => resource.group !== things.group;
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    return [...this.#kinds, ...(this.#kinds.some((one) => one.kind === 'Thing') ? [thingsV2] : [])].find(
      (one) => one.kind === kind && apiVersionOf(one) === apiVersion,
    );
  }
}

let t: ReturnType<typeof createTestContext>;
beforeEach(() => {
  t = createTestContext();
});
afterEach(() => t.stop());

const refTo = (resource: Resource, owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  name: owner.metadata?.name ?? '',
  uid: owner.metadata?.uid ?? '',
  ...more,
});
const make = (resource: Resource, name: string, ownerReferences: OwnerReference[] = [], namespace = 'd') =>
  t.client.create(resource, {
    metadata: {
      name,
      ...(resource.namespaced ? { namespace } : {}),
      ...(ownerReferences.length === 0 ? {} : { ownerReferences }),
    },
  });
const refOf = (resource: Resource, name: string, namespace = 'd') =>
  resource.namespaced ? { namespace, name } : { name };
const exists = (resource: Resource, name: string, namespace = 'd') =>
  t.client.get(resource, refOf(resource, name, namespace)).then(
    () => true,
    () => false,
  );
const foreground = (resource: Resource, name: string) =>
  t.client.delete(resource, refOf(resource, name), { propagationPolicy: 'Foreground' });
const blocking = { blockOwnerDeletion: true };

describe('kinds that come while the collector runs', () => {
  let discovery: LiveDiscovery;
  beforeEach(async () => {
    discovery = new LiveDiscovery([configMaps, pods]);
    await t.start(createGarbageCollector(t.context, { discovery }));
    discovery.set(configMaps, pods, things);
  });

  it.each(['Foreground', 'Background'] as const)('are collected: %s', async (propagationPolicy) => {
    const owner = await make(things, 'owner');
    await make(configMaps, 'of thing', [refTo(things, owner, blocking)]);
    const map = await make(configMaps, 'map');
    await make(things, 'of map', [refTo(configMaps, map, blocking)]);
    await t.client.delete(things, refOf(things, 'owner'), { propagationPolicy });
    await t.client.delete(configMaps, refOf(configMaps, 'map'), { propagationPolicy });
    await t.settle(2_000);
    await t.settle(2_000);
    expect([
      await exists(things, 'owner'),
      await exists(configMaps, 'of thing'),
      await exists(configMaps, 'map'),
      await exists(things, 'of map'),
    ]).toEqual([false, false, false, false]);
  });

  it('are orphaned, also those that the collector had not seen when their owner went', async () => {
    const map = await make(configMaps, 'map');
    await make(things, 'of map', [refTo(configMaps, map)]);
    await t.client.delete(configMaps, refOf(configMaps, 'map'), { propagationPolicy: 'Orphan' });
    await t.settle(2_000);
    expect(await exists(configMaps, 'map')).toBe(false);
    expect((await t.client.get(things, refOf(things, 'of map'))).metadata?.ownerReferences ?? []).toEqual([]);
  });

  it('are watched no more once they went, and again when they come back', async () => {
    await t.settle(2_000);
    const before = t.service.watchCount;
    discovery.set(configMaps, pods);
    await t.settle(2_000);
    expect(t.service.watchCount).toBe(before - 1);
    discovery.set(configMaps, pods, things);
    await t.settle(2_000);
    await make(things, 'ghost', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'none', uid: 'u' }]);
    await t.settle(2_000);
    expect([t.service.watchCount, await exists(things, 'ghost')]).toEqual([before, false]);
  });

  it('own in any version that is served', async () => {
    const owner = await make(things, 'owner');
    await t.settle(2_000);
    await make(pods, 'p', [refTo(thingsV2, owner)]);
    await t.settle(2_000);
    expect(await exists(pods, 'p')).toBe(true);
  });
});

it('what names an owner of a kind that is not served stays, until the kind comes and the owner is not there', async () => {
  const discovery = new LiveDiscovery([configMaps]);
  await t.start(createGarbageCollector(t.context, { discovery }));
  await make(configMaps, 'waits', [
    { ...refTo(things, {}), name: 'gone', uid: 'u' },
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'v' },
  ]);
  await t.settle(60_000);
  expect(await exists(configMaps, 'waits')).toBe(true);
  discovery.set(configMaps, things);
  await t.settle(2_000);
  expect(await exists(configMaps, 'waits')).toBe(false);
});

it('a kind whose objects cannot be listed does not hold up the others for ever', async () => {
  const discovery = new LiveDiscovery([configMaps]);
  await t.start(createGarbageCollector(t.context, { discovery }));
  t.service.failNext('list', 'things', apiErrors.internal('conversion failed'), 1000);
  discovery.set(configMaps, things);
  const owner = await make(configMaps, 'owner');
  await make(configMaps, 'dependent', [refTo(configMaps, owner, blocking)]);
  await foreground(configMaps, 'owner');
  await t.settle(15_000);
  expect([await exists(configMaps, 'owner'), await exists(configMaps, 'dependent')]).toEqual([false, false]);
});

describe('owners at other coordinates', () => {
  beforeEach(() =>
    t.start(createGarbageCollector(t.context, { discovery: fixedDiscovery([configMaps, nodes, pods, replicaSets]) })),
  );

  it.each([
    ['in another namespace', { namespace: 'other' }, {}],
    ['under another name', {}, { name: 'else' }],
    ['of another kind', {}, { kind: 'Pod' }],
  ])('%s do not count: the dependent goes', async (_, place, reference) => {
    const owner = await make(configMaps, 'own', [], 'd');
    const namespace = 'namespace' in place ? place.namespace : 'd';
    await make(configMaps, 'dependent', [refTo(configMaps, owner, reference)], namespace);
    await t.settle();
    expect([await exists(configMaps, 'own'), await exists(configMaps, 'dependent', namespace)]).toEqual([true, false]);
    const told = t.said.filter((line) => line.includes('OwnerRefInvalidNamespace'));
    expect(told).toEqual(
      namespace === 'd'
        ? []
        : [
            `dependent OwnerRefInvalidNamespace: ownerRef [v1/ConfigMap, namespace: other, name: own, uid: ${owner.metadata?.uid ?? ''}] does not exist in namespace "other"`,
          ],
    );
  });

  it('beside an owner that does exist are taken out of the list', async () => {
    const [near, far] = [await make(configMaps, 'near'), await make(configMaps, 'far', [], 'other')];
    await make(pods, 'p', [refTo(configMaps, near), refTo(configMaps, far)]);
    await t.settle();
    expect((await t.client.get(pods, refOf(pods, 'p'))).metadata?.ownerReferences?.map(({ name }) => name)).toEqual([
      'near',
    ]);
  });

  it('in a namespace, of an object in none: told, and never deleted', async () => {
    const owner = await make(configMaps, 'own');
    await make(nodes, 'n', [refTo(configMaps, owner, blocking)]);
    await t.settle();
    await foreground(configMaps, 'own');
    await t.settle();
    expect([await exists(nodes, 'n'), await exists(configMaps, 'own')]).toEqual([true, false]);
    expect(t.said.some((line) => line.startsWith('n OwnerRefInvalidNamespace'))).toBe(true);
  });

  it('in no namespace, of an object in one, are owners', async () => {
    const owner = await make(nodes, 'n');
    await make(pods, 'p', [refTo(nodes, owner)]);
    await t.settle();
    expect(await exists(pods, 'p')).toBe(true);
    await t.client.delete(nodes, { name: 'n' }, { propagationPolicy: 'Background' });
    await t.settle();
    expect(await exists(pods, 'p')).toBe(false);
  });
});

describe('deletion in the foreground', () => {
  beforeEach(() =>
    t.start(createGarbageCollector(t.context, { discovery: fixedDiscovery([configMaps, pods, replicaSets]) })),
  );

  /** Each owns the next one, and the last the first. */
  async function makeCircle(names: readonly string[]) {
    const made = [];
    for (const name of names) made.push(await make(configMaps, name));
    for (const [i, object] of made.entries()) {
      const owner = made[(i + made.length - 1) % made.length] ?? object;
      await t.client.patch(configMaps, refOf(configMaps, object.metadata?.name ?? ''), {
        type: 'merge',
        body: { metadata: { ownerReferences: [refTo(configMaps, owner, blocking)] } },
      });
    }
    await t.settle();
  }

  it.each([[['a']], [['a', 'b']], [['a', 'b', 'c']], [['a', 'b', 'c', 'd', 'e']]])(
    'ends in a circle of %j',
    async (names) => {
      await makeCircle(names);
      await foreground(configMaps, 'a');
      await t.settle(1_000);
      expect(await Promise.all(names.map((name) => exists(configMaps, name)))).toEqual(names.map(() => false));
    },
  );

  it('ends in a circle of which all were asked to go at once', async () => {
    await makeCircle(['a', 'b', 'c']);
    await Promise.all(['a', 'b', 'c'].map((name) => foreground(configMaps, name)));
    await t.settle(1_000);
    expect((await t.client.list(configMaps)).items).toEqual([]);
  });

  it('lets go of a dependent that another owner keeps', async () => {
    const [going, staying] = [await make(configMaps, 'going'), await make(configMaps, 'staying')];
    await make(pods, 'p', [refTo(configMaps, going, blocking), refTo(configMaps, staying, blocking)]);
    await t.settle();
    await foreground(configMaps, 'going');
    await t.settle();
    expect(await exists(configMaps, 'going')).toBe(false);
    expect((await t.client.get(pods, refOf(pods, 'p'))).metadata?.ownerReferences?.map(({ name }) => name)).toEqual([
      'staying',
    ]);
  });

  it('waits for dependents that block, all the way down, and for no others', async () => {
    const top = await make(configMaps, 'top');
    const middle = await make(configMaps, 'middle', [refTo(configMaps, top, blocking)]);
    await t.client.create(configMaps, {
      metadata: {
        name: 'leaf',
        namespace: 'd',
        finalizers: ['test/hold'],
        ownerReferences: [refTo(configMaps, middle, blocking)],
      },
    });
    await t.client.create(configMaps, {
      metadata: { name: 'free', namespace: 'd', finalizers: ['test/hold'], ownerReferences: [refTo(configMaps, top)] },
    });
    await t.settle();
    await foreground(configMaps, 'top');
    await t.settle();
    const waiting = async () => [
      await exists(configMaps, 'top'),
      await exists(configMaps, 'middle'),
      await exists(configMaps, 'leaf'),
      await exists(configMaps, 'free'),
    ];
    expect(await waiting()).toEqual([true, true, true, true]);
    await t.client.patch(configMaps, refOf(configMaps, 'leaf'), {
      type: 'merge',
      body: { metadata: { finalizers: null } },
    });
    await t.settle();
    expect(await waiting()).toEqual([false, false, false, true]);
  });
});
