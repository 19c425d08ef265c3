import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { leases } from '../../apimachinery/gen/resources.js';
import type { ObjectService } from '../../apimachinery/object-service.js';
import { apiErrors } from '../../apimachinery/status.js';
import { clientOf } from '../object-client.js';
import { FakeObjectService } from '../testing/fake-object-service.js';
import { LeaderElector } from './leader-elector.js';

const REF = { namespace: 'kube-system', name: 'scheduler' };

function setUp() {
  const clock = new VirtualClock();
  const service = new FakeObjectService({ clock, random: seededRandom(1), withoutStatus: ['leases'] });
  const client = clientOf(service);
  const leading = new Set<string>();
  const history: string[] = [];
  const candidate = (identity: string, seed: number, own = client) =>
    new LeaderElector({
      client: own,
      lease: REF,
      identity,
      clock,
      random: seededRandom(seed),
      logger: silentLogger,
      lead: async (signal) => {
        expect([...leading]).toEqual([]);
        leading.add(identity);
        history.push(identity);
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        leading.delete(identity);
      },
    });
  return { clock, service, client, leading, history, candidate };
}

describe('LeaderElector', () => {
  it('gives the office to one, who keeps it', async () => {
    const t = setUp();
    const [a, b] = [t.candidate('a', 1), t.candidate('b', 2)];
    await a.start();
    await t.clock.advance(10);
    await b.start();
    await t.clock.advance(120_000);
    expect(t.history).toEqual(['a']);
    expect([a.isLeader, b.isLeader, b.leader]).toEqual([true, false, 'a']);
    const lease = await t.client.get(leases, REF);
    expect(lease.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
    await a.stop();
    await b.stop();
  });

  it('hands over at once when the leader stops', async () => {
    const t = setUp();
    const [a, b] = [t.candidate('a', 1), t.candidate('b', 2)];
    await a.start();
    await t.clock.advance(10);
    await b.start();
    await a.stop();
    expect([...t.leading]).toEqual([]);
    await t.clock.advance(3000);
    expect([...t.leading]).toEqual(['b']);
    expect((await t.client.get(leases, REF)).spec?.leaseTransitions).toBe(1);
    await b.stop();
    expect((await t.client.get(leases, REF)).spec?.holderIdentity).toBe('');
  });

  it('stops at once when the server holds its calls, as one without a quorum does', async () => {
    const t = setUp();
    let held = false;
    const never = new Promise<never>(() => undefined);
    const service: ObjectService = new Proxy(t.service, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name, target);
        return typeof method === 'function'
          ? (...args: unknown[]) => (held ? never : (Reflect.apply(method, target, args) as unknown))
          : method;
      },
    });
    const a = t.candidate('a', 1, clientOf(service));
    await a.start();
    await t.clock.advance(10);
    expect([...t.leading]).toEqual(['a']);
    held = true;
    await t.clock.advance(3000);
    const stopped = a.stop().then(() => 'stopped');
    await t.clock.advance(2100);
    expect(await Promise.race([stopped, t.clock.advance(1).then(() => 'hangs')])).toBe('stopped');
    expect([...t.leading]).toEqual([]);
  });

  it('stops leading at the renew deadline, before another may lead', async () => {
    const t = setUp();
    let cut = false;
    const [a, b] = [t.candidate('a', 1, clientOf(partitioned(t.service, () => cut))), t.candidate('b', 2)];
    await a.start();
    await t.clock.advance(10);
    await b.start();
    await t.clock.advance(5990);
    cut = true;
    await t.clock.advance(9000);
    expect([...t.leading]).toEqual(['a']);
    await t.clock.advance(1100);
    expect([...t.leading]).toEqual([]);
    await t.clock.advance(8000);
    expect(t.history).toEqual(['a', 'b']);
    const stopping = Promise.all([a.stop(), b.stop()]);
    await t.clock.advance(10_000);
    await stopping;
  });

  it('survives failures shorter than the renew deadline', async () => {
    const t = setUp();
    const a = t.candidate('a', 1);
    await a.start();
    await t.clock.advance(10);
    t.service.failNext('get', 'leases', apiErrors.serviceUnavailable('electing'), 3);
    await t.clock.advance(30_000);
    expect([t.history, a.isLeader]).toEqual([['a'], true]);
    await a.stop();
  });

  it('takes no notice of wall clocks: neither its own jumps nor the stamps of others', async () => {
    const t = setUp();
    const [a, b] = [t.candidate('a', 1), t.candidate('b', 2)];
    await a.start();
    await t.clock.advance(10);
    await b.start();
    t.clock.jump(3_600_000);
    await t.clock.advance(60_000);
    t.clock.jump(-7_200_000);
    await t.clock.advance(60_000);
    expect(t.history).toEqual(['a']);
    await a.stop();
    await b.stop();
  });

  it('gives the office up when the work fails, and runs again', async () => {
    const t = setUp();
    let calls = 0;
    const elector = new LeaderElector({
      client: t.client,
      lease: REF,
      identity: 'a',
      clock: t.clock,
      random: seededRandom(1),
      logger: silentLogger,
      lead: async () => {
        calls++;
        throw new Error('broken');
      },
    });
    await elector.start();
    await t.clock.advance(1);
    expect([calls, elector.isLeader]).toEqual([1, false]);
    expect((await t.client.get(leases, REF)).spec?.holderIdentity).toBe('');
    await t.clock.advance(5000);
    expect(calls).toBeGreaterThan(1);
    await elector.stop();
  });

  it('refuses times that would let two lead', () => {
    const t = setUp();
    expect(
      () =>
        new LeaderElector({
          client: t.client,
          lease: REF,
          identity: 'a',
          clock: t.clock,
          random: seededRandom(1),
          logger: silentLogger,
          lead: async () => undefined,
          leaseDuration_ms: 5000,
          renewDeadline_ms: 5000,
        }),
    ).toThrow('leaseDuration_ms');
  });
});

/** Calls hang while cut, as they do in a partition; only their signal ends them. */
function partitioned(service: ObjectService, isCut: () => boolean): ObjectService {
  const guard = <R>(call: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> =>
    isCut()
      ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
      : call();
  return {
    discover: (options) => service.discover(options),
    get: (request, options) => guard(() => service.get(request, options), options?.signal),
    list: (request, options) => service.list(request, options),
    watch: (request, options) => service.watch(request, options),
    create: (request, options) => guard(() => service.create(request, options), options?.signal),
    update: (request, options) => guard(() => service.update(request, options), options?.signal),
    patch: (request, options) => service.patch(request, options),
    delete: (request, options) => service.delete(request, options),
    deleteCollection: (request, options) => service.deleteCollection(request, options),
  };
}
