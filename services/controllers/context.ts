/**
 * What every controller is given. Controllers know the API by the SDK alone; who composes them decides whether the
 * client is in process or remote, and that one member at a time runs them.
 */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Client } from '../../sdk/client.js';
import type { EventRecorder } from '../../sdk/events/event-recorder.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';

/** Where controllers say what they did; repeated events are counted, not multiplied. Never throws, never waits. */
export type EventSink = Pick<EventRecorder, 'event'> & Partial<Pick<EventRecorder, 'as'>>;

export interface ControllerContext {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
