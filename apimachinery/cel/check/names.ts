/** Names of types in expressions, and types of literals. */
import type { Value } from '../values/values.js';
import { Uint } from '../values/values.js';
import { OPAQUE } from './declare.js';
import type { CelType } from '../values/types.js';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  NULL,
  STRING,
  TIMESTAMP,
  UINT,
  listOf,
  mapOf,
  optionalOf,
  typeName,
  typeOfType,
} from '../values/types.js';

const named: readonly (readonly [string, CelType])[] = [
  ['bool', BOOL],
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['string', STRING],
  ['bytes', BYTES],
  ['list', listOf(DYN)],
  ['map', mapOf(DYN, DYN)],
  ['null_type', NULL],
  ['type', typeOfType(DYN)],
  ['google.protobuf.Timestamp', TIMESTAMP],
  ['google.protobuf.Duration', DURATION],
  ['optional_type', optionalOf(DYN)],
  ...Object.values(OPAQUE).map((type) => [typeName(type), type] as const),
];

export const TYPE_NAMES: ReadonlyMap<string, { readonly name: string; readonly type: CelType }> = new Map(
  named.map(([name, type]) => [name, { name, type }]),
);

export function typeOfLiteral(value: Value): CelType {
  switch (typeof value) {
    case 'boolean':
      return BOOL;
    case 'bigint':
      return INT;
    case 'number':
      return DOUBLE;
    case 'string':
      return STRING;
    default:
      if (value === null) return NULL;
      return value instanceof Uint ? UINT : BYTES;
  }
}
