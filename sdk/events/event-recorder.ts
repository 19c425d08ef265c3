/**
 * Writes core/v1 Events, as `kubectl describe` shows them. Recording never waits and never fails: events are for
 * people, and what records them must not depend on them. When the server is away, the newest events of a bounded queue
 * survive.
 */
import type { Clock } from '../../platform/clock.js';
import { toTime } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import { events } from '../../apimachinery/gen/resources.js';
import type { Event, ObjectReference } from '../../apimachinery/gen/types.js';
import { apiVersionOf } from '../../apimachinery/object.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Client } from '../client.js';
import { BoundedMap, EventCorrelator } from './event-correlator.js';

export type EventType = 'Normal' | 'Warning';

/** What the event is about: an object with its resource, since objects from lists may not carry their kind. */
export interface EventSubject {
  readonly resource: Resource;
  readonly object: KubeObject;
  /** Part of the object, as `spec.containers{web}`. */
  readonly fieldPath?: string;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Who reports: `default-scheduler`, `deployment-controller`, `kubelet`. */
  readonly component: string;
  /** The node or member it runs on. */
  readonly host?: string;
}

interface Said {
  readonly subject: EventSubject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly action: string;
}

interface Pending {
  readonly component: string;
  readonly key: string;
  readonly subject: ObjectReference;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly action: string;
  readonly at_ms: number;
}

const QUEUE_MAX = 1000;
const MESSAGE_LENGTH_MAX = 1024;
const KNOWN_MAX = 4096;
const RETRY_MS = 5000;
const ATTEMPTS_MAX = 12;

export class EventRecorder implements Service {
  readonly name = 'event recorder';
  readonly #options: EventRecorderOptions;
  readonly #correlator = new EventCorrelator();
  /** The event last written under a correlation key. */
  readonly #written = new BoundedMap<Event>(KNOWN_MAX);
  readonly #stop = new AbortController();
  #queue: Pending[] = [];
  #writing: Promise<void> | undefined;
  #sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Drops what was not written yet. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the event recorder was stopped'));
    this.#queue = [];
    await this.#writing;
  }

  /** Resolves when everything recorded so far is written or given up; for tests and an orderly end. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  event(subject: EventSubject, type: EventType, reason: string, message: string, action = ''): void {
    this.#record(this.#options.component, { subject, type, reason, message, action });
  }

  /** The same recorder, through which another component speaks. */
  as(component: string): Pick<EventRecorder, 'event'> {
    return {
      event: (subject, type, reason, message, action) =>
        this.#record(component, { subject, type, reason, message, action: action ?? '' }),
    };
  }

  #record(component: string, { subject, type, reason, message, action }: Said): void {
    if (this.#stop.signal.aborted) return;
    const at_ms = this.#options.clock.now();
    const reference = referenceTo(subject);
    const text = message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX - 3)}...` : message;
    const object = JSON.stringify([
      component,
      reference.kind,
      reference.namespace,
      reference.name,
      reference.uid,
      reference.fieldPath,
    ]);
    const found = this.#correlator.correlate({ object, type, reason, message: text, action }, at_ms);
    if (found.kind === 'drop') return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#queue.shift();
      this.#options.logger.warn({ limit: QUEUE_MAX }, 'too many events wait to be written; dropped the oldest');
    }
    this.#queue.push({
      component,
      key: found.key,
      subject: reference,
      type,
      reason,
      message: found.message,
      action,
      at_ms,
    });
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      await this.#writeUntilTaken(next);
    }
    this.#writing = undefined;
  }

  async #writeUntilTaken(pending: Pending): Promise<void> {
    const { clock, logger } = this.#options;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && !this.#stop.signal.aborted; attempt++) {
      try {
        this.#written.set(pending.key, await this.#write(pending));
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // A client's fault, or a namespace that is going away: trying again changes nothing.
        if (isApiError(error) && error.code < 500 && error.code !== 429) {
          logger.info(
            { reason: pending.reason, object: pending.subject.name, error: error.message },
            'an event was refused',
          );
          return;
        }
        await clock.sleep(RETRY_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #write(pending: Pending): Promise<Event> {
    const { client } = this.#options;
    const { signal } = this.#stop;
    const before = this.#written.get(pending.key);
    if (before === undefined) return client.create(events, this.#newEvent(pending), { signal });
    const { namespace, name = '' } = before.metadata ?? {};
    const body = { count: (before.count ?? 1) + 1, lastTimestamp: toTime(pending.at_ms), message: pending.message };
    try {
      return await client.patch(
        events,
        namespace === undefined ? { name } : { namespace, name },
        { type: 'merge', body },
        { signal },
      );
    } catch (error) {
      // Events expire: the old one is gone, and a new one begins.
      if (isApiError(error, 'NotFound')) return client.create(events, this.#newEvent(pending), { signal });
      throw error;
    }
  }

  #newEvent(pending: Pending): Event {
    const { host } = this.#options;
    const { subject, component } = pending;
    const at = toTime(pending.at_ms);
    const suffix = `${(BigInt(Math.trunc(pending.at_ms)) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000)).toString(16)}`;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${subject.name ?? ''}.${suffix}`, namespace: subject.namespace ?? 'default' },
      involvedObject: subject,
      type: pending.type,
      reason: pending.reason,
      message: pending.message,
      ...(pending.action === '' ? {} : { action: pending.action }),
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
    };
  }
}

function referenceTo({ resource, object, fieldPath }: EventSubject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}
