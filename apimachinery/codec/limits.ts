/**
 * What a body may cost before it is refused. All of it is counted in one pass over the bytes, or over the tokens of
 * YAML, before any value is built: the work that follows (decoding, checks, defaults, owners of fields) grows with
 * values, far more than with bytes.
 */
import { apiErrors } from '../status.js';

export interface DecodeLimits {
  readonly bytesMax: number;
  /** Nesting of objects and lists. */
  readonly depthMax: number;
  /** Scalars, lists and objects, a map's as well as a struct's. */
  readonly valuesMax: number;
  /** Objects that are items of lists, all lists together: defaults and validation do most for each of these. */
  readonly itemsMax: number;
  /** Keys of one object: a map costs many times what a struct of fixed fields does. */
  readonly keysMax: number;
}

/**
 * 3 MiB is kube-apiserver's limit for a request body; no built-in kind nests half as deep as 256. A
 * CustomResourceDefinition of 1.5 MiB, the most that is stored, has some 46,000 values; an EndpointSlice of 1,000
 * endpoints 12,000, and 4,000 objects in lists.
 */
export const DEFAULT_LIMITS: DecodeLimits = {
  bytesMax: 3 * 1024 * 1024,
  depthMax: 256,
  valuesMax: 65_536,
  itemsMax: 10_000,
  keysMax: 10_000,
};

/** Patches may make an object grow: as far as a body may, twice, since the owners of its fields stand in it too. */
export const STORED_LIMITS: Omit<DecodeLimits, 'bytesMax'> = {
  depthMax: 2 * DEFAULT_LIMITS.depthMax,
  valuesMax: 2 * DEFAULT_LIMITS.valuesMax,
  itemsMax: 2 * DEFAULT_LIMITS.itemsMax,
  keysMax: 2 * DEFAULT_LIMITS.keysMax,
};

/** Aliases in one YAML body. */
export const YAML_ALIASES_MAX = 1000;

export function checkSize(bytes: Uint8Array, limits: DecodeLimits): void {
  if (bytes.length > limits.bytesMax) {
    throw apiErrors.requestEntityTooLarge(`the body has ${bytes.length} bytes; the limit is ${limits.bytesMax}`);
  }
}

export function tooDeep(depthMax: number): Error {
  return apiErrors.badRequest(`the body nests deeper than the limit of ${depthMax} levels`);
}

export function tooManyValues(valuesMax: number): Error {
  return apiErrors.requestEntityTooLarge(`the body holds more than ${valuesMax} values; split it into several objects`);
}

export function tooManyItems(itemsMax: number): Error {
  return apiErrors.requestEntityTooLarge(
    `the lists of the body hold more than ${itemsMax} objects; split it into several objects`,
  );
}

export function tooManyKeys(keysMax: number): Error {
  return apiErrors.requestEntityTooLarge(
    `an object of the body has more than ${keysMax} keys; split it into several objects`,
  );
}

/** Counts values while they are built; one for each body. */
export class ValueBudget {
  readonly #limits: DecodeLimits;
  #values = 0;
  #items = 0;
  /** Entries of a map come one after the other. */
  #lastMap: object | undefined;
  #lastCount = 0;

  constructor(limits: DecodeLimits) {
    this.#limits = limits;
  }

  /** One more entry for the map. */
  spendKey(map: object): void {
    this.#lastCount = map === this.#lastMap ? this.#lastCount + 1 : Object.keys(map).length;
    this.#lastMap = map;
    this.checkKeys(this.#lastCount);
  }

  /** One more key for an object that has so many. */
  checkKeys(count: number): void {
    if (count > this.#limits.keysMax) throw tooManyKeys(this.#limits.keysMax);
  }

  /** Throws ApiError RequestEntityTooLarge beyond the limit. */
  spend(values = 1): void {
    this.#values += values;
    if (this.#values > this.#limits.valuesMax) throw tooManyValues(this.#limits.valuesMax);
  }

  /** An object in a list; it is a value, too. */
  spendItem(): void {
    this.#items += 1;
    if (this.#items > this.#limits.itemsMax) throw tooManyItems(this.#limits.itemsMax);
  }
}
