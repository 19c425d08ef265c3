/**
 * RFC 6902. Operations and copied bytes are capped (CVE-2019-1002100). Pointers see own properties only, so that
 * `/metadata/__proto__/x` reaches nothing.
 */
import { encodeJson } from '../codec/json-value.js';
import { apiErrors } from '../status.js';
import { cloneJson, isObject, jsonEqual, setOwn } from '../value.js';
import { cannotApply } from './errors.js';

const OPERATIONS_MAX = 10_000;
const COPIED_BYTES_MAX = 3 * 1024 * 1024;
const POINTER_PARTS_MAX = 256;

/** Returns a new document; `document` stays as it is. Throws ApiError: BadRequest for a malformed patch, 422 when it does not fit. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw apiErrors.badRequest('a JSON patch must be an array of operations');
  if (patch.length > OPERATIONS_MAX) {
    throw apiErrors.requestEntityTooLarge(`The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`);
  }
  const root: Root = { value: cloneJson(document), copiedBytes: 0 };
  for (const operation of patch) applyOperation(root, operation);
  return root.value;
}

interface Root {
  value: unknown;
  copiedBytes: number;
}

function applyOperation(root: Root, operation: unknown): void {
  if (!isObject(operation) || typeof operation['op'] !== 'string') throw apiErrors.badRequest('each operation of a JSON patch needs an "op"');
  const path = parsePointer(operation['path']);
  switch (operation['op']) {
    case 'add': add(root, path, cloneJson(valueOf(operation))); return;
    case 'replace': replace(root, path, cloneJson(valueOf(operation))); return;
    case 'remove': remove(root, path); return;
    case 'test':
      if (!jsonEqual(read(root, path), valueOf(operation))) throw cannotApply(`testing value ${textOf(path)} failed`);
      return;
    case 'move': {
      const from = parsePointer(operation['from']);
      if (path.length > from.length && from.every((part, index) => part === path[index])) throw cannotApply(`${textOf(from)} cannot move into itself`);
      const value = read(root, from);
      remove(root, from);
      add(root, path, value);
      return;
    }
    case 'copy': {
      const value = read(root, parsePointer(operation['from']));
      root.copiedBytes += encodeJson(value).length;
      if (root.copiedBytes > COPIED_BYTES_MAX) throw apiErrors.requestEntityTooLarge(`a JSON patch may copy at most ${COPIED_BYTES_MAX} bytes`);
      add(root, path, cloneJson(value));
      return;
    }
    default: throw apiErrors.badRequest(`unknown operation ${JSON.stringify(operation['op'].slice(0, 32))} in a JSON patch`);
  }
}

function valueOf(operation: Record<string, unknown>): unknown {
  if (!Object.hasOwn(operation, 'value')) throw apiErrors.badRequest(`operation ${JSON.stringify(operation['op'])} of a JSON patch needs a "value"`);
  return operation['value'];
}

function parsePointer(pointer: unknown): string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) throw apiErrors.badRequest(`not a JSON pointer: ${JSON.stringify(pointer)?.slice(0, 128)}`);
  const parts = pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (parts.length > POINTER_PARTS_MAX) throw apiErrors.badRequest(`a JSON pointer may have at most ${POINTER_PARTS_MAX} parts`);
  return parts;
}

const textOf = (path: readonly string[]): string => `/${path.join('/')}`;
const missing = (path: readonly string[]): Error => cannotApply(`path ${textOf(path)} does not exist`);

function child(container: unknown, part: string): unknown {
  if (Array.isArray(container)) return container[indexOf(container, part, container.length - 1)];
  return isObject(container) && Object.hasOwn(container, part) ? container[part] : undefined;
}

/** -1 for what is no index of the list. */
function indexOf(list: readonly unknown[], part: string, max: number): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(part)) return -1;
  const index = Number(part);
  return index <= max ? index : -1;
}

function read(root: Root, path: readonly string[]): unknown {
  let value = root.value;
  for (const part of path) {
    value = child(value, part);
    if (value === undefined) throw missing(path);
  }
  return value;
}

function parentOf(root: Root, path: readonly string[]): unknown {
  return read(root, path.slice(0, -1));
}

function add(root: Root, path: readonly string[], value: unknown): void {
  const last = path.at(-1);
  if (last === undefined) {
    root.value = value;
    return;
  }
  const parent = parentOf(root, path);
  if (Array.isArray(parent)) {
    const index = last === '-' ? parent.length : indexOf(parent, last, parent.length);
    if (index === -1) throw missing(path);
    parent.splice(index, 0, value);
  } else if (isObject(parent)) {
    setOwn(parent, last, value);
  } else {
    throw missing(path);
  }
}

function replace(root: Root, path: readonly string[], value: unknown): void {
  read(root, path);
  const last = path.at(-1);
  if (last === undefined) {
    root.value = value;
    return;
  }
  const parent = parentOf(root, path);
  if (Array.isArray(parent)) parent[Number(last)] = value;
  else if (isObject(parent)) setOwn(parent, last, value);
}

function remove(root: Root, path: readonly string[]): void {
  read(root, path);
  const last = path.at(-1);
  if (last === undefined) throw cannotApply('the whole document cannot be removed');
  const parent = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) delete parent[last];
}
