import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { ConfigMap } from '../../apimachinery/gen/types.js';
import { configMaps } from '../../apimachinery/gen/resources.js';
import { apiErrors } from '../../apimachinery/status.js';
import { clientOf } from '../object-client.js';
import { FakeObjectService } from '../testing/fake-object-service.js';
import { InformerFactory } from './informer-factory.js';

function setUp(resync_ms?: number) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random });
  const client = clientOf(service);
  const factory = new InformerFactory({
    client,
    clock,
    random,
    logger: silentLogger,
    ...(resync_ms === undefined ? {} : { resync_ms }),
  });
  const informer = factory.informer(configMaps);
  const seen: string[] = [];
  informer.addHandler({
    add: (object, initial) => seen.push(`${initial ? 'initial' : 'add'} ${object.metadata?.name ?? ''}`),
    update: (object, old) =>
      seen.push(`update ${object.metadata?.name ?? ''} ${old.data?.['v'] ?? ''}>${object.data?.['v'] ?? ''}`),
    delete: (object) => seen.push(`delete ${object.metadata?.name ?? ''}`),
  });
  const put = (name: string, v = '1', labels: Record<string, string> = {}) =>
    client.create<ConfigMap>(configMaps, { metadata: { name, namespace: 'd', labels }, data: { v } });
  const change = async (name: string, v: string) => {
    const old = await client.get(configMaps, { namespace: 'd', name });
    return client.update(configMaps, { ...old, data: { v } });
  };
  const remove = (name: string) => client.delete(configMaps, { namespace: 'd', name });
  return { clock, service, client, factory, informer, seen, put, change, remove };
}

describe('Informer', () => {
  it('lists, then follows the watch', async () => {
    const t = setUp();
    await t.put('a');
    await t.factory.start();
    expect(t.informer.hasSynced).toBe(false);
    await t.factory.whenSynced();
    await t.clock.advance(0);
    await t.put('b');
    await t.change('a', '2');
    await t.remove('b');
    await t.clock.advance(0);
    expect(t.seen).toEqual(['initial a', 'add b', 'update a 1>2', 'delete b']);
    expect(t.informer.lister.get('d/a')?.data).toEqual({ v: '2' });
    expect(t.informer.lister.size).toBe(1);
    await t.factory.stop();
    expect(t.service.watchCount).toBe(0);
  });

  it('resumes a watch that ended from the last version, without a list', async () => {
    const t = setUp();
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    await t.put('a');
    await t.clock.advance(2000);
    t.service.clearCalls();
    t.service.cutWatches();
    await t.put('b');
    await t.remove('a');
    await t.clock.advance(2000);
    expect(t.seen).toEqual(['add a', 'add b', 'delete a']);
    expect(t.service.calls.map((call) => call.verb).filter((verb) => verb === 'list')).toEqual([]);
    await t.factory.stop();
  });

  it('lists again when its version was compacted, and tells what was missed, deletes included', async () => {
    const t = setUp();
    await t.put('a');
    await t.put('b');
    await t.put('same');
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    t.seen.length = 0;
    t.service.failNext('watch', 'configmaps', apiErrors.serviceUnavailable('gone for a moment'));
    t.service.cutWatches();
    await t.change('a', '2');
    await t.remove('b');
    await t.put('c');
    t.service.compact();
    await t.clock.advance(5000);
    expect(t.seen.toSorted()).toEqual(['add c', 'delete b', 'update a 1>2']);
    await t.factory.stop();
  });

  it('tells a delete and an add when an object was replaced by another of its name', async () => {
    const t = setUp();
    await t.put('a', '1');
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    t.service.failNext('watch', 'configmaps', apiErrors.serviceUnavailable('gone for a moment'));
    t.service.cutWatches();
    await t.remove('a');
    await t.put('a', '2');
    t.service.compact();
    await t.clock.advance(5000);
    expect(t.seen).toEqual(['initial a', 'delete a', 'add a']);
    await t.factory.stop();
  });

  it('keeps trying the first list, with growing pauses', async () => {
    const t = setUp();
    t.service.failNext('list', 'configmaps', apiErrors.serviceUnavailable('not yet'), 4);
    await t.put('a');
    await t.factory.start();
    await t.clock.advance(40);
    expect(t.service.calls.filter((call) => call.verb === 'list')).toHaveLength(1);
    await t.clock.advance(5000);
    expect(t.informer.hasSynced).toBe(true);
    expect(t.seen).toEqual(['initial a']);
    await t.factory.stop();
  });

  it('follows bookmarks, so that a quiet watch does not expire', async () => {
    const t = setUp();
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    await t.client.create(
      { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true },
      { metadata: { name: 's', namespace: 'd' } },
    );
    t.service.bookmark();
    await t.clock.advance(2000);
    t.service.compact();
    t.service.clearCalls();
    t.service.cutWatches();
    await t.clock.advance(2000);
    expect(t.informer.resourceVersion).toBe(t.service.resourceVersion);
    expect(t.service.calls.map((call) => call.verb)).toEqual(['watch']);
    await t.factory.stop();
  });

  it('goes on when a handler throws', async () => {
    const t = setUp();
    t.informer.addHandler({
      add: () => {
        throw new Error('broken handler');
      },
    });
    const late: string[] = [];
    t.informer.addHandler({ add: (object) => late.push(object.metadata?.name ?? '') });
    await t.put('a');
    await t.factory.start();
    await t.factory.whenSynced();
    expect(late).toEqual(['a']);
    await t.factory.stop();
  });

  it('resyncs: every handler sees every object again', async () => {
    const t = setUp(60_000);
    await t.put('a');
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(60_000);
    expect(t.seen).toEqual(['initial a', 'update a 1>1']);
    await t.factory.stop();
  });

  it('shares one watch between all who ask for the same selection, also when they come late', async () => {
    const t = setUp();
    await t.put('a');
    await t.factory.start();
    await t.factory.whenSynced();
    expect(t.factory.informer(configMaps)).toBe(t.informer);
    const other = t.factory.informer(configMaps, { labelSelector: 'x=y' });
    expect(other).not.toBe(t.informer);
    await t.factory.whenSynced();
    await t.clock.advance(0);
    expect(t.service.watchCount).toBe(2);
    const late: string[] = [];
    t.informer.addHandler({ add: (object, initial) => late.push(`${object.metadata?.name ?? ''} ${String(initial)}`) });
    expect(late).toEqual(['a true']);
    await t.factory.stop();
  });

  it('stops waiting for a list that never comes when told to', async () => {
    const t = setUp();
    const stop = new AbortController();
    const waiting = t.informer.whenSynced(stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('sees an object enter and leave a label selector', async () => {
    const t = setUp();
    const labelled = t.factory.informer(configMaps, { labelSelector: 'app=web' });
    const seen: string[] = [];
    labelled.addHandler({
      add: () => seen.push('add'),
      update: () => seen.push('update'),
      delete: () => seen.push('delete'),
    });
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    const relabel = async (app: string) => {
      const old = await t.client.get(configMaps, { namespace: 'd', name: 'a' });
      await t.client.update(configMaps, { ...old, metadata: { ...old.metadata, labels: { app } } });
    };
    await t.put('a', '1', { app: 'db' });
    await relabel('web');
    await relabel('db');
    await t.clock.advance(0);
    expect(seen).toEqual(['add', 'delete']);
    await t.factory.stop();
  });
});

describe('indexes', () => {
  it('follow adds, changes and deletes', async () => {
    const t = setUp();
    t.informer.addIndex('value', (object) => (object.data?.['v'] === undefined ? [] : [object.data['v']]));
    await t.put('a', 'x');
    await t.put('b', 'x');
    await t.factory.start();
    await t.factory.whenSynced();
    await t.clock.advance(0);
    const names = (value: string) => t.informer.lister.byIndex('value', value).map((object) => object.metadata?.name);
    expect(names('x')).toEqual(['a', 'b']);
    await t.change('a', 'y');
    await t.remove('b');
    await t.clock.advance(0);
    expect([names('x'), names('y')]).toEqual([[], ['a']]);
    expect(() => t.informer.lister.byIndex('nobody', 'x')).toThrow('was never added');
    await t.factory.stop();
  });

  it('hold labels named like members of Object.prototype', async () => {
    const t = setUp();
    t.informer.addIndex('label', (object) => Object.keys(object.metadata?.labels ?? {}));
    await t.put('a', '1', { constructor: 'x' });
    await t.factory.start();
    await t.factory.whenSynced();
    expect(t.informer.lister.byIndex('label', 'constructor')).toHaveLength(1);
    expect(t.informer.lister.byIndex('label', 'toString')).toHaveLength(0);
    await t.factory.stop();
  });
});
