/**
 * Values at run time. Integers are bigints, so that int and double cannot be mixed up; double is a JavaScript number.
 */
import type { CelType } from './types.js';

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | Optional
  | TypeValue
  | Opaque
  | CelError;

/** An error is a value: `false && error` is false. */
export class CelError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export const noSuchOverload = (fn = ''): CelError => new CelError(`no such overload${fn === '' ? '' : `: ${fn}`}`);
export const noSuchKey = (key: string): CelError => new CelError(`no such key: ${key}`);

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970 in UTC. */
export class Timestamp {
  readonly ns: bigint;

  constructor(ns: bigint) {
    this.ns = ns;
  }
}

export class Duration {
  readonly ns: bigint;

  constructor(ns: bigint) {
    this.ns = ns;
  }
}

export class TypeValue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  readonly #value: Value | undefined;

  private constructor(value: Value | undefined) {
    this.#value = value;
  }

  static of(value: Value): Optional {
    return new Optional(value);
  }

  get value(): Value | undefined {
    return this.#value;
  }
}

/** A list; items may be made only when they are read. 0 <= index < size. */
export abstract class CelList {
  abstract readonly size: number;
  abstract at(index: number): Value;

  *[Symbol.iterator](): Iterator<Value> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }

  /**
   * Lists that are sets or maps by their schema compare and add in another way; undefined when this one is a plain
   * list.
   */
  equalTo(_other: CelList): boolean | undefined {
    return undefined;
  }

  plus(_other: CelList): CelList | undefined {
    return undefined;
  }
}

export class ArrayList extends CelList {
  readonly items: Value[];

  constructor(items: Value[]) {
    super();
    this.items = items;
  }

  get size(): number {
    return this.items.length;
  }

  at(index: number): Value {
    return this.items[index] ?? null;
  }
}

/** The accumulator of a comprehension: adding to it changes it in place, nobody else sees it. */
export class GrowingList extends ArrayList {}

/** A map, or an object with fields. */
export abstract class CelMap {
  abstract readonly size: number;
  /** Undefined when the key is absent. */
  abstract find(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;
}

export class HashMap extends CelMap {
  readonly #entries = new Map<string | boolean, { readonly key: Value; readonly value: Value }>();

  get size(): number {
    return this.#entries.size;
  }

  /** False when the value can be no key. Of two values for a key, the later one stays. */
  set(key: Value, value: Value): boolean {
    const hash = hashOf(key);
    if (hash !== undefined) this.#entries.set(hash, { key, value });
    return hash !== undefined;
  }

  find(key: Value): Value | undefined {
    const hash = hashOf(key);
    return hash === undefined ? undefined : this.#entries.get(hash)?.value;
  }

  *keys(): Iterable<Value> {
    for (const { key } of this.#entries.values()) yield key;
  }
}

/** Numbers of different types with the same value are the same key. */
function hashOf(key: Value): string | boolean | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`;
    case 'boolean':
      return key;
    case 'bigint':
      return `n${key}`;
    case 'number':
      return Number.isInteger(key) ? `n${BigInt(key)}` : `n${key}`;
    default:
      return key instanceof Uint ? `n${key.value}` : undefined;
  }
}

/** A value of a library: URL, Quantity, IP, ... */
export abstract class Opaque {
  abstract readonly type: CelType;
  abstract equals(other: Opaque): boolean;
}

export const isError = (value: Value): value is CelError => value instanceof CelError;

/** Characters, bytes, items or entries; 1 for what has no size. Costs at run time are counted in it. */
export function sizeOf(value: Value | undefined): number {
  if (typeof value === 'string') return charCount(value);
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  if (value instanceof Optional && value.value !== undefined) return sizeOf(value.value);
  return 1;
}

/** Code points, as CEL counts; JavaScript counts UTF-16 units. */
export function charCount(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) {
    if ((text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) count--;
  }
  return count;
}
