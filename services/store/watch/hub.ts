/**
 * Watches of one replica. A watcher is a place in history (the next revision it wants) and a number of batches it may
 * still be sent. While it has room it gets events as they are applied; when it has none it stays where it is and is served
 * from history once it has room again. So nothing is buffered here, dropped or merged, and a slow watcher costs nothing.
 *
 * In: `publish` after each apply. Out: batches of whole revisions, in order, each event once, to the sinks. All of it is
 * synchronous, so a progress batch cannot overtake events (etcd #15220), nor a fast watcher starve a slow one (#17529).
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { KvWatch, WatchHandle, WatchSink } from '../backend.js';
import { compactedError, overflowError, revisionOf } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Mvcc } from '../mvcc/mvcc.js';
import type { Record } from '../mvcc/record.js';
import { contains, intervalOf } from '../mvcc/range.js';
import type { Interval } from '../mvcc/range.js';
import type { StoreError, StoreEvent, WatchBatch } from '../store.js';

export interface WatchHubOptions {
  readonly clock: Clock;
  /** Events that may be published while a watcher takes nothing; then it is closed with 'overflow'. */
  readonly lag_events?: number;
}

const MADE_MAX = 16;

/** Watchers of the same interval: an event is matched once for all of them. */
interface Group {
  readonly interval: Interval;
  readonly watchers: Set<Watcher>;
}

class Watcher implements WatchHandle {
  readonly hub: WatchHub;
  readonly request: KvWatch;
  readonly sink: WatchSink;
  readonly interval: Interval;
  readonly name: string;
  /** Which of the interval's events it gets, and in what form. */
  readonly kind: number;
  /** The first revision that has not been delivered. */
  next: number;
  credit = 0;
  open = true;
  /** Events the hub had published when this watcher last had room. */
  roomAt = 0;
  quiet = true;
  progressWanted = false;
  timer: Timer | undefined;

  constructor(hub: WatchHub, request: KvWatch, sink: WatchSink, next: number) {
    this.hub = hub;
    this.request = request;
    this.sink = sink;
    this.interval = intervalOf(request.key, request.rangeEnd);
    this.name = nameOf(this.interval);
    this.kind = (request.prevKv === true ? 1 : 0) | (request.noPut === true ? 2 : 0) | (request.noDelete === true ? 4 : 0) | (this.interval.single ? 8 : 0);
    this.next = next;
  }

  grant(batches: number): void {
    if (!this.open) return;
    this.credit += batches;
    this.hub.serve(this);
  }

  requestProgress(): void {
    if (!this.open) return;
    this.progressWanted = true;
    this.hub.serve(this);
  }

  cancel(): void {
    this.hub.remove(this);
  }
}

export class WatchHub {
  #mvcc: Mvcc;
  /** Everything up to it has been offered to the watchers. */
  #published: number;
  #publishedEvents = 0;
  readonly #clock: Clock;
  readonly #lag_events: number;
  readonly #single = new Map<string, Group>();
  readonly #ranges = new Map<string, Group>();
  readonly #all = new Set<Watcher>();
  /** Batches made since the last change, by what asked for them: watchers of the same events share one object. */
  readonly #made = new Map<string, WatchBatch>();

  constructor(mvcc: Mvcc, options: WatchHubOptions) {
    this.#mvcc = mvcc;
    this.#published = mvcc.revision;
    this.#clock = options.clock;
    this.#lag_events = options.lag_events ?? LIMITS.watchLag_events;
  }

  get size(): number {
    return this.#all.size;
  }

  watch(request: KvWatch, sink: WatchSink): WatchHandle {
    const start = request.startRevision ?? 0;
    const watcher = new Watcher(this, request, sink, start > 0 ? start : this.#published + 1);
    watcher.roomAt = this.#publishedEvents;
    this.#all.add(watcher);
    this.#join(watcher);
    if (request.progressInterval_ms !== undefined) {
      watcher.timer = this.#clock.every(request.progressInterval_ms, () => this.#onProgressTimer(watcher));
    }
    return watcher;
  }

  /** Offers everything applied since the last call. */
  publish(): void {
    const mvcc = this.#mvcc;
    if (mvcc.revision === this.#published) return;
    const from = this.#published;
    this.#published = mvcc.revision;
    this.#made.clear();
    const first = mvcc.placeOf(from + 1);
    this.#publishedEvents += mvcc.logLength - first;
    if (this.#all.size === 0) return;
    const touched = new Set<Watcher>();
    for (let place = first; place < mvcc.logLength; place++) this.#touch(mvcc.keyAt(place), touched);
    for (const watcher of touched) this.serve(watcher);
    for (const watcher of this.#all) {
      if (touched.has(watcher)) continue;
      // Nothing for it in these revisions: it has them, if it had all before.
      if (watcher.next === from + 1) watcher.next = this.#published + 1;
      else if (watcher.credit === 0) this.#checkLag(watcher);
    }
  }

  /** The state was replaced by a snapshot's: watchers go on from where they are, in the new history. */
  reset(mvcc: Mvcc): void {
    this.#mvcc = mvcc;
    this.#published = mvcc.revision;
    this.#made.clear();
    for (const watcher of this.#all) this.serve(watcher);
  }

  closeAll(error: StoreError): void {
    for (const watcher of this.#all) this.#fail(watcher, error);
  }

  remove(watcher: Watcher): void {
    if (!watcher.open) return;
    watcher.open = false;
    watcher.timer?.cancel();
    this.#all.delete(watcher);
    const groups = watcher.interval.single ? this.#single : this.#ranges;
    const { name } = watcher;
    const group = groups.get(name);
    group?.watchers.delete(watcher);
    if (group?.watchers.size === 0) groups.delete(name);
  }

  /** Sends what the watcher lacks, as far as it has room. */
  serve(watcher: Watcher): void {
    while (watcher.open && watcher.next <= this.#published) {
      if (watcher.next < this.#mvcc.compactRevision) {
        this.#fail(watcher, compactedError(this.#mvcc.compactRevision));
        return;
      }
      if (watcher.credit === 0) {
        this.#checkLag(watcher);
        return;
      }
      watcher.roomAt = this.#publishedEvents;
      const batch = this.#batchFor(watcher);
      watcher.next = batch.revision + 1;
      if (batch.events.length === 0) continue;
      watcher.credit--;
      watcher.quiet = false;
      watcher.sink.onBatch(batch);
    }
    if (watcher.progressWanted) this.#sendProgress(watcher);
  }

  #batchFor(watcher: Watcher): WatchBatch {
    const name = `${watcher.kind}/${watcher.next}/${watcher.name}`;
    const made = this.#made.get(name);
    if (made !== undefined) return made;
    // Those who catch up ask for many; they are let go with the next change, or here.
    if (this.#made.size >= MADE_MAX) this.#made.clear();
    const { events, revision } = this.#collect(watcher);
    const batch = { events, revision: revisionOf(revision) };
    this.#made.set(name, batch);
    return batch;
  }

  /** Events of whole revisions from `watcher.next` on, up to a batch's size, and the last revision they cover. */
  #collect(watcher: Watcher): { events: StoreEvent[]; revision: number } {
    const mvcc = this.#mvcc;
    const events: StoreEvent[] = [];
    let bytes = 0;
    let looked = 0;
    for (let place = mvcc.placeOf(watcher.next); place < mvcc.logLength; place++) {
      const full = events.length >= LIMITS.watchBatch_events || bytes >= LIMITS.watchBatch_bytes || looked >= LIMITS.watchScan_records;
      if (full && mvcc.isRevisionStart(place)) return { events, revision: mvcc.revisionAt(place) - 1 };
      looked++;
      if (!contains(watcher.interval, mvcc.keyAt(place))) continue;
      const record = mvcc.logAt(place);
      if (isFiltered(watcher.request, record)) continue;
      events.push(this.#eventOf(record, watcher.request.prevKv === true));
      bytes += record.size_bytes;
    }
    return { events, revision: this.#published };
  }

  #eventOf(record: Record, withPrev: boolean): StoreEvent {
    const mvcc = this.#mvcc;
    const before = withPrev ? mvcc.before(record) : undefined;
    const prevKv = before === undefined ? {} : { prevKv: mvcc.toKeyValue(before) };
    if (!record.tombstone) return { kind: 'put', kv: mvcc.toKeyValue(record), ...prevKv };
    return { kind: 'delete', key: Buffer.from(record.key, 'latin1'), modRevision: revisionOf(record.main), ...prevKv };
  }

  #sendProgress(watcher: Watcher): void {
    // A watch that starts in the future has not been delivered what lies before it.
    if (!watcher.open || watcher.credit === 0 || watcher.next !== this.#published + 1) return;
    watcher.progressWanted = false;
    watcher.credit--;
    watcher.quiet = false;
    watcher.sink.onBatch({ events: [], revision: revisionOf(this.#published) });
  }

  #onProgressTimer(watcher: Watcher): void {
    const { quiet } = watcher;
    watcher.quiet = true;
    if (quiet) {
      this.#sendProgress(watcher);
      watcher.quiet = true;
    }
  }

  #checkLag(watcher: Watcher): void {
    if (this.#publishedEvents - watcher.roomAt > this.#lag_events) this.#fail(watcher, overflowError());
  }

  #fail(watcher: Watcher, error: StoreError): void {
    this.remove(watcher);
    watcher.sink.onEnd(error);
  }

  #join(watcher: Watcher): void {
    const groups = watcher.interval.single ? this.#single : this.#ranges;
    const { name } = watcher;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { interval: watcher.interval, watchers: new Set([watcher]) });
    else group.watchers.add(watcher);
  }

  #touch(key: string, touched: Set<Watcher>): void {
    const single = this.#single.get(key);
    if (single !== undefined) for (const watcher of single.watchers) touched.add(watcher);
    for (const group of this.#ranges.values()) {
      if (contains(group.interval, key)) for (const watcher of group.watchers) touched.add(watcher);
    }
  }
}

const isFiltered = (request: KvWatch, record: Record) => (record.tombstone ? request.noDelete === true : request.noPut === true);

/** The length sets start and end apart, whatever bytes they hold. */
const nameOf = ({ start, end, single }: Interval) => (single ? start : `${start.length}:${start}${end === undefined ? '' : `:${end}`}`);
