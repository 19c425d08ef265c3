/**
 * WatchResponse on the wire, with the events' bytes kept from one to the next: a change is sent to everybody who
 * watches it, and only the watch's id differs.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { WatchResponse, WatchService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Event } from '../../../proto/gen/etcd/mvccpb/kv.js';

/** Field 11, length-delimited. */
const EVENTS_TAG = (11 << 3) | 2;
const NONE: Event[] = [];

let lastEvents: readonly Event[] | undefined;
let lastBytes: Buffer = Buffer.alloc(0);

/** Fields may come in any order; a reader adds repeated ones up. */
export function serializeWatchResponse(response: WatchResponse): Buffer {
  const head = WatchResponse.encode(response.events.length === 0 ? response : { ...response, events: NONE }).finish();
  if (response.events.length === 0) return Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (response.events !== lastEvents) {
    lastBytes = encodeEvents(response.events);
    lastEvents = response.events;
  }
  const bytes = Buffer.allocUnsafe(head.length + lastBytes.length);
  bytes.set(head, 0);
  bytes.set(lastBytes, head.length);
  return bytes;
}

function encodeEvents(events: readonly Event[]): Buffer {
  const writer = new BinaryWriter();
  for (const event of events) Event.encode(event, writer.uint32(EVENTS_TAG).fork()).join();
  return Buffer.from(writer.finish());
}

export const watchDefinition = {
  ...WatchService,
  watch: { ...WatchService.watch, responseSerialize: serializeWatchResponse },
};
