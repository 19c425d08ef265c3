/** A value inside a message of an error. */
import { durationText, doubleText, timestampText } from './text.js';
import { Duration, Timestamp, Uint } from './values.js';
import type { Value } from './values.js';

export function keyText(value: Value): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return doubleText(value);
    default:
      if (value instanceof Uint) return String(value.value);
      if (value instanceof Timestamp) return timestampText(value);
      return value instanceof Duration ? durationText(value) : 'null';
  }
}
