/** The scheduler on the real registry: its bindings, conditions and events pass schema, validation and subresources. */
import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { events, nodes, pods } from '../../apimachinery/gen/resources.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import { EventRecorder } from '../../sdk/events/event-recorder.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { startRecords } from '../apiserver/testing/records.js';
import { Scheduler } from './scheduler.js';
import { nodeOf, podOf } from './testing/cluster.js';

it('binds on the real registry, and says why it cannot', async () => {
  const cluster = await startRecords();
  const client = clientOf(cluster.service);
  const common = { client, clock: systemClock, random: seededRandom(1), logger: silentLogger };
  const informers = new InformerFactory(common);
  const recorder = new EventRecorder({ ...common, component: 'default-scheduler' });
  const scheduler = new Scheduler({ ...common, informers, events: recorder });
  await informers.start();
  await scheduler.start();
  await client.create<Node>(nodes, nodeOf('n1', { allocatable: { cpu: '1' } }));
  await client.create<Pod>(pods, podOf('small', { requests: { cpu: '500m' } }));
  await client.create<Pod>(pods, podOf('big', { requests: { cpu: '2' } }));
  const until = async (name: string, holds: (pod: Pod) => boolean): Promise<Pod> => {
    for await (const { object } of client.watch(pods, { fieldSelector: `metadata.name=${name}` }))
      if (holds(object)) return object;
    throw new Error('the watch ended');
  };
  const small = await until('small', (pod) => (pod.spec?.nodeName ?? '') !== '');
  expect([small.spec?.nodeName, small.status?.conditions?.map(({ type, status }) => `${type} ${status}`)]).toEqual([
    'n1',
    ['PodScheduled True'],
  ]);
  const big = await until('big', (pod) => (pod.status?.conditions ?? []).length > 0);
  expect(big.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }]);
  await recorder.flush();
  const found = await client.list(events, { namespace: 'default', fieldSelector: 'involvedObject.name=big' });
  expect(found.items.map((event) => event.reason)).toEqual(['FailedScheduling']);
  await scheduler.stop();
  await recorder.stop();
  await informers.stop();
  await cluster[Symbol.asyncDispose]();
});
