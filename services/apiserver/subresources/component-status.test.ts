/** Row 40: component statuses, as `kubectl get cs` shows them. */
import { expect, it } from 'vitest';
import { leases } from '../../../apimachinery/gen/resources.js';
import type { Lease } from '../../../apimachinery/gen/types.js';
import { toTime, VirtualClock } from '../../../platform/clock.js';
import { objectReader } from '../registry/reader.js';
import { startRegistry } from '../registry/testing.js';
import { componentStatusHandler } from './component-status.js';

const resource = { group: '', version: 'v1', resource: 'componentstatuses' };

async function start() {
  const test = await startRegistry({});
  const clock = new VirtualClock();
  const store = { failure: undefined as string | undefined };
  const fresh = () => (store.failure === undefined ? Promise.resolve() : Promise.reject(new Error(store.failure)));
  test.registry.register({
    resource,
    handler: componentStatusHandler({ reader: objectReader(test.scheme, test.cacher), fresh, clock }),
  });
  const elect = async (name: string) => {
    const renewTime = toTime(clock.now()).replace('Z', '.000000Z');
    const object: Lease = {
      metadata: { name },
      spec: { holderIdentity: 'm1', leaseDurationSeconds: 6, renewTime, acquireTime: renewTime },
    };
    await test.service.create({ resource: leases, namespace: 'kube-system', object });
  };
  const shown = async () =>
    (await test.service.list({ resource })).items.map(({ object }) => {
      const [condition] = (object as { conditions?: { status: string; message: string }[] }).conditions ?? [];
      return [object.metadata?.name, condition?.status, condition?.message];
    });
  return Object.assign(test, { clock, store, elect, shown });
}

it('a component is healthy while its lease is renewed, the store while it can be read', async () => {
  await using test = await start();
  await test.elect('kube-scheduler');
  await test.elect('kube-controller-manager');
  await test.cacher.fresh();
  expect(await test.shown()).toEqual([
    ['controller-manager', 'True', 'ok'],
    ['scheduler', 'True', 'ok'],
    ['etcd-0', 'True', 'ok'],
  ]);
  await test.clock.advance(7_000);
  test.store.failure = 'there is no leader';
  expect(await test.shown()).toEqual([
    [
      'controller-manager',
      'False',
      expect.stringContaining('m1 last renewed the lease kube-system/kube-controller-manager'),
    ],
    ['scheduler', 'False', expect.stringContaining('m1 last renewed the lease kube-system/kube-scheduler')],
    ['etcd-0', 'False', 'there is no leader'],
  ]);
});

it.each<[string, object, readonly string[]]>([
  ['a name', { fieldSelector: 'metadata.name=etcd-0' }, ['etcd-0']],
  ['another name', { fieldSelector: 'metadata.name!=etcd-0' }, ['controller-manager', 'scheduler']],
  ['a label', { labelSelector: 'a=b' }, []],
  ['the absence of one', { labelSelector: '!a' }, ['controller-manager', 'scheduler', 'etcd-0']],
])('a list selects by %s', async (_, selector, names) => {
  await using test = await start();
  expect((await test.service.list({ resource, ...selector })).items.map(({ object }) => object.metadata?.name)).toEqual(
    names,
  );
  await expect(test.service.list({ resource, fieldSelector: 'a=b' })).rejects.toMatchObject({ code: 400 });
});

it('without a lease nobody is elected', async () => {
  await using test = await start();
  expect((await test.service.get({ resource, name: 'scheduler' })).object).toMatchObject({
    conditions: [{ type: 'Healthy', status: 'False', message: 'nobody holds the lease kube-system/kube-scheduler' }],
  });
});

it('other names are not found', async () => {
  await using test = await start();
  for (const name of ['etcd-1', 'constructor'])
    await expect(test.service.get({ resource, name })).rejects.toMatchObject({
      message: `componentstatus "${name}" not found`,
    });
});
