/**
 * RFC 6902 as kube-apiserver has it (gopkg.in/evanphx/json-patch.v4): indices below zero count from the end, `replace`
 * sets a key that is absent, an absent `value` is null. Operations and copied bytes are capped (CVE-2019-1002100).
 * Pointers see own properties only, so that `/metadata/__proto__/x` reaches nothing.
 */
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { encodeJson } from '../json-value.js';
import { apiErrors } from '../status.js';
import { cloneJson, isObject, jsonEqual, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { cannotApply } from './errors.js';
import { jsonType } from './go-text.js';

const OPERATIONS_MAX = 10_000;
const COPIED_BYTES_MAX = 3 * 1024 * 1024;
/**
 * What all operations together may look at: values that are compared, parts of pointers, items that are moved up in
 * lists.
 */
const WORK_MAX = 500_000;
/** Moving items up is done in blocks of memory. */
const MOVED_ITEMS_PER_WORK = 64;
/** No object has keys that are so long, or lies so deep. */
const POINTER_LENGTH_MAX = 64 * 1024;
/** In units of Work: of an operation, and of a value that it looks at; and what is copied in one unit. */
const OPERATION_UNITS = 20;
const WORK_UNITS = 2;
const UNIT_BYTES = 4;

/**
 * Returns a new document; `document` stays as it is. Throws ApiError: BadRequest for a malformed patch, 422 when it
 * does not fit.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  return finish(applyJsonPatchWork(document, patch));
}

/** The same in slices: ten thousand operations, or copies of a large part, take long on a small patch. */
export function* applyJsonPatchWork(document: unknown, patch: unknown): Work<unknown> {
  const operations = decodeOperations(patch);
  if (operations.length > OPERATIONS_MAX) {
    throw apiErrors.requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${operations.length}`,
    );
  }
  const root: Root = { value: cloneJson(document), copiedBytes: 0, work: 0 };
  for (const operation of operations) {
    const { work, copiedBytes } = root;
    applyOperation(root, operation);
    yield OPERATION_UNITS + (root.work - work) * WORK_UNITS + (root.copiedBytes - copiedBytes) / UNIT_BYTES;
  }
  return root.value;
}

/** The types that kube-apiserver's own structure for operations asks for, in the words of Go's decoder. */
function decodeOperations(patch: unknown): readonly JsonObject[] {
  if (!Array.isArray(patch)) throw undecodable(patch, 'value of type []handlers.jsonPatchOp');
  return patch.map((operation: unknown) => {
    if (operation === null) return {};
    if (!isObject(operation)) throw undecodable(operation, 'value of type handlers.jsonPatchOp');
    for (const field of ['op', 'path', 'from']) {
      const value = Object.hasOwn(operation, field) ? operation[field] : null;
      if (value !== null && typeof value !== 'string')
        throw undecodable(value, `struct field jsonPatchOp.${field} of type string`);
    }
    return operation;
  });
}

const undecodable = (value: unknown, into: string): Error =>
  apiErrors.badRequest(`error decoding patch: json: cannot unmarshal ${jsonType(value)} into Go ${into}`);

interface Root {
  value: unknown;
  copiedBytes: number;
  work: number;
}

function spend(root: Root, work: number): void {
  root.work += work;
  if (root.work > WORK_MAX)
    throw apiErrors.requestEntityTooLarge(
      'the operations of the JSON patch look at too many values; send fewer of them, or a merge patch',
    );
}

/** Charges a value for each of its parts, and stops where there is no more to spend. */
function spendOn(root: Root, value: unknown): void {
  spend(root, 1);
  if (Array.isArray(value)) for (const item of value) spendOn(root, item);
  else if (isObject(value)) for (const key of Object.keys(value)) spendOn(root, value[key]);
}

function applyOperation(root: Root, operation: JsonObject): void {
  const path = operation['path'];
  const value = Object.hasOwn(operation, 'value') ? operation['value'] : null;
  switch (operation['op']) {
    case 'add':
      add(find(root, path), cloneJson(value));
      return;
    case 'replace':
      replace(root, path, cloneJson(value));
      return;
    case 'remove':
      remove(find(root, path));
      return;
    case 'test':
      spendOn(root, value);
      if (!jsonEqual(path === '' ? root.value : read(find(root, path)), value)) throw cannotApply();
      return;
    case 'move': {
      const from = find(root, operation['from']);
      const moved = read(from);
      remove(from);
      add(find(root, path), moved);
      return;
    }
    case 'copy': {
      const copied = read(find(root, operation['from']));
      root.copiedBytes += encodeJson(copied).length;
      if (root.copiedBytes > COPIED_BYTES_MAX) throw cannotApply();
      add(find(root, path), cloneJson(copied));
      return;
    }
    default:
      throw cannotApply();
  }
}

interface Place {
  readonly container: JsonObject | unknown[];
  readonly key: string;
}

/**
 * The container that a pointer's last part is a key or an index of. What stands before the first slash does not count.
 */
function find(root: Root, pointer: unknown): Place {
  if (typeof pointer !== 'string' || !pointer.includes('/') || pointer.length > POINTER_LENGTH_MAX) throw cannotApply();
  const parts = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = parts.pop() ?? '';
  spend(root, parts.length);
  let container = containerOf(root.value);
  for (const part of parts) container = containerOf(read({ container, key: part }));
  if (Array.isArray(container)) spend(root, Math.ceil(container.length / MOVED_ITEMS_PER_WORK));
  return { container, key };
}

function containerOf(value: unknown): JsonObject | unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  if (isObject(value)) return value;
  throw cannotApply();
}

/** Null for a key that is absent; an index must be there. */
function read({ container, key }: Place): unknown {
  if (Array.isArray(container)) return container[indexOf(key, container.length)];
  return Object.hasOwn(container, key) ? container[key] : null;
}

/** An index of a list with `length` places, as Go's Atoi reads it. */
function indexOf(key: string, length: number): number {
  const index = /^[+-]?\d{1,9}$/.test(key) ? Number(key) : NaN;
  const place = index < 0 ? index + length : index;
  if (!(place >= 0 && place < length)) throw cannotApply();
  return place;
}

function add({ container, key }: Place, value: unknown): void {
  if (!Array.isArray(container)) setOwn(container, key, value);
  else if (key === '-') container.push(value);
  else container.splice(indexOf(key, container.length + 1), 0, value);
}

function replace(root: Root, pointer: unknown, value: unknown): void {
  if (pointer === '') {
    root.value = containerOf(value);
    return;
  }
  const { container, key } = find(root, pointer);
  if (Array.isArray(container)) container[indexOf(key, container.length)] = value;
  else setOwn(container, key, value);
}

function remove({ container, key }: Place): void {
  if (Array.isArray(container)) {
    container.splice(indexOf(key, container.length), 1);
  } else {
    if (!Object.hasOwn(container, key)) throw cannotApply();
    delete container[key];
  }
}
