/**
 * Sets of field paths, and their form in `managedFields`, FieldsV1 (KEP-555). A path is a chain of elements:
 * `f:name` a field or a key of a map, `k:{"name":"web"}` an item of a list by its keys, `v:"x"` an item of a set, `i:0`
 * an item by position. A set is a tree of elements; published sets are never changed.
 */
import { encodeJson, parseJson } from '../codec/json-value.js';
import { isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';

export class FieldSet {
  /** Whether the path that ends here belongs to the set. */
  member = false;
  readonly children = new Map<string, FieldSet>();

  get isEmpty(): boolean {
    return !this.member && this.children.size === 0;
  }

  /** Adds the path; only while the set is being built. */
  insert(path: readonly string[]): void {
    insertFrom(this, path, 0);
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
      result.children.set(element, twin === undefined ? child : child.union(twin));
    }
    for (const [element, child] of other.children) {
      if (!this.children.has(element)) result.children.set(element, child);
    }
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet();
    result.member = this.member && other.member;
    for (const [element, child] of this.children) {
      const twin = other.children.get(element);
      const common = twin === undefined ? undefined : child.intersection(twin);
      if (common !== undefined && !common.isEmpty) result.children.set(element, common);
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
      if (!rest.isEmpty) result.children.set(element, rest);
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
  * paths(prefix: readonly string[] = []): Generator<readonly string[]> {
    if (this.member) yield prefix;
    for (const [element, child] of sorted(this.children)) yield* child.paths([...prefix, element]);
  }
}

function insertFrom(set: FieldSet, path: readonly string[], depth: number): void {
  const element = path[depth];
  if (element === undefined) {
    set.member = true;
    return;
  }
  let next = set.children.get(element);
  if (next === undefined) {
    next = new FieldSet();
    set.children.set(element, next);
  }
  insertFrom(next, path, depth + 1);
}

const ORDER = ['f', 'k', 'v', 'i'];

/** Fields, then keys, values and positions; each by its text. */
function sorted(children: ReadonlyMap<string, FieldSet>): [string, FieldSet][] {
  return [...children].sort(([a], [b]) => ORDER.indexOf(a[0] ?? '') - ORDER.indexOf(b[0] ?? '') || (a < b ? -1 : 1));
}

const parsed = new WeakMap<object, FieldSet>();

/** The set of a FieldsV1 object; what is malformed below a path is taken as a leaf. Objects are parsed once and must not change. */
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
    set.children.set(key, child);
  }
}

export function formatFieldsV1(set: FieldSet): JsonObject {
  const fields: JsonObject = {};
  if (set.member && set.children.size > 0) fields['.'] = {};
  for (const [element, child] of sorted(set.children)) setOwn(fields, element, formatFieldsV1(child));
  parsed.set(fields, set);
  return fields;
}

/** `.spec.containers[name="web"].image`, as conflicts name it. */
export function formatPath(path: readonly string[]): string {
  return path.map((element) => {
    const text = element.slice(2);
    switch (element[0]) {
      case 'f': return `.${text}`;
      case 'k': return `[${Object.entries(parseJson(text) as JsonObject).map(([key, value]) => `${key}=${encodeJson(value)}`).join(',')}]`;
      case 'v': return `[=${text}]`;
      default: return `[${text}]`;
    }
  }).join('');
}
