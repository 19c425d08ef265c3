/**
 * etcdserverpb.Watch: many watches on one stream. A watch is confirmed once it stands, with the revision it stands at,
 * so that nothing that happens after the confirmation can be missed. What the client does not read stays in history:
 * batches are asked for as the stream drains.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { WatchCreateRequest_FilterType } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
  WatchServer,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { Event } from '../../../proto/gen/etcd/mvccpb/kv.js';
import type { KvWatch, WatchHandle } from '../watch/sink.js';
import { revisionOf } from '../errors.js';
import type { StoreError, WatchBatch } from '../store.js';
import type { EtcdIdentity } from './authorize.js';
import { failStream, toEtcdError } from './errors.js';
import type { EtcdContext } from './context.js';
import { fromEvent } from './convert.js';
import { nearestSafe } from './int64.js';
import type { LeaderMonitor } from './leader-monitor.js';
import { StreamWriter } from './stream-writer.js';
import { serializeWatchResponse } from './watch-response.js';

type Stream = ServerDuplexStream<WatchRequest, WatchResponse>;

/** Batches of one watch on their way; more are asked for as they are written. */
const WINDOW_BATCHES = 8;
/** A stream that may hold more watches could exhaust the member. */
const WATCHES_PER_STREAM_MAX = 10_000;
const FRAGMENT_BYTES = 1024 * 1024;
/** etcd's id for what belongs to no watch. */
const NO_WATCH = -1n;
const FROM_KEY = Buffer.from([0]);

interface OpenWatch {
  readonly id: bigint;
  readonly fragment: boolean;
  handle: WatchHandle | undefined;
  confirmed: boolean;
  /** Batches written while the stream was full: room to give back when it drains. */
  owed: number;
}

export function watchService(context: EtcdContext, leader: LeaderMonitor): WatchServer {
  return {
    watch: (call: Stream) => {
      leader.follow(call);
      new WatchStream(context, call).start();
    },
  };
}

class WatchStream {
  readonly #context: EtcdContext;
  readonly #call: Stream;
  readonly #writer: StreamWriter<WatchResponse>;
  readonly #identity: EtcdIdentity | undefined;
  readonly #watches = new Map<bigint, OpenWatch>();
  /** Watches whose progress is awaited before the stream's can be told, and the least of theirs so far. */
  #awaited: Set<bigint> | undefined;
  #progress = Infinity;
  #nextId = 0n;

  constructor(context: EtcdContext, call: Stream) {
    this.#context = context;
    this.#call = call;
    this.#identity = context.identityOf(call);
    this.#writer = new StreamWriter({ call, serialize: serializeWatchResponse, onDrain: () => this.#onDrain() });
  }

  start(): void {
    const call = this.#call;
    call.on('data', (request: WatchRequest) => this.#onRequest(request));
    call.on('end', () => {
      this.#close();
      this.#writer.end();
    });
    call.on('cancelled', () => this.#close());
    // A client that goes away is no fault of ours.
    call.on('error', () => this.#close());
  }

  #onRequest({ requestUnion }: WatchRequest): void {
    switch (requestUnion?.$case) {
      case 'createRequest':
        this.#create(requestUnion.value);
        break;
      case 'cancelRequest':
        this.#cancel(requestUnion.value.watchId);
        break;
      case 'progressRequest':
        this.#progressAsked();
        break;
      case undefined:
        break;
      default:
        requestUnion satisfies never;
    }
  }

  #create(request: WatchCreateRequest): void {
    const key = request.key.length === 0 ? FROM_KEY : request.key;
    const id = this.#idFor(request.watchId);
    const refusal = this.#refusal(id, key, request.rangeEnd);
    if (id === undefined || refusal !== undefined) {
      this.#write({ watchId: NO_WATCH, created: true, canceled: true, cancelReason: refusal ?? '' });
      return;
    }
    const watch: OpenWatch = { id, fragment: request.fragment, handle: undefined, confirmed: false, owed: 0 };
    this.#watches.set(id, watch);
    // Ids of watches that are gone are not given again.
    if (id === this.#nextId) this.#nextId++;
    try {
      const handle = this.#context.backend.openWatch(toWatch(request, key, this.#context.progressInterval_ms), {
        onBatch: (batch) => this.#onBatch(watch, batch),
        onEnd: (error) => this.#onEnd(watch, error),
      });
      watch.handle = handle;
      // A watch from a given revision misses nothing, whenever it stands; another tells where it stands first.
      if (request.startRevision !== 0n) this.#confirm(watch, this.#context.backend.revision);
      handle.grant(WINDOW_BATCHES);
      if (!watch.confirmed) handle.requestProgress();
    } catch (error) {
      this.#watches.delete(id);
      this.#write({ watchId: NO_WATCH, created: true, canceled: true, cancelReason: toEtcdError(error).details });
    }
  }

  #refusal(id: bigint | undefined, key: Uint8Array, rangeEnd: Uint8Array): string | undefined {
    if (!this.#context.allows(this.#identity, { kind: 'read', key, rangeEnd }))
      return 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    if (id === undefined) return 'mvcc: duplicate watch ID provided on the WatchStream';
    if (isEmpty(key, rangeEnd)) return 'mvcc: watcher range is empty';
    if (this.#watches.size >= WATCHES_PER_STREAM_MAX)
      return `etcdserver: more than ${WATCHES_PER_STREAM_MAX} watches on one stream`;
    return undefined;
  }

  /** 0: the next free one. Undefined: taken. */
  #idFor(wanted: bigint): bigint | undefined {
    if (wanted !== 0n) return this.#watches.has(wanted) ? undefined : wanted;
    while (this.#watches.has(this.#nextId)) this.#nextId++;
    return this.#nextId;
  }

  #confirm(watch: OpenWatch, revision: number): void {
    watch.confirmed = true;
    this.#write({ watchId: watch.id, created: true }, revision);
  }

  #onBatch(watch: OpenWatch, batch: WatchBatch): void {
    const { events, revision } = batch;
    if (!watch.confirmed) {
      const [first] = events;
      const standsAt =
        first === undefined ? revision : (first.kind === 'put' ? first.kv.modRevision : first.modRevision) - 1;
      this.#confirm(watch, standsAt);
      if (first === undefined) {
        watch.handle?.grant(1);
        return;
      }
    }
    const room =
      events.length > 0 ? this.#writeEvents(watch, eventsOf(batch), revision) : this.#onProgress(watch, revision);
    if (room) watch.handle?.grant(1);
    else watch.owed++;
  }

  #writeEvents(watch: OpenWatch, events: Event[], revision: number): boolean {
    if (!watch.fragment) return this.#write({ watchId: watch.id, events }, revision);
    let room = true;
    let from = 0;
    let bytes = 0;
    for (const [index, event] of events.entries()) {
      const size = (event.kv?.key.length ?? 0) + (event.kv?.value.length ?? 0) + (event.prevKv?.value.length ?? 0);
      if (bytes > 0 && bytes + size > FRAGMENT_BYTES) {
        this.#write({ watchId: watch.id, events: events.slice(from, index), fragment: true }, revision);
        from = index;
        bytes = 0;
      }
      bytes += size;
    }
    room = this.#write({ watchId: watch.id, events: events.slice(from) }, revision);
    return room;
  }

  #onProgress(watch: OpenWatch, revision: number): boolean {
    if (this.#awaited?.delete(watch.id) !== true) return this.#write({ watchId: watch.id }, revision);
    this.#progress = Math.min(this.#progress, revision);
    return this.#tellProgress();
  }

  /** Told once for the stream, when each of its watches has everything up to there. */
  #tellProgress(): boolean {
    if (this.#awaited === undefined || this.#awaited.size > 0) return true;
    this.#awaited = undefined;
    return this.#write(
      { watchId: NO_WATCH },
      Number.isFinite(this.#progress) ? this.#progress : this.#context.backend.revision,
    );
  }

  /** Without a watch nothing was asked for that took a right, and the answer has the revision in it. */
  #progressAsked(): void {
    try {
      if (this.#watches.size === 0) this.#context.require(this.#identity);
      this.#requestProgress();
    } catch (error) {
      failStream(this.#call, error);
    }
  }

  #requestProgress(): void {
    this.#awaited = new Set(this.#watches.keys());
    this.#progress = Infinity;
    for (const watch of this.#watches.values()) watch.handle?.requestProgress();
    this.#tellProgress();
  }

  #onEnd(watch: OpenWatch, error: StoreError): void {
    if (!this.#watches.delete(watch.id)) return;
    if (!watch.confirmed) this.#confirm(watch, this.#context.backend.revision);
    this.#write({
      watchId: watch.id,
      canceled: true,
      compactRevision: error.compactRevision ?? 0,
      cancelReason: toEtcdError(error).details,
    });
    this.#forget(watch.id);
  }

  #cancel(id: bigint): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#watches.delete(id);
    watch.handle?.cancel();
    this.#write({ watchId: id, canceled: true });
    this.#forget(id);
  }

  #forget(id: bigint): void {
    if (this.#awaited?.delete(id) === true) this.#tellProgress();
  }

  #onDrain(): void {
    for (const watch of this.#watches.values()) {
      const { owed } = watch;
      watch.owed = 0;
      if (owed > 0) watch.handle?.grant(owed);
    }
  }

  #close(): void {
    for (const watch of this.#watches.values()) watch.handle?.cancel();
    this.#watches.clear();
  }

  /** False when the stream is full. */
  #write(response: Partial<WatchResponse>, revision?: number): boolean {
    return this.#writer.write({
      header: this.#context.header(revision),
      watchId: 0n,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      fragment: false,
      events: [],
      ...response,
    });
  }
}

let lastBatch: WatchBatch | undefined;
let lastEvents: Event[] = [];

/** Many watches are sent the same batch one after the other: it is turned into etcd's form once. */
function eventsOf(batch: WatchBatch): Event[] {
  if (batch === lastBatch) return lastEvents;
  lastEvents = batch.events.map(fromEvent);
  lastBatch = batch;
  return lastEvents;
}

/** A range without a key in it; no end, or a zero byte, are others' words for one key and for all that follow. */
const isEmpty = (key: Uint8Array, rangeEnd: Uint8Array) =>
  rangeEnd.length > 0 && !(rangeEnd.length === 1 && rangeEnd[0] === 0) && Buffer.compare(key, rangeEnd) >= 0;

function toWatch(request: WatchCreateRequest, key: Uint8Array, progressInterval_ms: number): KvWatch {
  return {
    key,
    prevKv: request.prevKv,
    noPut: request.filters.includes(WatchCreateRequest_FilterType.NOPUT),
    noDelete: request.filters.includes(WatchCreateRequest_FilterType.NODELETE),
    ...(request.rangeEnd.length === 0 ? {} : { rangeEnd: request.rangeEnd }),
    // Before all revisions there are: from the first one on.
    ...(request.startRevision === 0n
      ? {}
      : { startRevision: revisionOf(Math.max(1, nearestSafe(request.startRevision))) }),
    ...(request.progressNotify ? { progressInterval_ms } : {}),
  };
}
