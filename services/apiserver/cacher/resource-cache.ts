import type { KubeObject } from '../../../apimachinery/object.js';
import { cloneJson } from '../../../apimachinery/value.js';
import type { KeyValue } from '../../store/store.js';
import { CachedObject, encodeWithVersion, spliceVersion } from './cached-object.js';
import type { Location } from './cached-object.js';
import { EventWindow, cacheEvent } from './event-window.js';
import type { CacheEvent, WindowBudget } from './event-window.js';
import { selects } from './selection.js';
import type { Selection } from './selection.js';
import { Watcher } from './watcher.js';

/**
 * Fills in what objects lack that an older version stored; changes the object in place, and tells whether anything was
 * missing.
 */
export type Completion = (object: KubeObject) => boolean;

/** Events kept for watches that resume. */
const WINDOW = 2048;

/** The newest state of one resource, in key order, its last events, and who watches it. Fed by the cacher. */
export class ResourceCache {
  /** `/registry/pods/`; keys below it are `namespace/name` or `name`. */
  readonly prefix: string;
  readonly #byKey = new Map<string, CachedObject>();
  #sorted: CachedObject[] = [];
  readonly #window: EventWindow;
  #lastChange: number;
  #changes = 0;
  readonly #watchers = new Set<Watcher>();

  readonly #onUnreadable: (key: string) => void;
  #complete: Completion | undefined;

  /** `onUnreadable`: what somebody else has put there is no object; it is passed over, as if it were not there. */
  constructor(
    prefix: string,
    revision: number,
    { budget, onUnreadable }: { readonly budget: WindowBudget; onUnreadable(key: string): void },
  ) {
    this.prefix = prefix;
    this.#onUnreadable = onUnreadable;
    this.#window = new EventWindow(WINDOW, revision, budget);
    this.#lastChange = revision;
  }

  /** The state has been the same since this revision. */
  get lastChange(): number {
    return this.#lastChange;
  }

  /** How often anything changed. */
  get changes(): number {
    return this.#changes;
  }

  get size(): number {
    return this.#sorted.length;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  get(key: string): CachedObject | undefined {
    return this.#byKey.get(key);
  }

  /** Replaces everything; all watches end, since what they missed is not known. */
  reset(kvs: readonly KeyValue[], revision: number): void {
    for (const watcher of this.#watchers) watcher.stream.end();
    this.#byKey.clear();
    this.#sorted = kvs.flatMap((kv) => this.read(kv) ?? []);
    for (const object of this.#sorted) this.#byKey.set(object.location.key, object);
    this.#sorted.sort((a, b) => (a.location.key < b.location.key ? -1 : 1));
    this.#window.restart(revision);
    this.#lastChange = revision;
    this.#changes++;
  }

  /** `object` is the new state as its writer knows it, when it is this very version; otherwise the bytes are read. */
  put(kv: KeyValue, key: string, object: CachedObject | undefined): void {
    const current = object ?? this.read(kv, key);
    if (current === undefined) return this.delete(key, kv.modRevision);
    const previous = this.#byKey.get(key);
    this.#byKey.set(key, current);
    const index = this.#lowerBound(key);
    if (previous === undefined) this.#sorted.splice(index, 0, current);
    else this.#sorted[index] = current;
    this.#publish(cacheEvent(current.revision, current, previous));
  }

  delete(key: string, revision: number): void {
    const previous = this.#byKey.get(key);
    if (previous === undefined) return;
    this.#byKey.delete(key);
    this.#sorted.splice(this.#lowerBound(key), 1);
    this.#publish(cacheEvent(revision, undefined, previous));
  }

  /** Undefined: what stands there is no object. */
  read(kv: KeyValue, key = Buffer.from(kv.key).toString('utf8')): CachedObject | undefined {
    try {
      return this.decode(this.locate(key), kv);
    } catch {
      this.#onUnreadable(key);
      return undefined;
    }
  }

  /** From now on whatever is read passes here. To be set before anything is read. */
  completeWith(complete: Completion): void {
    this.#complete = complete;
  }

  /** Throws when what stands in the store is no object. */
  decode(location: Location, kv: KeyValue): CachedObject {
    const read = new CachedObject(location, kv.modRevision, { json: spliceVersion(kv.value, kv.modRevision) });
    if (this.#complete === undefined) return read;
    const object = cloneJson(read.object);
    return this.#complete(object)
      ? new CachedObject(location, kv.modRevision, { json: encodeWithVersion(object, kv.modRevision), object })
      : read;
  }

  locate(key: string): Location {
    const rest = key.slice(this.prefix.length);
    const slash = rest.indexOf('/');
    return { key, namespace: slash < 0 ? '' : rest.slice(0, slash), name: rest.slice(slash + 1) };
  }

  /** What the selection holds now, in key order, after the key `after` (without prefix). */
  *select(selection: Selection, after?: string): Generator<CachedObject> {
    if (selection.name !== undefined && selection.namespace !== undefined && after === undefined) {
      const only = this.#byKey.get(`${this.prefix}${selection.namespace}/${selection.name}`);
      if (only !== undefined && selects(selection, only)) yield only;
      return;
    }
    const { from, to } = this.#bounds(selection.namespace, after);
    for (let index = from; index < to; index++) {
      const object = this.#sorted[index];
      if (object !== undefined && selects(selection, object)) yield object;
    }
  }

  /**
   * A copy of the references in scope: what a watch starts from, whatever happens meanwhile. What the selectors match
   * is not looked at yet.
   */
  snapshot({ namespace, name }: Selection): readonly CachedObject[] {
    if (name !== undefined) return [...this.select({ namespace, name })];
    const { from, to } = this.#bounds(namespace, undefined);
    return this.#sorted.slice(from, to);
  }

  /** How many objects a scope holds after a key, whatever the selectors. */
  count(namespace: string | undefined, after?: string): number {
    const { from, to } = this.#bounds(namespace, after);
    return Math.max(to - from, 0);
  }

  /** Events after `revision`; undefined when they reach further back than the window. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    return this.#window.after(revision);
  }

  /** Live events after `after`, from this very moment on. */
  watch(selection: Selection, after: number): Watcher {
    const watcher = new Watcher(selection, after, (closed) => this.#watchers.delete(closed));
    this.#watchers.add(watcher);
    return watcher;
  }

  bookmark(revision: number): void {
    for (const watcher of this.#watchers) watcher.bookmark(revision);
  }

  endWatches(): void {
    for (const watcher of this.#watchers) watcher.stream.end();
  }

  #publish(event: CacheEvent): void {
    this.#lastChange = event.revision;
    this.#changes++;
    this.#window.push(event);
    for (const watcher of this.#watchers) watcher.offer(event);
  }

  #bounds(namespace: string | undefined, after: string | undefined): { from: number; to: number } {
    // '0' is the character after '/': the first key behind everything in the namespace.
    const scope = namespace === undefined ? this.prefix : `${this.prefix}${namespace}/`;
    const from = after === undefined ? this.#lowerBound(scope) : this.#lowerBound(`${this.prefix}${after}\0`);
    const to = namespace === undefined ? this.#sorted.length : this.#lowerBound(`${this.prefix}${namespace}0`);
    return { from, to };
  }

  /** The first index whose key is not below `key`. */
  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle]?.location.key ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
