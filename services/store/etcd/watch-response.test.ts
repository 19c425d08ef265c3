import { expect, it } from 'vitest';
import { WatchResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Event_EventType } from '../../../proto/gen/etcd/mvccpb/kv.js';
import type { Event } from '../../../proto/gen/etcd/mvccpb/kv.js';
import { serializeWatchResponse } from './watch-response.js';

const event = (key: string, modRevision: number): Event => ({
  type: modRevision % 2 === 0 ? Event_EventType.PUT : Event_EventType.DELETE,
  kv: { key: Buffer.from(key), value: Buffer.from(`${key}!`), createRevision: 1, modRevision, version: 3, lease: 7n },
  prevKv: undefined,
});

function response(watchId: bigint, events: Event[]): WatchResponse {
  return {
    header: { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 },
    watchId,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: watchId === 9n,
    events,
  };
}

it('writes what the generated code reads back, for those that share events and those that do not', () => {
  const shared = [event('a', 2), event('b', 3)];
  for (const one of [
    response(0n, shared),
    response(9n, shared),
    response(1n, []),
    response(2n, [event('c', 4)]),
    response(3n, shared),
  ]) {
    const read = WatchResponse.decode(serializeWatchResponse(one));
    expect(read).toEqual(WatchResponse.decode(WatchResponse.encode(one).finish()));
    expect(read.events).toHaveLength(one.events.length);
  }
});
