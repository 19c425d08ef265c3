/** Writes what workers say happened as Events: one object for each kind of happening, counted (core/v1 Event). */
import { createHash } from 'node:crypto';
import type { Event } from '../../apimachinery/gen/types.js';
import { events } from '../../apimachinery/gen/resources.js';
import { isApiError } from '../../apimachinery/status.js';
import { toTime } from '../../platform/clock.js';
import type { EventReport } from '../../proto/gen/navarch/node/v1/node.js';
import type { Client } from '../../sdk/client.js';

const MESSAGE_LENGTH_MAX = 1024;

/**
 * The pod's name and the nanosecond of the first time, in hexadecimal, as client-go names Events: lists come in the
 * order of names, and so Events of one second in the order in which things happened. The digits below the milliseconds
 * keep happenings of two nodes apart.
 */
function nameOf(node: string, { podName, podUid, fieldPath, type, reason, message, firstMs }: EventReport): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([node, podUid, fieldPath, type, reason, message]))
    .digest();
  return `${podName}.${(BigInt(Math.trunc(firstMs)) * 1_000_000n + BigInt(digest.readUInt32BE(0) % 1_000_000)).toString(16)}`;
}

export async function writeEvent(client: Client, node: string, report: EventReport): Promise<void> {
  const { namespace, podName, podUid, fieldPath, reason } = report;
  const message = report.message.slice(0, MESSAGE_LENGTH_MAX);
  const type = report.type === 'Warning' ? 'Warning' : 'Normal';
  const name = nameOf(node, report);
  const lastTimestamp = toTime(report.lastMs);
  const event: Event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      name: podName,
      uid: podUid,
      ...(fieldPath === '' ? {} : { fieldPath }),
    },
    type,
    reason,
    message,
    source: { component: 'kubelet', host: node },
    reportingComponent: 'kubelet',
    reportingInstance: node,
    firstTimestamp: toTime(report.firstMs),
    lastTimestamp,
    count: report.count,
  };
  try {
    await client.create<Event>(events, event);
  } catch (error) {
    // A namespace on its way out, or gone, takes no events any more.
    if (isApiError(error, 'Forbidden') || isApiError(error, 'NotFound')) return;
    if (!isApiError(error, 'AlreadyExists')) throw error;
    await client.patch<Event>(
      events,
      { namespace, name },
      { type: 'merge', body: { count: report.count, lastTimestamp } },
    );
  }
}
