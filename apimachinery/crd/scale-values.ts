/** What lies where a definition's scale looks for it (registry/customresource/validator.go). */
import { encodeJson } from '../json-value.js';
import type { ScaleFacts } from '../kind.js';
import { isInt64 } from '../int64.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject } from '../value.js';

const INT32_MAX = 2 ** 31 - 1;

/** `onlyStatus`: the spec cannot have changed. */
export function scaleValueErrors(object: unknown, scale: ScaleFacts, onlyStatus: boolean): FieldError[] {
  return [
    ...(onlyStatus ? [] : countErrors(object, scale.specReplicasPath)),
    ...countErrors(object, scale.statusReplicasPath),
    ...(scale.labelSelectorPath === undefined ? [] : textErrors(object, scale.labelSelectorPath)),
  ];
}

type Found =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly why: string };

function find(object: unknown, jsonPath: string): Found {
  const names = jsonPath.replace(/^\./, '').split('.');
  let value = object;
  for (const [index, name] of names.entries()) {
    if (value === null) return { kind: 'none' };
    if (!isObject(value))
      return {
        kind: 'bad',
        why: `.${names.slice(0, index + 1).join('.')} accessor error: ${shown(value)} is of the type ${goType(value)}, expected map[string]interface{}`,
      };
    value = getOwn(value, name);
    if (value === undefined) return { kind: 'none' };
  }
  return { kind: 'value', value };
}

const wrongType = (jsonPath: string, value: unknown, expected: string): string =>
  `${jsonPath} accessor error: ${shown(value)} is of the type ${goType(value)}, expected ${expected}`;

function countErrors(object: unknown, jsonPath: string): FieldError[] {
  const found = find(object, jsonPath);
  if (found.kind === 'none') return [];
  if (found.kind === 'bad') return [fieldErrors.invalid(jsonPath, 0, found.why)];
  const { value } = found;
  if (!isInt64(value)) return [fieldErrors.invalid(jsonPath, 0, wrongType(jsonPath, value, 'int64'))];
  if (value < 0) return [fieldErrors.invalid(jsonPath, value, 'should be a non-negative integer')];
  return value > INT32_MAX
    ? [fieldErrors.invalid(jsonPath, value, `should be less than or equal to ${INT32_MAX}`)]
    : [];
}

function textErrors(object: unknown, jsonPath: string): FieldError[] {
  const found = find(object, jsonPath);
  if (found.kind === 'none' || (found.kind === 'value' && typeof found.value === 'string')) return [];
  return [
    fieldErrors.invalid(jsonPath, '', found.kind === 'bad' ? found.why : wrongType(jsonPath, found.value, 'string')),
  ];
}

function goType(value: unknown): string {
  if (value === null) return '<nil>';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (Array.isArray(value)) return '[]interface {}';
  return isObject(value) ? 'map[string]interface {}' : isInt64(value) ? 'int64' : 'float64';
}

const SHOWN_MAX = 256;

/** As Go's `%v` prints it. */
function shown(value: unknown, depth = 0): string {
  const text = depth > 5 ? '...' : goText(value, depth + 1);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

function goText(value: unknown, depth: number): string {
  if (value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (Array.isArray(value))
    return `[${value
      .slice(0, SHOWN_MAX)
      .map((item) => shown(item, depth))
      .join(' ')}]`;
  if (isObject(value))
    return `map[${Object.keys(value)
      .toSorted()
      .slice(0, SHOWN_MAX)
      .map((name) => `${name}:${shown(value[name], depth)}`)
      .join(' ')}]`;
  return encodeJson(value);
}
