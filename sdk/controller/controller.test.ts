import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { pods, replicaSets } from '../../apimachinery/gen/resources.js';
import { ApiError, apiErrors } from '../../apimachinery/status.js';
import { InformerFactory } from '../informer/informer-factory.js';
import { clientOf } from '../object-client.js';
import { FakeObjectService } from '../testing/fake-object-service.js';
import { Controller, TerminalError, done, requeueAfter } from './controller.js';
import type { Reconcile } from './controller.js';
import { byController, sourceOf } from './source.js';

function setUp(reconcile: Reconcile, workers = 1) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random });
  const client = clientOf(service);
  const factory = new InformerFactory({ client, clock, random, logger: silentLogger });
  const controller = new Controller({
    name: 'replicaset',
    clock,
    logger: silentLogger,
    workers,
    reconcile,
    sources: [
      sourceOf(factory.informer(replicaSets)),
      sourceOf(factory.informer(pods), byController({ group: 'apps', kind: 'ReplicaSet' })),
    ],
  });
  const start = async () => {
    await factory.start();
    await controller.start();
    await clock.advance(0);
  };
  const stop = async () => {
    await controller.stop();
    await factory.stop();
  };
  const create = (name: string) =>
    client.create(replicaSets, { metadata: { name, namespace: 'd' }, spec: { selector: {} } });
  return { clock, client, factory, controller, start, stop, create };
}

describe('Controller', () => {
  it('looks at everything that exists, then at what changes, and at the owners of what changes', async () => {
    const seen: string[] = [];
    const t = setUp(async (key) => {
      seen.push(key);
      return done;
    });
    const set = await t.create('a');
    await t.start();
    expect(seen).toEqual(['d/a']);
    await t.client.create(pods, {
      metadata: {
        name: 'p',
        namespace: 'd',
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'owner', uid: set.metadata?.uid ?? '', controller: true },
        ],
      },
    });
    await t.client.create(pods, { metadata: { name: 'orphan', namespace: 'd' } });
    await t.create('b');
    await t.clock.advance(0);
    expect(seen).toEqual(['d/a', 'd/owner', 'd/b']);
    await t.stop();
  });

  it('tries again with growing delay after a throw, and starts afresh after success', async () => {
    const at: number[] = [];
    const t = setUp(async () => {
      at.push(t.clock.monotonic());
      if (at.length < 4) throw new Error('not yet');
      return done;
    });
    await t.create('a');
    await t.start();
    await t.clock.advance(10_000);
    expect(at).toEqual([0, 5, 15, 35]);
    await t.stop();
  });

  it('does not try again after a TerminalError, but looks when something changes', async () => {
    let calls = 0;
    const t = setUp(async () => {
      calls++;
      throw new TerminalError('the spec makes no sense');
    });
    const set = await t.create('a');
    await t.start();
    await t.clock.advance(100_000);
    expect(calls).toBe(1);
    await t.client.update(replicaSets, { ...set, spec: { ...set.spec, selector: {}, replicas: 2 } });
    await t.clock.advance(0);
    expect(calls).toBe(2);
    await t.stop();
  });

  it('does not try again to make something in a namespace that is being deleted (KEP-5080: its pods go first)', async () => {
    let calls = 0;
    const cause = {
      reason: 'NamespaceTerminating',
      message: 'namespace d is being terminated',
      field: 'metadata.namespace',
    };
    const t = setUp(async () => {
      calls++;
      const refusal = apiErrors.forbidden(
        { group: '', resource: 'pods' },
        'p',
        'unable to create new content in namespace d because it is being terminated',
      );
      throw new ApiError({ ...refusal.status, details: { ...refusal.status.details, causes: [cause] } });
    });
    await t.create('a');
    await t.start();
    await t.clock.advance(100_000);
    expect(calls).toBe(1);
    await t.stop();
  });

  it('looks again when the reconciler asks for it', async () => {
    const at: number[] = [];
    const t = setUp(async () => {
      at.push(t.clock.monotonic());
      return at.length === 1 ? requeueAfter(5000) : done;
    });
    await t.create('a');
    await t.start();
    await t.clock.advance(20_000);
    expect(at).toEqual([0, 5000]);
    await t.stop();
  });

  it('works on several keys at once, never on one key twice at once', async () => {
    const running = new Map<string, number>();
    let most = 0;
    const t = setUp(async (key) => {
      running.set(key, (running.get(key) ?? 0) + 1);
      expect(running.get(key)).toBe(1);
      most = Math.max(
        most,
        [...running.values()].reduce((sum, n) => sum + n, 0),
      );
      await t.clock.sleep(100);
      running.set(key, 0);
      return done;
    }, 3);
    for (const name of ['a', 'b', 'c', 'd']) await t.create(name);
    await t.start();
    t.controller.enqueue('d/a');
    await t.clock.advance(1000);
    expect(most).toBe(3);
    await t.stop();
  });

  it('stops: aborts the work under way, waits for it, and starts nothing more', async () => {
    const seen: string[] = [];
    const t = setUp(async (key, { signal }) => {
      seen.push(key);
      await t.clock.sleep(60_000, signal);
      return done;
    });
    await t.create('a');
    await t.create('b');
    await t.start();
    await t.stop();
    await t.clock.advance(100_000);
    expect(seen).toEqual(['d/a']);
  });

  it('gives up starting when it is stopped before the caches are complete', async () => {
    const t = setUp(async () => done);
    const starting = t.controller.start();
    await t.controller.stop();
    await expect(starting).rejects.toThrow('was stopped');
  });
});
