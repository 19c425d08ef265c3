/** One watch on one member's etcd API, as batches in the store's own form; for as long as it goes well. */
import {
  WatchCreateRequest,
  WatchCreateRequest_FilterType,
  WatchRequest,
  type WatchResponse,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Event_EventType, type Event, type KeyValue as EtcdKeyValue } from '../../proto/gen/etcd/mvccpb/kv.js';
import type { KeyValue, Revision, StoreEvent, WatchBatch } from '../../services/store/index.js';
import { systemClock } from '../../platform/clock.js';
import type { EtcdClient } from './etcd-client.js';

export interface Watched {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly prevKv?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
}

export interface FollowOptions {
  /** The first revision that is wanted. */
  readonly from: number;
  readonly signal: AbortSignal;
  /** May throw: the watch ends. */
  onBatch(batch: WatchBatch): void;
}

/** Why it ended. `compacted`: what was asked for is gone. */
export type FollowEnd = { readonly kind: 'broken' } | { readonly kind: 'compacted'; readonly revision: number };

const PROGRESS_MS = 700;

export const keyValueOf = ({ key, value, createRevision, modRevision, version, lease }: EtcdKeyValue): KeyValue => ({
  key,
  value,
  createRevision: createRevision as Revision,
  modRevision: modRevision as Revision,
  version,
  lease,
});

function eventOf({ type, kv, prevKv }: Event): StoreEvent {
  if (kv === undefined) throw new Error('an event without a key');
  const before = prevKv === undefined ? {} : { prevKv: keyValueOf(prevKv) };
  if (type === Event_EventType.PUT) return { kind: 'put', kv: keyValueOf(kv), ...before };
  return { kind: 'delete', key: kv.key, modRevision: kv.modRevision as Revision, ...before };
}

/** What an answer promises: with events, everything up to the last of them; without, everything up to its header. */
function batchOf({ events, header }: WatchResponse): WatchBatch {
  const found = events.map(eventOf);
  const last = events.at(-1)?.kv?.modRevision;
  return { events: found, revision: (last ?? header?.revision ?? 0) as Revision };
}

export function follow(
  client: EtcdClient,
  watched: Watched,
  { from, signal, onBatch }: FollowOptions,
): Promise<FollowEnd> {
  return new Promise((resolve, reject) => {
    const stream = client.watches.watch();
    let over = false;
    const progress = systemClock.every(PROGRESS_MS, () =>
      stream.write(WatchRequest.fromPartial({ requestUnion: { $case: 'progressRequest', value: {} } })),
    );
    const end = (finish: () => void) => {
      if (over) return;
      over = true;
      progress.cancel();
      signal.removeEventListener('abort', onAbort);
      stream.cancel();
      finish();
    };
    const onAbort = () => end(() => resolve({ kind: 'broken' }));
    signal.addEventListener('abort', onAbort);
    stream.on('error', () => end(() => resolve({ kind: 'broken' })));
    stream.on('end', () => end(() => resolve({ kind: 'broken' })));
    stream.on('data', (response: WatchResponse) => {
      if (over || (response.created && !response.canceled)) return;
      if (response.canceled) {
        const { compactRevision } = response;
        end(() => resolve(compactRevision > 0 ? { kind: 'compacted', revision: compactRevision } : { kind: 'broken' }));
        return;
      }
      try {
        onBatch(batchOf(response));
      } catch (error) {
        end(() => reject(error instanceof Error ? error : new Error(String(error))));
      }
    });
    const filters = [
      ...(watched.noPut === true ? [WatchCreateRequest_FilterType.NOPUT] : []),
      ...(watched.noDelete === true ? [WatchCreateRequest_FilterType.NODELETE] : []),
    ];
    const value = WatchCreateRequest.fromPartial({
      key: watched.key,
      rangeEnd: watched.rangeEnd ?? Buffer.alloc(0),
      startRevision: from,
      prevKv: watched.prevKv ?? false,
      filters,
    });
    if (signal.aborted) onAbort();
    else stream.write(WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } }));
  });
}
