/**
 * Watches: what exists first if asked for, then the events after a version, from the window or the store, then live.
 */
import { encodeJsonBytes } from '../../../apimachinery/json-value.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { Pace, WatchEvent } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { StoreError } from '../../store/store.js';
import type { Revision } from '../../store/store.js';
import { ByteSteps } from '../work/byte-steps.js';
import { CachedObject } from './cached-object.js';
import type { Cacher } from './cacher.js';
import { cacheEvent } from './event-window.js';
import type { CacheEvent } from './event-window.js';
import { prefixEnd } from './feed.js';
import type { ResourceCache } from './resource-cache.js';
import { selects } from './selection.js';
import type { Selection } from './selection.js';
import { project } from './watcher.js';
import type { Watcher, WatcherItem } from './watcher.js';

export interface WatchQuery {
  readonly selection: Selection;
  /** Undefined: none was given. */
  readonly resourceVersion: number | undefined;
  readonly bookmarks: boolean;
  /** KEP-3157. */
  readonly sendInitialEvents: boolean | undefined;
  readonly signal: AbortSignal;
  /** Of what exists first: many watches may begin at the same moment. */
  readonly pace?: Pace | undefined;
}

/** Bytes of objects that are looked at, and sent, in one step. */
const STEP_BYTES = 64 * 1024;

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Ends when the signal aborts, when the consumer is too slow, or when the cache had to be read anew. */
export async function* watch(cacher: Cacher, kind: Kind, query: WatchQuery): AsyncGenerator<WatchEvent> {
  const { selection, signal } = query;
  const asked = query.resourceVersion ?? 0;
  const initial = query.sendInitialEvents ?? asked === 0;
  if (query.sendInitialEvents === true && query.resourceVersion === undefined) await cacher.fresh(signal);
  else if (initial && asked > 0) await cacher.reached(asked, signal);
  const cache = cacher.of(kind);
  const from = initial || asked === 0 ? cacher.revision : asked;
  const start = initial
    ? { objects: cache.snapshot(selection), missed: [] }
    : { objects: [], missed: cache.eventsAfter(from) };
  const joined = Math.max(from, cacher.revision);
  const watcher = cache.watch(selection, joined);
  const onAbort = () => watcher.stream.end();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) return;
    yield* existing(kind, start.objects, query);
    if (query.sendInitialEvents === true && query.bookmarks)
      yield bookmark(kind, from, { [INITIAL_EVENTS_END]: 'true' });
    if (start.missed !== undefined) yield* replay(kind, start.missed, query);
    else
      for await (const events of storeEvents(cacher, cache, query, { after: from, until: joined }))
        yield* replay(kind, events, query);
    yield* live(kind, watcher, query.bookmarks);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await watcher.stream.return();
  }
}

async function* existing(
  kind: Kind,
  objects: readonly CachedObject[],
  { selection, pace }: WatchQuery,
): AsyncGenerator<WatchEvent> {
  const steps = new ByteSteps({ pace, name: 'what exists', step_bytes: STEP_BYTES });
  for (const object of objects) {
    const turn = steps.before(object.json.length);
    if (turn !== undefined) await turn;
    if (selects(selection, object)) yield { type: 'ADDED', handle: object.as(kind) };
  }
}

function* replay(kind: Kind, events: readonly CacheEvent[], query: WatchQuery): Generator<WatchEvent> {
  for (const event of events) {
    const item = project(event, query.selection);
    if (item !== undefined) yield toEvent(kind, item);
  }
}

async function* live(kind: Kind, watcher: Watcher, bookmarks: boolean): AsyncGenerator<WatchEvent> {
  for await (const item of watcher.stream) {
    if (item.type !== 'BOOKMARK' || bookmarks) yield toEvent(kind, item);
  }
}

function toEvent(kind: Kind, item: WatcherItem): WatchEvent {
  return item.type === 'BOOKMARK' ? bookmark(kind, item.revision) : { type: item.type, handle: item.object.as(kind) };
}

/** An object of the kind that holds nothing but a version. */
function bookmark(kind: Kind, revision: number, annotations?: Record<string, string>): WatchEvent {
  const object: KubeObject = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) },
  };
  const json = encodeJsonBytes(object);
  return {
    type: 'BOOKMARK',
    handle: new CachedObject({ key: '', namespace: '', name: '' }, revision, { json, object }),
  };
}

/** The events in (after, until] out of the store's history, for a watch older than the window. */
async function* storeEvents(
  cacher: Cacher,
  cache: ResourceCache,
  query: WatchQuery,
  span: { readonly after: number; readonly until: number },
): AsyncGenerator<readonly CacheEvent[]> {
  const startRevision = (span.after + 1) as Revision;
  const abort = new AbortController();
  const signal = AbortSignal.any([query.signal, abort.signal]);
  const request = {
    key: Buffer.from(cache.prefix),
    rangeEnd: prefixEnd(cache.prefix),
    startRevision,
    prevKv: true,
    progressInterval_ms: 100,
    awaited: () => span.until,
  };
  try {
    for await (const batch of cacher.store.watch(request, { signal })) {
      yield batch.events.flatMap((event) => {
        const revision = event.kind === 'put' ? event.kv.modRevision : event.modRevision;
        if (revision > span.until) return [];
        const previous = event.prevKv === undefined ? undefined : cache.read(event.prevKv);
        if (event.kind === 'delete' && event.prevKv === undefined) throw tooOld(span.after);
        const current = event.kind === 'put' ? cache.read(event.kv) : undefined;
        return current === undefined && previous === undefined ? [] : [cacheEvent(revision, current, previous)];
      });
      if (batch.revision >= span.until) return;
    }
  } catch (error) {
    if (error instanceof StoreError && error.code === 'compacted') throw tooOld(span.after);
    if (!query.signal.aborted) throw error;
  } finally {
    abort.abort();
  }
}

const tooOld = (revision: number) => apiErrors.expired(`too old resource version: ${revision}`);
