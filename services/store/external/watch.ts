/**
 * A watch on an external etcd that outlives its stream: broken, it is opened again from the revision after the last one
 * delivered. Reading is what drives it: a consumer that does not read stops the stream by HTTP/2's flow control, and etcd
 * keeps the history; nothing piles up here.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { WatchCreateRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { WatchRequest, WatchResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { compactedError, emptyKeyError, revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type { StoreEvent, StoreWatchRequest, WatchBatch } from '../store.js';
import type { Endpoint } from './etcd-store.js';
import { fromEtcdEvent } from './messages.js';

export interface EtcdWatchOptions {
  readonly endpoint: () => Endpoint;
  /** The stream broke: another endpoint should be taken. */
  readonly onBroken: () => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

type Stream = ClientDuplexStream<WatchRequest, WatchResponse>;
type Outcome = { readonly kind: 'batch'; readonly batch: WatchBatch } | { readonly kind: 'nothing' } | { readonly kind: 'broken' };

const RETRY_MS = 200;

export async function* watchEtcd(request: StoreWatchRequest, options: EtcdWatchOptions): AsyncGenerator<WatchBatch, void, undefined> {
  if (request.key.length === 0) throw emptyKeyError();
  const { signal, clock } = options;
  const cursor = new Cursor(request.startRevision ?? 0);
  while (!signal.aborted) {
    const stream = options.endpoint().watch.watch();
    const progress = askForProgress(stream, request.progressInterval_ms, clock);
    const onAbort = () => stream.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      stream.write({ requestUnion: { $case: 'createRequest', value: createRequest(request, cursor.next) } });
      for await (const response of stream as AsyncIterable<WatchResponse>) {
        const outcome = cursor.take(response);
        if (outcome.kind === 'broken') break;
        if (outcome.kind === 'batch') yield outcome.batch;
        if (signal.aborted) return;
      }
    } catch (error) {
      if (error instanceof StoreError) throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      progress?.cancel();
      stream.on('error', () => undefined);
      stream.cancel();
    }
    if (signal.aborted) return;
    options.onBroken();
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}

/** Where the watch is, over all its streams. */
class Cursor {
  /** The first revision that is still to come; 0: whatever comes next. */
  next: number;
  #fragments: StoreEvent[] = [];

  constructor(next: number) {
    this.next = next;
  }

  take(response: WatchResponse): Outcome {
    const revision = response.header?.revision ?? 0;
    if (response.canceled) {
      if (response.compactRevision > 0) throw compactedError(response.compactRevision);
      if (response.cancelReason.includes('permission denied')) throw new StoreError('invalid', response.cancelReason);
      return { kind: 'broken' };
    }
    if (response.created) {
      // From here on nothing may be missed, also when the stream breaks before the first event.
      if (this.next === 0) this.next = revision + 1;
      return { kind: 'nothing' };
    }
    this.#fragments.push(...response.events.map(fromEtcdEvent));
    if (response.fragment) return { kind: 'nothing' };
    const events = this.#fragments;
    this.#fragments = [];
    if (events.length === 0) {
      // Progress from before a start in the future says nothing about it.
      if (revision + 1 < this.next) return { kind: 'nothing' };
      this.next = revision + 1;
      return { kind: 'batch', batch: { events, revision: revisionOf(revision) } };
    }
    const last = events.at(-1);
    // The header of events from the past is newer than they are, and more may follow: what counts is the last event.
    const upTo = last === undefined ? revision : last.kind === 'put' ? last.kv.modRevision : last.modRevision;
    this.next = upTo + 1;
    return { kind: 'batch', batch: { events, revision: revisionOf(upTo) } };
  }
}

function createRequest(request: StoreWatchRequest, next: number): WatchCreateRequest {
  return WatchCreateRequest.fromPartial({
    key: Buffer.from(request.key),
    rangeEnd: request.rangeEnd === undefined ? Buffer.alloc(0) : Buffer.from(request.rangeEnd),
    startRevision: next,
    prevKv: request.prevKv ?? false,
    progressNotify: request.progressInterval_ms !== undefined,
    fragment: true,
  });
}

/** etcd tells progress by itself every ten minutes; more often it must be asked. */
function askForProgress(stream: Stream, interval_ms: number | undefined, clock: Clock): Timer | undefined {
  if (interval_ms === undefined) return undefined;
  return clock.every(interval_ms, () => stream.write({ requestUnion: { $case: 'progressRequest', value: {} } }));
}
