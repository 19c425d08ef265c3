import { describe, expect, it } from 'vitest';
import type { Resource } from '../../apimachinery/object.js';
import { apiErrors } from '../../apimachinery/status.js';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { clientOf } from '../object-client.js';
import { FakeObjectService } from '../testing/fake-object-service.js';
import { ResourceCatalog } from './resource-catalog.js';

const widgets: Resource = {
  group: 'example.org',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

async function started() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random });
  const catalog = new ResourceCatalog({ client: clientOf(service), clock, random, logger: silentLogger });
  let changes = 0;
  catalog.onChange(() => changes++);
  const has = () => catalog.resources.some(({ resource }) => resource === 'widgets');
  await catalog.start();
  await catalog.whenKnown();
  return { clock, service, catalog, has, changes: () => changes };
}

describe('the catalog of resources', () => {
  it('follows kinds that come and go', async () => {
    const t = await started();
    expect([t.has(), t.catalog.generation, t.catalog.resources.length > 50]).toEqual([false, 1, true]);
    t.service.serve({ add: [widgets] });
    await t.clock.advance(0);
    expect([t.has(), t.catalog.generation]).toEqual([true, 2]);
    t.service.serve({ remove: [widgets] });
    await t.clock.advance(0);
    expect([t.has(), t.catalog.generation, t.changes()]).toEqual([false, 3, 3]);
    await t.catalog.stop();
  });

  it.each([
    ['ends', undefined],
    ['fails', apiErrors.serviceUnavailable('gone')],
  ])('keeps what it knows when the server %s, and catches up', async (_how, error) => {
    const t = await started();
    t.service.cutWatches(error);
    t.service.serve({ add: [widgets] });
    await t.clock.advance(0);
    expect([t.has(), t.catalog.generation, t.catalog.resources.length > 50]).toEqual([false, 1, true]);
    await t.clock.advance(1_000);
    expect([t.has(), t.catalog.generation]).toEqual([true, 2]);
    await t.catalog.stop();
  });

  it('asks once more when it is told to', async () => {
    const t = await started();
    t.service.cutWatches();
    t.service.serve({ add: [widgets] });
    await t.catalog.refresh();
    expect([t.has(), t.catalog.generation]).toEqual([true, 2]);
    await t.catalog.stop();
  });

  it('does not say that something changed when nothing did', async () => {
    const t = await started();
    t.service.cutWatches();
    await t.clock.advance(1_000);
    expect([t.catalog.generation, t.changes()]).toEqual([1, 1]);
    await t.catalog.stop();
  });

  it('stopped before the server answered, tells who waits', async () => {
    const clock = new VirtualClock();
    const discover = async function* (options: { readonly signal?: AbortSignal } = {}) {
      await new Promise<void>((resolve) => options.signal?.addEventListener('abort', () => resolve()));
      yield [];
    };
    const catalog = new ResourceCatalog({ client: { discover }, clock, random: seededRandom(1), logger: silentLogger });
    await catalog.start();
    const waiting = catalog.whenKnown();
    const refused = expect(waiting).rejects.toThrow('was stopped');
    await catalog.stop();
    await refused;
    await expect(catalog.whenKnown()).rejects.toThrow('was stopped');
  });
});
