/** Issue 6 row 28: "events of one second out of order". */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Event } from '../../../apimachinery/gen/types.js';
import { events as eventKind } from '../../../apimachinery/gen/resources.js';
import { VirtualClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import type { EventReport } from '../../../proto/gen/navarch/node/v1/node.js';
import { clientOf } from '../../../sdk/object-client.js';
import { FakeObjectService } from '../../../sdk/testing/fake-object-service.js';
import { writeEvent } from '../../nodelink/event-writer.js';
import { PodEvents } from './events.js';

const eventOf = (reason: string, message: string) => ({
  key: { namespace: 'default', name: 'a', uid: 'u' },
  fieldPath: '',
  type: 'Normal' as const,
  reason,
  message,
});

it('are listed in the order in which they happened, within a second and within a millisecond', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.constantFrom(0, 0, 0, 1, 7, 400), fc.constantFrom('Pulled', 'Created', 'Started', 'Killing')),
        { minLength: 2, maxLength: 30 },
      ),
      async (happenings) => {
        const clock = new VirtualClock();
        const client = clientOf(new FakeObjectService({ clock, random: seededRandom(1), withoutStatus: ['events'] }));
        const reports: EventReport[] = [];
        const events = new PodEvents(clock, (report) => void reports.push(report));
        for (const [index, [wait_ms, reason]] of happenings.entries()) {
          clock.jump(wait_ms);
          events.record(eventOf(reason, String(index)));
        }
        for (const report of reports) await writeEvent(client, 'w1', report);
        const listed = await client.list<Event>(eventKind);
        // As an API server lists them: by key.
        const inOrder = listed.items.toSorted((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
        expect(inOrder.map((event) => event.message)).toEqual(happenings.map((_, index) => String(index)));
      },
    ),
    { numRuns: 50 },
  );
});

it('the same thing again is counted in the same Event', async () => {
  const clock = new VirtualClock();
  const client = clientOf(new FakeObjectService({ clock, random: seededRandom(1), withoutStatus: ['events'] }));
  const reports: EventReport[] = [];
  const events = new PodEvents(clock, (report) => void reports.push(report));
  for (let i = 0; i < 3; i++) {
    events.record(eventOf('BackOff', 'again'));
    clock.jump(20_000);
  }
  for (const report of reports) await writeEvent(client, 'w1', report);
  expect((await client.list<Event>(eventKind)).items.map(({ count }) => count)).toEqual([3]);
});
