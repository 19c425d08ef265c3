/**
 * The watch cache: the newest state and the last events of every resource, fed by one store watch over `/registry/`.
 * Lists and watches are answered from here, off this member's own replica; the store is asked what revision a
 * linearizable read must wait for, and for states and events older than what is kept here. Nothing is ever written from
 * here.
 */
import type { Kind } from '../../../apimachinery/kind.js';
import { present } from '../../../platform/assert.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { KeyValue, Revision, Store, StoreEvent } from '../../store/store.js';
import type { CachedObject, Location } from './cached-object.js';
import { WindowBudget } from './event-window.js';
import { StoreFeed } from './feed.js';
import { ReadGate } from './read-gate.js';
import { ResourceCache } from './resource-cache.js';

export const REGISTRY_PREFIX = '/registry/';
/** k8s.io/apiserver waits this long for its watch cache before it gives up on a read. */
const FRESH_TIMEOUT_MS = 3000;
const BOOKMARK_INTERVAL_MS = 30_000;
/** Versions written here whose event has not come back yet; beyond it the oldest are parsed again instead. */
const EXPECTED_MAX = 4096;
/** Of events kept for watches that resume, of all resources together. Older ones come from the store. */
const WINDOWS_BYTES_MAX = 32 * 1024 * 1024;

export interface CacherOptions {
  readonly store: Store;
  /** Their storage prefixes are known from the start; rows that come later have a group with a dot in theirs. */
  readonly kinds: readonly Pick<Kind, 'storagePrefix'>[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Cacher {
  readonly store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #feed: StoreFeed;
  readonly #gate: ReadGate;
  /** By storage prefix without `/registry/`: one or two segments. */
  readonly #caches = new Map<string, ResourceCache>();
  readonly #budget = new WindowBudget(WINDOWS_BYTES_MAX);
  readonly #expected = new Map<string, CachedObject>();
  #stopBookmarks: (() => void) | undefined;

  constructor(options: CacherOptions) {
    this.store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#gate = new ReadGate(options.store);
    this.#feed = new StoreFeed({
      store: options.store,
      clock: options.clock,
      logger: options.logger,
      prefix: REGISTRY_PREFIX,
      sink: {
        reset: (kvs, revision) => this.#reset(kvs, revision),
        apply: (events) => this.#apply(events),
        progress: () => undefined,
      },
    });
    for (const kind of options.kinds) this.#cache(kind.storagePrefix);
  }

  async start(): Promise<void> {
    await this.#feed.start();
    const timer = this.#clock.every(BOOKMARK_INTERVAL_MS, () => this.#bookmarkAll());
    this.#stopBookmarks = () => timer.cancel();
  }

  async stop(): Promise<void> {
    this.#stopBookmarks?.();
    for (const cache of this.#caches.values()) cache.endWatches();
    await this.#feed.stop();
  }

  get revision(): Revision {
    return this.#feed.revision;
  }

  /** The cache of a resource. Versions of one resource share it. */
  of(kind: Pick<Kind, 'storagePrefix'>): ResourceCache {
    return this.#cache(kind.storagePrefix);
  }

  /** What stands in the store at the place; throws when it is no object. */
  decode(location: Location, kv: KeyValue): CachedObject {
    const owner = this.#owner(location.key);
    return present(owner, `no resource is stored under ${location.key}`).decode(location, kv);
  }

  /** Resolves when the cache covers everything acknowledged before the call. Fails with StoreError or ApiError. */
  async fresh(signal?: AbortSignal): Promise<void> {
    await this.reached(await this.#gate.revision(), signal);
  }

  /** Resolves when the cache has `revision`; ResourceVersionTooLarge when it does not come in time. */
  reached(revision: number, signal?: AbortSignal): Promise<void> {
    return this.#feed.waitFor(revision, { timeout_ms: FRESH_TIMEOUT_MS, signal });
  }

  /** A version just written here: its event need not be parsed, and all share one object. */
  expect(object: CachedObject): void {
    if (object.revision <= this.#feed.revision) return;
    if (this.#expected.size >= EXPECTED_MAX) this.#expected.clear();
    this.#expected.set(object.location.key, object);
  }

  /** Watches that are open, and objects that are held, by storage prefix. */
  sizes(): { readonly prefix: string; readonly objects: number; readonly watchers: number }[] {
    return [...this.#caches].map(([prefix, cache]) => ({ prefix, objects: cache.size, watchers: cache.watchers }));
  }

  #cache(storagePrefix: string): ResourceCache {
    let cache = this.#caches.get(storagePrefix);
    if (cache === undefined) {
      cache = new ResourceCache(`${REGISTRY_PREFIX}${storagePrefix}/`, this.#feed.revision, {
        budget: this.#budget,
        onUnreadable: (key) =>
          this.#logger.warn(
            { key },
            'what stands in the store there is no object, and is passed over: whoever put it there should remove it',
          ),
      });
      this.#caches.set(storagePrefix, cache);
    }
    return cache;
  }

  /**
   * `namespace/name` or `name` stand behind one segment (`pods/...`) or two (`services/specs/...`,
   * `<group>/<resource>/...`). Those of built-in kinds are known; any other has one, or two when the first holds a dot.
   */
  #owner(key: string): ResourceCache | undefined {
    const first = key.indexOf('/', REGISTRY_PREFIX.length);
    if (first < 0) return undefined;
    const second = key.indexOf('/', first + 1);
    if (second > 0) {
      const two = this.#caches.get(key.slice(REGISTRY_PREFIX.length, second));
      if (two !== undefined) return two;
    }
    const one = key.slice(REGISTRY_PREFIX.length, first);
    if (second > 0 && one.includes('.')) return this.#cache(key.slice(REGISTRY_PREFIX.length, second));
    return this.#cache(one);
  }

  #reset(kvs: readonly KeyValue[], revision: Revision): void {
    this.#expected.clear();
    const groups = new Map<ResourceCache, KeyValue[]>([...this.#caches.values()].map((cache) => [cache, []]));
    for (const kv of kvs) {
      const cache = this.#owner(Buffer.from(kv.key).toString('utf8'));
      if (cache === undefined) continue;
      const group = groups.get(cache);
      if (group === undefined) groups.set(cache, [kv]);
      else group.push(kv);
    }
    for (const [cache, group] of groups) cache.reset(group, revision);
  }

  #apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const key = Buffer.from(event.kind === 'put' ? event.kv.key : event.key).toString('utf8');
      const cache = this.#owner(key);
      const expected = this.#expected.get(key);
      if (expected !== undefined) this.#expected.delete(key);
      if (cache === undefined) continue;
      if (event.kind === 'delete') cache.delete(key, event.modRevision);
      else cache.put(event.kv, key, expected?.revision === event.kv.modRevision ? expected : undefined);
    }
  }

  #bookmarkAll(): void {
    for (const cache of this.#caches.values()) cache.bookmark(this.#feed.revision);
  }
}
