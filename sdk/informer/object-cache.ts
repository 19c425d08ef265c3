/** What an informer knows: the objects of one list-and-watch, by key and by any number of indexes. Reads never wait. */
import { assert } from '../../platform/assert.js';
import type { KubeObject } from '../../apimachinery/object.js';
import { keyOfRef } from '../key.js';

/** The values under which an object is found; none leaves it out of the index. Must be a pure function. */
export type IndexFunction<T extends KubeObject> = (object: T) => Iterable<string>;

/** The reader's side of a cache. Objects are shared and must not be changed. */
export interface Lister<T extends KubeObject> {
  readonly size: number;
  /** By `namespace/name`, or `name` for cluster-scoped objects. */
  get(key: string): T | undefined;
  getByRef(ref: { readonly namespace?: string | undefined; readonly name: string }): T | undefined;
  list(): T[];
  keys(): IterableIterator<string>;
  /** The objects that the index function gave `value` for. Throws InvariantError for an index that was never added. */
  byIndex(index: string, value: string): T[];
}

class Index<T extends KubeObject> {
  readonly of: IndexFunction<T>;
  readonly #keys = new Map<string, Set<string>>();

  constructor(of: IndexFunction<T>) {
    this.of = of;
  }

  insert(key: string, object: T): void {
    for (const value of this.of(object)) {
      const keys = this.#keys.get(value);
      if (keys === undefined) this.#keys.set(value, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.of(object)) {
      const keys = this.#keys.get(value);
      if (keys === undefined) continue;
      keys.delete(key);
      if (keys.size === 0) this.#keys.delete(value);
    }
  }

  keysOf(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }
}

export class ObjectCache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  getByRef(ref: { readonly namespace?: string | undefined; readonly name: string }): T | undefined {
    return this.#objects.get(keyOfRef(ref));
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    assert(found !== undefined, `index "${index}" was never added`);
    const objects: T[] = [];
    for (const key of found.keysOf(value)) {
      const object = this.#objects.get(key);
      assert(object !== undefined, `index "${index}" names ${key}, which the cache does not hold`);
      objects.push(object);
    }
    return objects;
  }

  /** Adding an index again under its name keeps the first one: several controllers may ask for the same. */
  addIndex(name: string, of: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index = new Index(of);
    for (const [key, object] of this.#objects) index.insert(key, object);
    this.#indexes.set(name, index);
  }

  set(key: string, object: T): T | undefined {
    const old = this.#objects.get(key);
    for (const index of this.#indexes.values()) {
      if (old !== undefined) index.remove(key, old);
      index.insert(key, object);
    }
    this.#objects.set(key, object);
    return old;
  }

  delete(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    for (const index of this.#indexes.values()) index.remove(key, old);
    this.#objects.delete(key);
    return old;
  }
}
