/** The type of a value at run time. */
import type { CelType } from './types.js';
import { CelError, CelList, CelMap, Duration, Opaque, Optional, Timestamp, TypeValue, Uint } from './values.js';
import type { Value } from './values.js';

/** As `type(x)` names it. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
    default:
      return value === null ? 'null_type' : objectTypeName(value);
  }
}

function objectTypeName(value: object): string {
  if (value instanceof CelList) return 'list';
  if (value instanceof CelMap) return 'map';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof Optional) return 'optional_type';
  if (value instanceof Opaque && value.type.kind === 'opaque') return value.type.name;
  if (value instanceof CelError) return 'error';
  return 'type';
}

/** Whether a value may stand for an argument of the type. Items of lists and maps are not looked at. */
export function guardOf(type: CelType): (value: Value) => boolean {
  switch (type.kind) {
    case 'bool':
      return (value) => typeof value === 'boolean';
    case 'int':
      return (value) => typeof value === 'bigint';
    case 'double':
      return (value) => typeof value === 'number';
    case 'string':
      return (value) => typeof value === 'string';
    case 'null':
      return (value) => value === null;
    case 'uint':
      return (value) => value instanceof Uint;
    case 'bytes':
      return (value) => value instanceof Uint8Array;
    case 'timestamp':
      return (value) => value instanceof Timestamp;
    case 'duration':
      return (value) => value instanceof Duration;
    case 'list':
      return (value) => value instanceof CelList;
    case 'map':
    case 'object':
      return (value) => value instanceof CelMap;
    case 'optional':
      return (value) => value instanceof Optional;
    case 'type':
      return (value) => value instanceof TypeValue;
    case 'opaque':
      return (value) => value instanceof Opaque && value.type === type;
    default:
      return () => true;
  }
}

/** Guards of overloads for lists of one type look at the first item, to choose between them. */
export function itemGuardOf(type: CelType): (value: Value) => boolean {
  const isItem = guardOf(type);
  return (value) => value instanceof CelList && (value.size === 0 || isItem(value.at(0)));
}
