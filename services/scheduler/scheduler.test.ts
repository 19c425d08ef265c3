import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { events, nodes, pods, replicaSets } from '../../apimachinery/gen/resources.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import { apiErrors } from '../../apimachinery/status.js';
import { EventRecorder } from '../../sdk/events/event-recorder.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import { Scheduler } from './scheduler.js';
import { nodeOf, podOf } from './testing/cluster.js';
import type { NodeWish, PodWish } from './testing/cluster.js';

async function setUp() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random });
  const client = clientOf(service);
  const common = { client, clock, random, logger: silentLogger };
  const informers = new InformerFactory(common);
  const recorder = new EventRecorder({ ...common, component: 'default-scheduler' });
  const scheduler = new Scheduler({ ...common, informers, events: recorder });
  await informers.start();
  await scheduler.start();
  return {
    clock,
    service,
    client,
    scheduler,
    settle: () => clock.advance(0),
    node: (name: string, wish?: NodeWish) => client.create<Node>(nodes, nodeOf(name, wish)),
    pod: (name: string, wish?: PodWish) => client.create<Pod>(pods, podOf(name, wish)),
    get: (name: string) => client.get(pods, { namespace: 'default', name }),
    nodeNameOf: async (name: string) => (await client.get(pods, { namespace: 'default', name })).spec?.nodeName ?? '',
    messages: async () =>
      (await client.list(events)).items.map(
        (event) => `${event.type ?? ''} ${event.reason ?? ''}: ${event.message ?? ''}`,
      ),
    binds: () => service.calls.filter((call) => call.subresource === 'binding').length,
    stop: async () => {
      await scheduler.stop();
      await recorder.stop();
      await informers.stop();
    },
  };
}

describe('Scheduler', () => {
  it('binds a pod, and says so', async () => {
    const t = await setUp();
    await t.node('n1');
    await t.pod('p');
    await t.settle();
    const pod = await t.get('p');
    expect(pod.spec?.nodeName).toBe('n1');
    expect(pod.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    expect(await t.messages()).toEqual(['Normal Scheduled: Successfully assigned default/p to n1']);
    await t.stop();
  });

  it('says why a pod has no node, and binds it when a node has room', async () => {
    const t = await setUp();
    await t.node('n1', { allocatable: { cpu: '1' } });
    await t.node('n2', { allocatable: { cpu: '1' } });
    await t.pod('big', { requests: { cpu: '2' } });
    await t.settle();
    const message =
      '0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
    expect((await t.get('big')).status?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
    ]);
    expect(await t.messages()).toEqual([`Warning FailedScheduling: ${message}`]);
    expect(t.scheduler.queued).toEqual({ active: 0, backoff: 0, unschedulable: 1, gated: 0 });
    await t.clock.advance(20_000);
    await t.node('n3');
    await t.settle();
    expect(await t.nodeNameOf('big')).toBe('n3');
    await t.stop();
  });

  it('never puts more on a node than it holds, though bindings are still under way', async () => {
    const t = await setUp();
    await t.node('n1', { allocatable: { cpu: '2' } });
    await Promise.all(Array.from({ length: 10 }, (_, i) => t.pod(`p${i}`, { requests: { cpu: '500m' } })));
    await t.settle();
    const bound = (await t.client.list(pods)).items.filter((pod) => pod.spec?.nodeName === 'n1');
    expect(bound).toHaveLength(4);
    expect(t.scheduler.queued.unschedulable).toBe(6);
    await t.stop();
  });

  it('uses the room that a pod leaves: deleted, or finished', async () => {
    const t = await setUp();
    await t.node('n1', { allocatable: { cpu: '1' } });
    await t.pod('a', { requests: { cpu: '1' } });
    await t.settle();
    await t.pod('b', { requests: { cpu: '1' } });
    await t.settle();
    expect(await t.nodeNameOf('b')).toBe('');
    const a = await t.get('a');
    await t.client.updateStatus(pods, { ...a, status: { ...a.status, phase: 'Succeeded' } });
    await t.clock.advance(2000);
    expect(await t.nodeNameOf('b')).toBe('n1');
    await t.pod('c', { requests: { cpu: '1' } });
    await t.settle();
    await t.client.delete(pods, { namespace: 'default', name: 'b' }, { gracePeriodSeconds: 0 });
    await t.clock.advance(2000);
    expect(await t.nodeNameOf('c')).toBe('n1');
    await t.stop();
  });

  it('wakes a pod only for what may help it', async () => {
    const t = await setUp();
    const node = await t.node('n1', { spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } });
    await t.pod('p');
    await t.clock.advance(20_000);
    const tries = () => t.service.calls.filter((call) => call.verb === 'patch' && call.resource === 'events').length;
    const before = tries();
    await t.client.updateStatus(nodes, {
      ...node,
      status: { ...node.status, allocatable: { cpu: '8', memory: '8Gi', pods: '110' } },
    });
    await t.clock.advance(20_000);
    expect([tries() - before, t.scheduler.queued.unschedulable]).toEqual([0, 1]);
    const current = await t.client.get(nodes, { name: 'n1' });
    await t.client.update<Node>(nodes, { ...current, spec: {} });
    await t.settle();
    expect(await t.nodeNameOf('p')).toBe('n1');
    await t.stop();
  });

  it('tries again, with growing pauses, when a binding fails', async () => {
    const t = await setUp();
    await t.pod('p');
    t.service.failNext('create', 'pods', apiErrors.serviceUnavailable('no leader'), 2);
    await t.node('n1');
    await t.clock.advance(10_000);
    expect([await t.nodeNameOf('p'), t.binds()]).toEqual(['n1', 3]);
    await t.stop();
  });

  it('leaves alone what is not its own: other schedulers, bound pods, pods that end', async () => {
    const t = await setUp();
    await t.pod('theirs', { spec: { schedulerName: 'other' } });
    await t.pod('bound', { spec: { nodeName: 'elsewhere' } });
    await t.client.create<Pod>(pods, {
      ...podOf('ending'),
      metadata: { ...podOf('ending').metadata, finalizers: ['example.com/hold'] },
    });
    await t.client.delete(pods, { namespace: 'default', name: 'ending' });
    await t.settle();
    await t.node('n1');
    await t.clock.advance(10_000);
    expect([
      await t.nodeNameOf('theirs'),
      await t.nodeNameOf('bound'),
      await t.nodeNameOf('ending'),
      t.binds(),
    ]).toEqual(['', 'elsewhere', '', 0]);
    await t.stop();
  });

  it('holds a pod with scheduling gates until they are gone', async () => {
    const t = await setUp();
    await t.node('n1');
    const pod = await t.pod('p', { spec: { schedulingGates: [{ name: 'example.com/quota' }] } });
    await t.settle();
    expect((await t.get('p')).status?.conditions).toMatchObject([{ reason: 'SchedulingGated' }]);
    const { schedulingGates: _, ...spec } = pod.spec ?? { containers: [] };
    const current = await t.get('p');
    await t.client.update<Pod>(pods, { ...current, spec });
    await t.settle();
    expect(await t.nodeNameOf('p')).toBe('n1');
    await t.stop();
  });

  it('spreads the replicas of a ReplicaSet over the nodes', async () => {
    const t = await setUp();
    for (const name of ['n1', 'n2', 'n3']) await t.node(name);
    const set = await t.client.create(replicaSets, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'web' } } },
    });
    await t.settle();
    for (const name of ['w1', 'w2', 'w3']) {
      const pod = podOf(name, { labels: { app: 'web' } });
      const ownerReferences = [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: set.metadata?.uid ?? '', controller: true },
      ];
      await t.client.create<Pod>(pods, { ...pod, metadata: { ...pod.metadata, ownerReferences } });
    }
    await t.settle();
    expect(new Set([await t.nodeNameOf('w1'), await t.nodeNameOf('w2'), await t.nodeNameOf('w3')]).size).toBe(3);
    await t.stop();
  });

  it('schedules the more important pod first', async () => {
    const t = await setUp();
    await t.pod('low', { requests: { cpu: '3' }, spec: { priority: 1 } });
    await t.pod('high', { requests: { cpu: '3' }, spec: { priority: 1000 } });
    await t.clock.advance(20_000);
    await t.node('n1');
    await t.settle();
    expect([await t.nodeNameOf('high'), await t.nodeNameOf('low')]).toEqual(['n1', '']);
    await t.stop();
  });

  it('makes room for a more important pod, and keeps it for that pod', async () => {
    const t = await setUp();
    await t.node('n1', { allocatable: { cpu: '2' } });
    await t.pod('low', { requests: { cpu: '2' }, spec: { priority: 1 } });
    await t.settle();
    await t.pod('high', { requests: { cpu: '2' }, spec: { priority: 100 } });
    await t.settle();
    expect((await t.get('low')).metadata?.deletionTimestamp).toBeDefined();
    expect((await t.get('low')).status?.conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    });
    expect((await t.get('high')).status?.nominatedNodeName).toBe('n1');
    expect((await t.messages()).filter((text) => text.includes('Preempted'))).toHaveLength(1);
    await t.client.delete(pods, { namespace: 'default', name: 'low' }, { gracePeriodSeconds: 0 });
    await t.pod('thief', { requests: { cpu: '1' }, spec: { priority: 1 } });
    await t.clock.advance(5000);
    expect([await t.nodeNameOf('high'), await t.nodeNameOf('thief')]).toEqual(['n1', '']);
    await t.stop();
  });

  it('goes on where another one stopped', async () => {
    const t = await setUp();
    await t.node('n1', { allocatable: { cpu: '1' } });
    await t.pod('a', { requests: { cpu: '1' } });
    await t.settle();
    await t.stop();
    await t.pod('b', { requests: { cpu: '1' } });
    const common = { client: t.client, clock: t.clock, random: seededRandom(2), logger: silentLogger };
    const informers = new InformerFactory(common);
    const next = new Scheduler({
      ...common,
      informers,
      events: new EventRecorder({ ...common, component: 'default-scheduler' }),
    });
    await informers.start();
    await next.start();
    await t.settle();
    expect([await t.nodeNameOf('a'), await t.nodeNameOf('b'), next.queued.unschedulable]).toEqual(['n1', '', 1]);
    await next.stop();
    await informers.stop();
  });
});
