/** Decoded JSON as Go prints it: error messages of kube-apiserver quote patches this way. */
import { isObject } from '../value.js';

/** Longer texts are cut: a message must not repeat a body of megabytes. */
const LENGTH_MAX = 4096;

/** `fmt.Sprintf("%v")`: `map[a:1 b:[x y]]`, keys sorted, `<nil>` for null. */
export function goText(value: unknown): string {
  const text = print(value, LENGTH_MAX);
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text;
}

/** Stops once `room` is used up, so that a refusal costs no more than its text. */
function print(value: unknown, room: number): string {
  if (Array.isArray(value)) return `[${joined(value, room, (item, left) => print(item, left))}]`;
  if (isObject(value))
    return `map[${joined(Object.keys(value).sort(), room, (key, left) => `${key}:${print(value[key], left)}`)}]`;
  return value === null || value === undefined ? '<nil>' : String(value as string | number | bigint | boolean);
}

function joined<T>(items: readonly T[], room: number, textOf: (item: T, left: number) => string): string {
  const parts: string[] = [];
  let left = room;
  for (const item of items) {
    if (left < 0) break;
    const text = textOf(item, left);
    parts.push(text);
    left -= text.length + 1;
  }
  return parts.join(' ');
}

/** `reflect.TypeOf` of a decoded value. */
export function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return isObject(value) ? 'map[string]interface {}' : '%!s(<nil>)';
  }
}

/** The type of a JSON value as errors of Go's decoder name it. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
    case 'number':
      return 'number';
    default:
      return value === null ? 'null' : 'object';
  }
}

/** `fmt.Sprintf("%#v")`: `map[string]interface {}{"a":1}`. */
export function goSyntax(value: unknown): string {
  const text = syntax(value);
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text;
}

function syntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.slice(0, LENGTH_MAX).map(syntax).join(', ')}}`;
  if (isObject(value))
    return `map[string]interface {}{${Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${syntax(value[key])}`)
      .join(', ')}}`;
  return typeof value === 'string' ? JSON.stringify(value) : goText(value);
}
