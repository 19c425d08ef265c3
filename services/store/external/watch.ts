/**
 * A watch on an external etcd that outlives its stream: broken, it is opened again from the revision after the last one
 * delivered. Reading is what drives it: a consumer that does not read stops the stream by HTTP/2's flow control, and
 * etcd keeps the history; nothing piles up here.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { WatchCreateRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { WatchRequest, WatchResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { compactedError, emptyKeyError, revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type { StoreEvent, StoreWatchRequest, WatchBatch } from '../store.js';
import { ordersProgress, requireLeader } from './endpoint.js';
import type { Endpoint } from './endpoint.js';
import { endWith, markBehind } from './mark.js';
import { fromEtcdEvent } from './messages.js';

export interface EtcdWatchOptions {
  readonly endpoint: () => Endpoint;
  /** The stream broke: another endpoint should be taken. */
  readonly onBroken: (endpoint: Endpoint) => void;
  /** Settles when the attempt is over; whether it succeeded is seen when the mark comes. */
  readonly writeMark: (mark: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

type Stream = ClientDuplexStream<WatchRequest, WatchResponse>;
type Outcome =
  | { readonly kind: 'batch'; readonly batch: WatchBatch }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'broken' };

const RETRY_MS = 200;
/**
 * etcd answers a question about progress at once, also when nothing happens: silence is a broken connection or a stuck
 * server.
 */
const CANARY_MS = 1000;
const SILENCE_MS_MAX = 5000;
/** So long an event that somebody waits for may take; then a mark is written. */
const PATIENCE_MS = 200;
/** etcd's id for what belongs to no watch: an answer to a question about progress. */
const NO_WATCH = -1n;

export async function* watchEtcd(
  request: StoreWatchRequest,
  options: EtcdWatchOptions,
): AsyncGenerator<WatchBatch, void, undefined> {
  if (request.key.length === 0) throw emptyKeyError();
  const { signal, clock } = options;
  const cursor = new Cursor(request);
  while (!signal.aborted) {
    const endpoint = options.endpoint();
    const { progressInterval_ms, awaited } = request;
    cursor.trustsProgress = progressInterval_ms !== undefined && (await ordersProgress(endpoint, clock.now()));
    cursor.mark = cursor.trustsProgress || awaited === undefined ? undefined : markBehind(request);
    if (signal.aborted) return;
    const stream = endpoint.watch.watch(requireLeader());
    const canary = new Canary({
      stream,
      clock,
      interval_ms: cursor.trustsProgress ? Math.min(progressInterval_ms ?? CANARY_MS, CANARY_MS) : CANARY_MS,
      onSilence: markWhenAwaited(cursor, awaited, options.writeMark),
    });
    const onAbort = () => stream.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      stream.write({ requestUnion: { $case: 'createRequest', value: createRequest(request, cursor) } });
      for await (const response of stream as AsyncIterable<WatchResponse>) {
        const outcome = cursor.take(response);
        if (outcome.kind === 'broken') break;
        canary.rest();
        if (outcome.kind === 'batch') yield outcome.batch;
        if (signal.aborted) return;
        canary.listen();
      }
    } catch (error) {
      if (error instanceof StoreError) throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      canary.stop();
      stream.on('error', () => undefined);
      stream.cancel();
    }
    if (signal.aborted) return;
    options.onBroken(endpoint);
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}

/** Writes the mark when a revision is awaited and nothing has come between two looks. */
function markWhenAwaited(
  cursor: Cursor,
  awaited: StoreWatchRequest['awaited'],
  writeMark: EtcdWatchOptions['writeMark'],
): () => void {
  let seen = -1;
  let writing = false;
  return () => {
    const still = cursor.next === seen;
    seen = cursor.next;
    if (writing || !still || cursor.mark === undefined || (awaited?.() ?? 0) < cursor.next) return;
    writing = true;
    void writeMark(cursor.mark).then(() => (writing = false));
  };
}

interface CanaryOptions {
  readonly stream: Stream;
  readonly clock: Clock;
  /** Between two questions about progress. */
  readonly interval_ms: number;
  /** Nothing came for a moment. */
  readonly onSilence: () => void;
}

/** Asks for progress, and ends a stream that says nothing while somebody listens. */
class Canary {
  readonly #options: CanaryOptions;
  readonly #timers: readonly Timer[];
  /** Undefined while the consumer is busy: then the silence is its own. */
  #listeningSince_ms: number | undefined;

  constructor(options: CanaryOptions) {
    this.#options = options;
    const { clock, interval_ms, onSilence } = options;
    this.#timers = [
      clock.every(interval_ms, () => this.#ask()),
      clock.every(PATIENCE_MS, () => {
        if (this.#listeningSince_ms !== undefined) onSilence();
      }),
      clock.every(CANARY_MS, () => this.#look()),
    ];
    this.listen();
  }

  listen(): void {
    this.#listeningSince_ms = this.#options.clock.monotonic();
  }

  rest(): void {
    this.#listeningSince_ms = undefined;
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  /** While the consumer is busy the answers would only pile up before it. */
  #ask(): void {
    if (this.#listeningSince_ms !== undefined)
      this.#options.stream.write({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  #look(): void {
    const { clock, stream } = this.#options;
    if (this.#listeningSince_ms !== undefined && clock.monotonic() - this.#listeningSince_ms > SILENCE_MS_MAX)
      stream.cancel();
  }
}

/** Where the watch is, over all its streams. */
class Cursor {
  /** The first revision that is still to come; 0: whatever comes next. */
  next: number;
  /** Whether an answer to a question about progress comes after the events it covers. */
  trustsProgress = false;
  /** Watched along with the range; nobody else's business. */
  mark: Buffer | undefined;
  readonly #tellsProgress: boolean;
  #fragments: StoreEvent[] = [];

  constructor({ startRevision, progressInterval_ms }: StoreWatchRequest) {
    this.next = startRevision ?? 0;
    this.#tellsProgress = progressInterval_ms !== undefined;
  }

  take(response: WatchResponse): Outcome {
    const revision = response.header?.revision ?? 0;
    if (response.canceled) {
      if (response.compactRevision > 0) throw compactedError(response.compactRevision);
      if (response.cancelReason.includes('permission denied')) throw new StoreError('invalid', response.cancelReason);
      return { kind: 'broken' };
    }
    if (response.created) {
      this.#fragments = [];
      if (this.next > 0) return { kind: 'nothing' };
      // From here on nothing may be missed, also when the stream breaks before the first event.
      return this.#progress(revision);
    }
    this.#fragments.push(...response.events.map(fromEtcdEvent));
    if (response.fragment) return { kind: 'nothing' };
    const events = this.#fragments;
    this.#fragments = [];
    const last = events.at(-1);
    if (last === undefined) {
      // Progress from before a start in the future says nothing about it.
      if (revision + 1 < this.next || (response.watchId === NO_WATCH && !this.trustsProgress))
        return { kind: 'nothing' };
      return this.#progress(revision);
    }
    // The header of events from the past is newer than they are, and more may follow: what counts is the last event.
    const upTo = last.kind === 'put' ? last.kv.modRevision : last.modRevision;
    const { mark } = this;
    const wanted =
      mark === undefined
        ? events
        : events.filter((event) => !mark.equals(event.kind === 'put' ? event.kv.key : event.key));
    if (wanted.length === 0) return this.#progress(upTo);
    this.next = upTo + 1;
    return { kind: 'batch', batch: { events: wanted, revision: upTo } };
  }

  #progress(revision: number): Outcome {
    this.next = revision + 1;
    return this.#tellsProgress
      ? { kind: 'batch', batch: { events: [], revision: revisionOf(revision) } }
      : { kind: 'nothing' };
  }
}

function createRequest(request: StoreWatchRequest, { next, mark }: Cursor): WatchCreateRequest {
  const rangeEnd = mark === undefined ? request.rangeEnd : endWith(mark);
  return WatchCreateRequest.fromPartial({
    key: Buffer.from(request.key),
    rangeEnd: rangeEnd === undefined ? Buffer.alloc(0) : Buffer.from(rangeEnd),
    startRevision: BigInt(next),
    prevKv: request.prevKv ?? false,
    progressNotify: request.progressInterval_ms !== undefined,
    fragment: true,
  });
}
