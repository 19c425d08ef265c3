/**
 * Watches of one replica. A watcher is a place in history (the next revision it wants) and a number of batches it may
 * still be sent. While it has room it gets events as they are applied; when it has none it stays where it is and is
 * served from history once it has room again. So nothing is buffered here, dropped or merged, and a slow watcher costs
 * nothing.
 *
 * In: `publish` after each apply. Out: batches of whole revisions, in order, each event once, to the sinks; a revision
 * of very many events goes out in parts. A watcher has one place, so a progress batch cannot overtake events (etcd
 * #15220), nor a fast watcher starve a slow one (#17529). Those who are far behind are served in turns, so that no
 * history is walked in one piece.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Slices } from '../../../platform/slices.js';
import type { KvWatch, WatchHandle, WatchSink } from './sink.js';
import { compactedError, overflowError, revisionOf } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Mvcc } from '../mvcc/mvcc.js';
import type { Record } from '../mvcc/record.js';
import { contains, intervalOf } from '../mvcc/range.js';
import type { Interval } from '../mvcc/range.js';
import { StoreError } from '../store.js';
import type { StoreEvent, WatchBatch } from '../store.js';
import { WholeRevisions } from './parts.js';

export interface WatchHubOptions {
  readonly clock: Clock;
  /** Events that may be published while a watcher takes nothing; then it is closed with 'overflow'. */
  readonly lag_events?: number;
  readonly part_records?: number;
  /** History cannot be read: the watch that noticed has ended with the error. Absent: it is thrown. */
  readonly onFailure?: (error: Error) => void;
}

const MADE_MAX = 16;
/** Records of one part of a revision that is too long to be sent in one piece. */
const PART_RECORDS = 1000;

/** A batch, and how many records of the log it covers. */
interface Made {
  readonly batch: WatchBatch;
  readonly records: number;
}

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
  /** The first revision that has not been delivered whole. */
  next: number;
  /** Records of it that have been. */
  offset = 0;
  /** Some events of it have been sent. */
  isMidway = false;
  /** It is served now, or in a later turn. */
  isQueued = false;
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
    this.kind =
      (request.prevKv === true ? 1 : 0) |
      (request.noPut === true ? 2 : 0) |
      (request.noDelete === true ? 4 : 0) |
      (this.interval.single ? 8 : 0);
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
  /**
   * The compaction that watchers know of: one that is being applied, slice by slice, is not told before it is whole.
   */
  #compacted: number;
  /** Those who want what is being compacted. */
  readonly #deferred = new Set<Watcher>();
  readonly #clock: Clock;
  readonly #lag_events: number;
  readonly #single = new Map<string, Group>();
  readonly #ranges = new Map<string, Group>();
  readonly #all = new Set<Watcher>();
  /** Batches made since the last change, by what asked for them: watchers of the same events share one object. */
  readonly #made = new Map<string, Made>();
  /** Those who lack more than they were sent, in the order they are served. */
  #queue: Watcher[] = [];
  /** While it is found out whom new events concern: who has come since. */
  #joining: Set<Watcher> | undefined;
  readonly #part_records: number;
  readonly #onFailure: ((error: Error) => void) | undefined;

  constructor(mvcc: Mvcc, options: WatchHubOptions) {
    this.#mvcc = mvcc;
    this.#published = mvcc.revision;
    this.#compacted = mvcc.compactRevision;
    this.#clock = options.clock;
    this.#lag_events = options.lag_events ?? LIMITS.watchLag_events;
    this.#onFailure = options.onFailure;
    this.#part_records = options.part_records ?? PART_RECORDS;
  }

  get size(): number {
    return this.#all.size;
  }

  watch(request: KvWatch, sink: WatchSink): WatchHandle {
    const start = request.startRevision ?? 0;
    const whole = sink.takesParts === true ? sink : new WholeRevisions(sink);
    const watcher = new Watcher(this, request, whole, start > 0 ? start : this.#published + 1);
    watcher.roomAt = this.#publishedEvents;
    this.#all.add(watcher);
    this.#joining?.add(watcher);
    this.#join(watcher);
    if (request.progressInterval_ms !== undefined) {
      watcher.timer = this.#clock.every(request.progressInterval_ms, () => this.#onProgressTimer(watcher));
    }
    return watcher;
  }

  /** Offers everything applied since the last call, in slices; nothing is applied between them. */
  *publish(): Slices<void> {
    if (this.#mvcc.revision !== this.#published) yield* this.#publishEvents();
    this.#compacted = this.#mvcc.compactRevision;
    const deferred = [...this.#deferred];
    this.#deferred.clear();
    for (const watcher of deferred) this.serve(watcher);
  }

  *#publishEvents(): Slices<void> {
    const mvcc = this.#mvcc;
    const from = this.#published;
    const first = mvcc.placeOf(from + 1);
    const touched = new Set<Watcher>();
    if (this.#all.size > 0) {
      // Who comes while it is found out whom the events concern may have come too late for that.
      this.#joining = touched;
      for (let place = first; place < mvcc.logLength && touched.size < this.#all.size; place++) {
        this.#touch(mvcc.keyAt(place), touched);
        if (mvcc.meter.spend(1 + this.#ranges.size / 16)) yield;
      }
      this.#joining = undefined;
    }
    this.#published = mvcc.revision;
    this.#made.clear();
    this.#publishedEvents += mvcc.logLength - first;
    for (const watcher of this.#all) {
      if (touched.has(watcher)) continue;
      // Nothing for it in these revisions: it has them, if it had all before.
      if (watcher.next === from + 1) watcher.next = this.#published + 1;
      else if (watcher.credit === 0) this.#checkLag(watcher);
    }
    for (const watcher of touched) {
      this.serve(watcher);
      if (mvcc.meter.spend(5)) yield;
    }
  }

  /** The state was replaced by a snapshot's: watchers go on from where they are, in the new history. */
  reset(mvcc: Mvcc): void {
    this.#mvcc = mvcc;
    this.#published = mvcc.revision;
    this.#compacted = mvcc.compactRevision;
    this.#deferred.clear();
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
    this.#deferred.delete(watcher);
    const groups = watcher.interval.single ? this.#single : this.#ranges;
    const { name } = watcher;
    const group = groups.get(name);
    group?.watchers.delete(watcher);
    if (group?.watchers.size === 0) groups.delete(name);
  }

  /**
   * Sends what the watcher lacks, as far as it has room: one batch now, others in turn with those who lack more too.
   */
  serve(watcher: Watcher): void {
    // Also while a batch is being sent: what its receiver asks for meanwhile is seen to afterwards.
    if (watcher.isQueued) return;
    watcher.isQueued = true;
    watcher.isQueued = this.#step(watcher);
    if (watcher.isQueued && this.#queue.push(watcher) === 1) this.#clock.immediate(() => this.#turn());
  }

  #turn(): void {
    const end_ms = this.#clock.monotonic() + LIMITS.turn_ms;
    const waiting = this.#queue;
    this.#queue = [];
    let at = 0;
    do {
      const watcher = waiting[at++] as Watcher;
      watcher.isQueued = this.#step(watcher);
      if (watcher.isQueued) this.#queue.push(watcher);
    } while (at < waiting.length && this.#clock.monotonic() < end_ms);
    this.#queue = [...waiting.slice(at), ...this.#queue];
    if (this.#queue.length > 0) this.#clock.immediate(() => this.#turn());
  }

  #step(watcher: Watcher): boolean {
    if (!watcher.open) return false;
    try {
      return this.#advance(watcher);
    } catch (error) {
      if (this.#onFailure === undefined || !(error instanceof StoreError)) throw error;
      this.#fail(watcher, error);
      this.#onFailure(error);
      return false;
    }
  }

  /** One batch. True while there is more to send. */
  #advance(watcher: Watcher): boolean {
    if (watcher.next <= this.#published) {
      if (watcher.next < this.#mvcc.compactRevision) {
        if (watcher.next >= this.#compacted) this.#deferred.add(watcher);
        else this.#fail(watcher, compactedError(this.#compacted));
        return false;
      }
      if (watcher.credit === 0) {
        this.#checkLag(watcher);
        return false;
      }
      watcher.roomAt = this.#publishedEvents;
      this.#send(watcher, this.#madeFor(watcher));
    }
    if (watcher.progressWanted) this.#sendProgress(watcher, { asked: true });
    return watcher.next <= this.#published;
  }

  #send(watcher: Watcher, { batch, records }: Made): void {
    if (batch.partial === true) {
      watcher.offset += records;
      if (batch.events.length === 0) return;
      watcher.isMidway = true;
    } else {
      watcher.next = batch.revision + 1;
      watcher.offset = 0;
      if (batch.events.length === 0 && !watcher.isMidway) return;
      watcher.isMidway = false;
      watcher.credit--;
    }
    watcher.quiet = false;
    watcher.sink.onBatch(batch);
  }

  #madeFor(watcher: Watcher): Made {
    const name = `${watcher.kind}/${watcher.next}/${watcher.offset}/${watcher.name}`;
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    // Those who catch up ask for many; they are let go with the next change, or here.
    if (this.#made.size >= MADE_MAX) this.#made.clear();
    const made =
      watcher.offset > 0 || this.#isLong(this.#mvcc.placeOf(watcher.next)) ? this.#part(watcher) : this.#batch(watcher);
    this.#made.set(name, made);
    return made;
  }

  /** Events of whole revisions from `watcher.next` on, up to a batch's size, and the last revision they cover. */
  #batch(watcher: Watcher): Made {
    const mvcc = this.#mvcc;
    const events: StoreEvent[] = [];
    const first = mvcc.placeOf(watcher.next);
    // What is being applied, slice by slice, is there already and not yet to be told.
    const end = mvcc.placeOf(this.#published + 1);
    let bytes = 0;
    for (let place = first; place < end; place++) {
      const full =
        events.length >= LIMITS.watchBatch_events ||
        bytes >= LIMITS.watchBatch_bytes ||
        place - first >= LIMITS.watchScan_records ||
        this.#isLong(place);
      if (full && mvcc.isRevisionStart(place))
        return { batch: { events, revision: revisionOf(mvcc.revisionAt(place) - 1) }, records: place - first };
      bytes += this.#add(watcher, place, events);
    }
    return { batch: { events, revision: revisionOf(this.#published) }, records: end - first };
  }

  /**
   * The next part of a long revision: of the one that begins at the watcher's place, or that it has some of already.
   */
  #part(watcher: Watcher): Made {
    const mvcc = this.#mvcc;
    const first = mvcc.placeOf(watcher.next) + watcher.offset;
    const events: StoreEvent[] = [];
    const revision = mvcc.revisionAt(first);
    let place = first;
    for (; place < mvcc.logLength && mvcc.revisionAt(place) === revision; place++) {
      if (place - first === this.#part_records)
        return { batch: { events, revision: revisionOf(revision), partial: true }, records: place - first };
      this.#add(watcher, place, events);
    }
    return { batch: { events, revision: revisionOf(revision) }, records: place - first };
  }

  /** Whether the revision at this place has more records than are sent in one piece. */
  #isLong(place: number): boolean {
    const last = place + this.#part_records;
    return last < this.#mvcc.logLength && this.#mvcc.revisionAt(last) === this.#mvcc.revisionAt(place);
  }

  /** Adds the event of a record, if the watcher wants it. Returns its size. */
  #add(watcher: Watcher, place: number, events: StoreEvent[]): number {
    if (!contains(watcher.interval, this.#mvcc.keyAt(place))) return 0;
    const record = this.#mvcc.logAt(place);
    if (isFiltered(watcher.request, record)) return 0;
    events.push(this.#eventOf(record, watcher.request.prevKv === true));
    return record.size_bytes;
  }

  #eventOf(record: Record, withPrev: boolean): StoreEvent {
    const mvcc = this.#mvcc;
    const before = withPrev ? mvcc.before(record) : undefined;
    const prevKv = before === undefined ? {} : { prevKv: mvcc.toKeyValue(before) };
    if (!record.tombstone) return { kind: 'put', kv: mvcc.toKeyValue(record), ...prevKv };
    return { kind: 'delete', key: Buffer.from(record.key, 'latin1'), modRevision: revisionOf(record.main), ...prevKv };
  }

  /** `asked`: by its client, and not by a timer. */
  #sendProgress(watcher: Watcher, { asked }: { readonly asked: boolean }): void {
    if (!watcher.open || watcher.credit === 0 || watcher.next <= this.#published) return;
    // A watch that starts in the future has nothing to wait for. Unasked it says nothing of what lies before it.
    if (!asked && watcher.next > this.#published + 1) return;
    watcher.progressWanted = false;
    watcher.credit--;
    watcher.quiet = false;
    watcher.sink.onBatch({ events: [], revision: revisionOf(this.#published) });
  }

  #onProgressTimer(watcher: Watcher): void {
    const { quiet } = watcher;
    watcher.quiet = true;
    if (quiet) {
      this.#sendProgress(watcher, { asked: false });
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

const isFiltered = (request: KvWatch, record: Record) =>
  record.tombstone ? request.noDelete === true : request.noPut === true;

/** The length sets start and end apart, whatever bytes they hold. */
const nameOf = ({ start, end, single }: Interval) =>
  single ? start : `${start.length}:${start}${end === undefined ? '' : `:${end}`}`;
