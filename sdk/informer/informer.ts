/**
 * An informer keeps the newest state of a selection of objects in memory and tells handlers what changed.
 *
 * In: list and watch of a Client. Out: a Lister with indexes, and calls of handlers in the order of the changes, each
 * after the cache holds it. What was missed while a watch was down is found by the next list and told as adds, updates
 * and deletes; nothing is told twice, nothing in between is lost but intermediate states. An informer never writes.
 */
import { currentPart } from '../../platform/containment.js';
import type { Part } from '../../platform/containment.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import type { Client } from '../client.js';
import { keyOf } from '../key.js';
import { ObjectCache } from './object-cache.js';
import type { IndexFunction, Lister } from './object-cache.js';
import { Reflector } from './reflector.js';
import type { Selection } from './reflector.js';

/** Handlers run synchronously: they note what to do (in a work queue) and return. What they throw is logged. */
export interface InformerHandler<T extends KubeObject> {
  /** `initial`: the object was there when the handler came, or in the first list. */
  add?(object: T, initial: boolean): void;
  /** Also called, with the same object twice, by the periodic resync. */
  update?(object: T, old: T): void;
  /** The last state known. */
  delete?(object: T): void;
}

export interface InformerOptions<T extends KubeObject> extends Selection {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Calls every handler's `update` for every object this often; absent: never. */
  readonly resync_ms?: number;
  /** What the cache keeps of an object; must not change its argument. For dropping large fields that nobody reads. */
  readonly transform?: (object: T) => T;
}

export class Informer<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly #options: InformerOptions<T>;
  readonly #cache = new ObjectCache<T>();
  readonly #reflector: Reflector<T>;
  /** Each with the part of the process that added it: an exception in it is a fault of that part. */
  readonly #handlers = new Map<InformerHandler<T>, Part | undefined>();
  readonly #waiting = new Set<() => void>();
  #synced = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.resource = options.resource;
    const { namespace, labelSelector, fieldSelector } = options;
    this.#reflector = new Reflector({
      client: options.client,
      resource: options.resource,
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      selection: {
        ...(namespace === undefined ? {} : { namespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
      },
      sink: {
        replace: (items) => this.#replace(items),
        put: (object) => this.#put(object),
        remove: (object) => this.#remove(keyOf(object), object),
      },
    });
  }

  /** The first list is in the cache, and handlers have seen it. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  get lister(): Lister<T> {
    return this.#cache;
  }

  /** The version up to which the cache is complete. */
  get resourceVersion(): string | undefined {
    return this.#reflector.resourceVersion;
  }

  /** May be called at any time; a second index of the same name is ignored. */
  addIndex(name: string, of: IndexFunction<T>): void {
    this.#cache.addIndex(name, of);
  }

  /** Tells the handler at once about all that is known; returns the function that takes it off again. */
  addHandler(handler: InformerHandler<T>): () => void {
    this.#handlers.set(handler, currentPart());
    for (const object of this.#cache.list()) this.#tell(handler, () => handler.add?.(object, true));
    return () => void this.#handlers.delete(handler);
  }

  /** Resolves when the first list is in the cache; rejects with the signal's reason when it aborts first. */
  whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        this.#waiting.delete(onSynced);
        reject(signal?.reason as Error);
      };
      const onSynced = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(onSynced);
    });
  }

  /** Lists and watches until the signal aborts. Called once. */
  async run(signal: AbortSignal): Promise<void> {
    const { resync_ms, clock } = this.#options;
    let resync: Timer | undefined;
    if (resync_ms !== undefined) resync = clock.every(resync_ms, () => this.#resync());
    try {
      await this.#reflector.run(signal);
    } finally {
      resync?.cancel();
    }
  }

  #replace(items: readonly T[]): void {
    const initial = !this.#synced;
    const gone = new Set(this.#cache.keys());
    for (const item of items) {
      gone.delete(keyOf(item));
      this.#put(item, initial);
    }
    for (const key of gone) this.#remove(key);
    if (this.#synced) return;
    this.#synced = true;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #put(raw: T, initial = false): void {
    const key = keyOf(raw);
    const before = this.#cache.get(key);
    if (before !== undefined && before.metadata?.uid !== raw.metadata?.uid) this.#remove(key);
    else if (before !== undefined && before.metadata?.resourceVersion === raw.metadata?.resourceVersion) return;
    const object = this.#options.transform === undefined ? raw : this.#options.transform(raw);
    const old = this.#cache.set(key, object);
    for (const handler of this.#handlers.keys()) {
      this.#tell(handler, () => (old === undefined ? handler.add?.(object, initial) : handler.update?.(object, old)));
    }
  }

  #remove(key: string, last?: T): void {
    const old = this.#cache.delete(key);
    if (old === undefined) return;
    for (const handler of this.#handlers.keys()) this.#tell(handler, () => handler.delete?.(last ?? old));
  }

  #resync(): void {
    if (!this.#synced) return;
    for (const object of this.#cache.list()) {
      for (const handler of this.#handlers.keys()) this.#tell(handler, () => handler.update?.(object, object));
    }
  }

  #tell(handler: InformerHandler<T>, call: () => void): void {
    if (!this.#handlers.has(handler)) return;
    try {
      call();
    } catch (error) {
      this.#options.logger.error({ resource: this.resource.resource, error }, 'an informer handler threw');
      this.#handlers.get(handler)?.fault(error);
    }
  }
}
