/**
 * Sets of field paths, and their form in `managedFields`, FieldsV1 (KEP-555). A path is a chain of elements:
 * `f:name` a field or a key of a map, `k:{"name":"web"}` an item of a list by its keys, `v:"x"` an item of a set, `i:0`
 * an item by position. A set is a tree of elements; published sets are never changed.
 */
import { SliceMeter } from '../../platform/slices.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { encodeJson, parseJson } from '../json-value.js';
import { STORED_LIMITS, tooManyKeys } from '../codec/limits.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';

export class FieldSet {
  /** Whether the path that ends here belongs to the set. */
  member = false;
  /** Made with the first child: most sets are leaves. */
  #children: Map<string, FieldSet> | undefined;

  get children(): ReadonlyMap<string, FieldSet> {
    return this.#children ?? NO_CHILDREN;
  }

  get isEmpty(): boolean {
    return !this.member && this.#children === undefined;
  }

  /** Adds the path; only while the set is being built. */
  insert(path: readonly string[]): void {
    this.below(path).member = true;
  }

  /**
   * What stands below the path, made if there is nothing; only while the set is being built, and something must be put
   * there.
   */
  below(path: readonly string[]): FieldSet {
    return path.reduce<FieldSet>((set, element) => set.child(element), this);
  }

  /** Only while the set is being built. */
  set(element: string, child: FieldSet): void {
    this.#children ??= new Map();
    this.#children.set(element, child);
  }

  child(element: string): FieldSet {
    const known = this.#children?.get(element);
    if (known !== undefined) return known;
    const child = new FieldSet();
    this.set(element, child);
    return child;
  }

  has(path: readonly string[]): boolean {
    const [first, ...rest] = path;
    return first === undefined ? this.member : this.children.get(first)?.has(rest) === true;
  }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const result = new FieldSet();
    result.member = this.member || other.member;
    for (const [element, child] of this.children) {
      const twin = other.children.get(element);
      result.set(element, twin === undefined ? child : child.union(twin));
    }
    for (const [element, child] of other.children) {
      if (!this.children.has(element)) result.set(element, child);
    }
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet();
    result.member = this.member && other.member;
    for (const [element, child] of this.children) {
      const twin = other.children.get(element);
      const common = twin === undefined ? undefined : child.intersection(twin);
      if (common !== undefined && !common.isEmpty) result.set(element, common);
    }
    return result;
  }

  /** Paths that `other` lacks. With `recursive`, a path in `other` takes all below it along. */
  difference(other: FieldSet, recursive = false): FieldSet {
    if (other.isEmpty) return this;
    const result = new FieldSet();
    if (recursive && other.member) return result;
    result.member = this.member && !other.member;
    for (const [element, child] of this.children) {
      const twin = other.children.get(element);
      const rest = twin === undefined ? child : child.difference(twin, recursive);
      if (!rest.isEmpty) result.set(element, rest);
    }
    return result;
  }

  equals(other: FieldSet): boolean {
    if (this.member !== other.member || this.children.size !== other.children.size) return false;
    for (const [element, child] of this.children) {
      const twin = other.children.get(element);
      if (twin === undefined || !child.equals(twin)) return false;
    }
    return true;
  }

  /** All paths, in canonical order. */
  *paths(prefix: readonly string[] = []): Generator<readonly string[]> {
    if (this.member) yield prefix;
    for (const [element, child] of sorted(this.children)) yield* child.paths([...prefix, element]);
  }
}

const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();

const isPosition = (element: string): boolean => element.startsWith('i:');

/**
 * Fields, then keys, values and positions; each by its text. Texts alone are sorted ten times as fast as by a
 * comparison, and only positions stand elsewhere then.
 */
function sorted(children: ReadonlyMap<string, FieldSet>): [string, FieldSet][] {
  const texts = [...children.keys()].sort();
  const elements = texts.some(isPosition)
    ? [...texts.filter((element) => !isPosition(element)), ...texts.filter(isPosition)]
    : texts;
  const ordered: [string, FieldSet][] = [];
  for (const element of elements) {
    const child = children.get(element);
    if (child !== undefined) ordered.push([element, child]);
  }
  return ordered;
}

const parsed = new WeakMap<object, FieldSet>();

/**
 * The set of a FieldsV1 object; what is malformed below a path is taken as a leaf. Objects are parsed once and must not
 * change.
 */
export function parseFieldsV1(fields: unknown): FieldSet {
  if (!isObject(fields)) return new FieldSet();
  let set = parsed.get(fields);
  if (set === undefined) {
    set = new FieldSet();
    parseInto(set, fields);
    parsed.set(fields, set);
  }
  return set;
}

function parseInto(set: FieldSet, fields: JsonObject): void {
  for (const key of Object.keys(fields)) {
    if (key === '.') {
      set.member = true;
      continue;
    }
    if (!/^[fkvi]:/.test(key)) continue;
    const child = new FieldSet();
    const value = fields[key];
    if (isObject(value)) parseInto(child, value);
    if (child.isEmpty) child.member = true;
    set.set(key, child);
  }
}

/** Of one element that is written, and of its sorting, in units of Work. */
const ELEMENT_UNITS = 20;
const YIELD_UNITS = 2000;
/** Elements of a set that is written at once: a generator for each of its parts costs half as much again. */
const SMALL_SET = 256;

export function formatFieldsV1(set: FieldSet): JsonObject {
  return finish(formatFieldsV1Work(set));
}

/**
 * The same in slices. Throws ApiError RequestEntityTooLarge for an object with more keys than is ever stored. `small`:
 * elements of what is written at once.
 */
export function* formatFieldsV1Work(set: FieldSet, small = SMALL_SET): Work<JsonObject> {
  const fields = roomAfter(set, small) >= 0 ? formatSmall(set) : yield* format(set, small, new SliceMeter(YIELD_UNITS));
  parsed.set(fields, set);
  return fields;
}

/** What stands at every leaf. */
const LEAF: JsonObject = Object.freeze({});

/** What is left of the room when the set's elements are in; less than nothing once they do not fit. */
function roomAfter(set: FieldSet, room: number): number {
  let left = room - set.children.size;
  for (const child of set.children.values()) {
    if (left < 0) break;
    if (child.children.size > 0) left = roomAfter(child, left);
  }
  return left;
}

function formatSmall(set: FieldSet): JsonObject {
  const fields = emptyFields(set);
  for (const [element, child] of sorted(set.children))
    fields[element] = child.children.size === 0 ? LEAF : formatSmall(child);
  return fields;
}

/** Elements have a prefix: none of them is `__proto__`. */
const emptyFields = (set: FieldSet): JsonObject => (set.member && set.children.size > 0 ? { '.': LEAF } : {});

function* format(set: FieldSet, small: number, meter: SliceMeter): Work<JsonObject> {
  const { size } = set.children;
  if (size > STORED_LIMITS.keysMax) throw tooManyKeys(STORED_LIMITS.keysMax);
  yield size * ELEMENT_UNITS;
  const fields = emptyFields(set);
  for (const [element, child] of sorted(set.children)) {
    const left = roomAfter(child, small);
    if (left < 0) {
      fields[element] = yield* format(child, small, meter);
    } else {
      fields[element] = child.children.size === 0 ? LEAF : formatSmall(child);
      meter.charge((small - left) * ELEMENT_UNITS);
    }
    if (meter.spend(ELEMENT_UNITS)) yield YIELD_UNITS;
  }
  return fields;
}

/** `.spec.containers[name="web"].image`, as conflicts name it. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((element) => {
      const text = element.slice(2);
      switch (element[0]) {
        case 'f':
          return `.${text}`;
        case 'k':
          return `[${Object.entries(parseJson(text) as JsonObject)
            .map(([key, value]) => `${key}=${encodeJson(value)}`)
            .join(',')}]`;
        case 'v':
          return `[=${text}]`;
        default:
          return `[${text}]`;
      }
    })
    .join('');
}
