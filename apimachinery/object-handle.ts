/**
 * The two ways a handle comes to be: from an object in memory, or from bytes off the wire. The other form is made on
 * demand.
 */
import { encodeJsonBytes, parseJsonBytes } from './json-value.js';
import type { ObjectHandle } from './object-service.js';
import type { KubeObject } from './object.js';

class FromObject<T extends KubeObject> implements ObjectHandle<T> {
  readonly object: T;
  #json: Uint8Array | undefined;

  constructor(object: T) {
    this.object = object;
  }

  get json(): Uint8Array {
    this.#json ??= encodeJsonBytes(this.object);
    return this.#json;
  }

  get resourceVersion(): string {
    return this.object.metadata?.resourceVersion ?? '';
  }
}

class FromJson<T extends KubeObject> implements ObjectHandle<T> {
  readonly json: Uint8Array;
  readonly #resourceVersion: string | undefined;
  #object: T | undefined;

  constructor(json: Uint8Array, resourceVersion: string | undefined) {
    this.json = json;
    this.#resourceVersion = resourceVersion;
  }

  get object(): T {
    this.#object ??= parseJsonBytes(this.json) as T;
    return this.#object;
  }

  get resourceVersion(): string {
    return this.#resourceVersion ?? this.object.metadata?.resourceVersion ?? '';
  }
}

/** The object must not be changed afterwards. */
export function handleOfObject<T extends KubeObject>(object: T): ObjectHandle<T> {
  return new FromObject(object);
}

/**
 * `resourceVersion`, where the carrier tells it, spares parsing. Reading `object` throws SyntaxError for bytes that are
 * no JSON.
 */
export function handleOfJson<T extends KubeObject = KubeObject>(
  json: Uint8Array,
  resourceVersion?: string,
): ObjectHandle<T> {
  return new FromJson<T>(json, resourceVersion);
}
