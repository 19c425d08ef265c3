import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { events, pods } from '../../apimachinery/gen/resources.js';
import { apiErrors } from '../../apimachinery/status.js';
import { clientOf } from '../object-client.js';
import { FakeObjectService } from '../testing/fake-object-service.js';
import { EventRecorder } from './event-recorder.js';

function setUp() {
  const clock = new VirtualClock();
  const service = new FakeObjectService({ clock, random: seededRandom(1) });
  const client = clientOf(service);
  const recorder = new EventRecorder({
    client,
    clock,
    logger: silentLogger,
    component: 'default-scheduler',
    host: 'm1',
  });
  const subject = { resource: pods, object: { metadata: { name: 'p', namespace: 'd', uid: 'u1' } } };
  const all = async () => (await client.list(events, { namespace: 'd' })).items;
  return { clock, service, client, recorder, subject, all };
}

describe('EventRecorder', () => {
  it('writes an event that kubectl describe finds by its object', async () => {
    const t = setUp();
    t.recorder.event(t.subject, 'Warning', 'FailedScheduling', '0/2 nodes are available');
    await t.recorder.flush();
    const found = await t.client.list(events, {
      fieldSelector: 'involvedObject.name=p,involvedObject.uid=u1,involvedObject.kind=Pod',
    });
    expect(found.items).toHaveLength(1);
    expect(found.items[0]).toMatchObject({
      type: 'Warning',
      reason: 'FailedScheduling',
      message: '0/2 nodes are available',
      count: 1,
      source: { component: 'default-scheduler', host: 'm1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'd', name: 'p', uid: 'u1' },
    });
  });

  it('counts the same event instead of writing it again', async () => {
    const t = setUp();
    for (let i = 0; i < 3; i++) {
      t.recorder.event(t.subject, 'Normal', 'Pulled', 'image is here');
      await t.clock.advance(1000);
    }
    await t.recorder.flush();
    expect(await t.all()).toMatchObject([
      { count: 3, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:02Z' },
    ]);
  });

  it('combines many similar events', async () => {
    const t = setUp();
    for (let i = 0; i < 14; i++) t.recorder.event(t.subject, 'Warning', 'Failed', `attempt ${i}`);
    await t.recorder.flush();
    const found = await t.all();
    expect(found).toHaveLength(10);
    expect(found.find((event) => event.message === '(combined from similar events): attempt 13')?.count).toBe(5);
  });

  it('lets one object have a burst, then one event in five minutes', async () => {
    const t = setUp();
    for (let i = 0; i < 100; i++) t.recorder.event(t.subject, 'Normal', `Reason${i}`, 'x');
    await t.recorder.flush();
    expect(await t.all()).toHaveLength(25);
    await t.clock.advance(300_000);
    for (let i = 0; i < 5; i++) t.recorder.event(t.subject, 'Normal', `Later${i}`, 'x');
    await t.recorder.flush();
    expect(await t.all()).toHaveLength(26);
  });

  it('begins anew when the counted event has expired', async () => {
    const t = setUp();
    t.recorder.event(t.subject, 'Normal', 'Pulled', 'x');
    await t.recorder.flush();
    const [old] = await t.all();
    await t.client.delete(events, { namespace: 'd', name: old?.metadata?.name ?? '' });
    t.recorder.event(t.subject, 'Normal', 'Pulled', 'x');
    await t.recorder.flush();
    expect(await t.all()).toMatchObject([{ count: 1 }]);
  });

  it('waits for a server that is away, and drops what the server refuses', async () => {
    const t = setUp();
    t.service.failNext('create', 'events', apiErrors.serviceUnavailable('no leader'), 2);
    t.recorder.event(t.subject, 'Normal', 'First', 'x');
    await t.clock.advance(20_000);
    expect(await t.all()).toHaveLength(1);
    t.service.failNext('create', 'events', apiErrors.forbidden(events, 'x', 'namespace is being terminated'));
    t.recorder.event(t.subject, 'Normal', 'Second', 'x');
    t.recorder.event(t.subject, 'Normal', 'Third', 'x');
    await t.recorder.flush();
    expect((await t.all()).map((event) => event.reason ?? '').sort()).toEqual(['First', 'Third']);
  });

  it('stops without waiting for the server', async () => {
    const t = setUp();
    t.service.failNext('create', 'events', apiErrors.serviceUnavailable('no leader'), 100);
    t.recorder.event(t.subject, 'Normal', 'First', 'x');
    await t.clock.advance(0);
    await t.recorder.stop();
    expect(await t.all()).toHaveLength(0);
  });
});
