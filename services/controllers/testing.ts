/**
 * Test support: controllers on the fake object service, under a virtual clock, with a kubelet that can be told what to
 * do.
 */
import { pods } from '../../apimachinery/gen/resources.js';
import type { Pod } from '../../apimachinery/gen/types.js';
import { toTime, VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import type { ControllerContext } from './context.js';

export function createTestContext() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random, withoutStatus: ['leases'] });
  const client = clientOf(service);
  const informers = new InformerFactory({ client, clock, random, logger: silentLogger });
  const said: string[] = [];
  const context: ControllerContext = {
    client,
    informers,
    clock,
    random,
    logger: silentLogger,
    events: {
      event: ({ object }, ...[, reason, message]) =>
        void said.push(`${object.metadata?.name ?? ''} ${reason}: ${message}`),
    },
  };
  let running: Service[] = [];
  return {
    clock,
    client,
    service,
    context,
    said,
    async start(...controllers: Service[]) {
      await informers.start();
      running = controllers;
      const started = Promise.all(controllers.map((controller) => controller.start()));
      await clock.advance(0);
      await started;
      await clock.advance(0);
    },
    /** Lets everything that is due happen. */
    async settle(delta_ms = 0) {
      for (let i = 0; i < 20; i++) await clock.advance(i === 0 ? delta_ms : 10);
    },
    async stop() {
      await Promise.all(running.map((controller) => controller.stop()));
      await informers.stop();
    },
    async podList(namespace?: string): Promise<readonly Pod[]> {
      return (await client.list(pods, namespace === undefined ? {} : { namespace })).items;
    },
    /** As a kubelet would: the pods for which `wanted` holds become Ready, those that are to go, go. */
    async kubelet(wanted: (pod: Pod) => boolean = () => true) {
      for (const pod of (await client.list(pods)).items) {
        const ref = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
        if (pod.metadata?.deletionTimestamp !== undefined) await client.delete(pods, ref, { gracePeriodSeconds: 0 });
        else if (wanted(pod) && pod.status?.conditions === undefined) {
          const status = {
            phase: 'Running',
            podIP: `10.0.0.${clock.monotonic() % 250}`,
            conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: toTime(clock.now()) }],
          };
          await client.updateStatus(pods, { ...pod, status });
        }
      }
    },
  };
}
