/**
 * Forms of the names of a CustomResourceDefinition, in spec and in status (`acceptedNames`): some may be missing in
 * status.
 */
import { dns1035Label } from '../names.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { listOf, textOf } from './structural.js';

export function namesErrors(names: unknown, path: string): FieldError[] {
  if (!isObject(names)) return [];
  const form = (key: string, value: string, check: (text: string) => string): FieldError[] => {
    const wrong = check(value);
    return wrong === '' ? [] : [fieldErrors.invalid(`${path}.${key}`, value, wrong)];
  };
  const named = (key: string, check: (text: string) => string): FieldError[] =>
    textOf(names[key]) === '' ? [] : form(key, textOf(names[key]), check);
  const listed = (key: string): FieldError[] =>
    listOf(names[key]).flatMap((name, index) => form(`${key}[${index}]`, textOf(name), label));
  const kind = textOf(names['kind']);
  return [
    ...named('plural', label),
    ...named('singular', label),
    ...named('kind', mixedCaseLabel),
    ...named('listKind', mixedCaseLabel),
    ...listed('shortNames'),
    ...(kind !== '' && kind === textOf(names['listKind'])
      ? [fieldErrors.invalid(`${path}.listKind`, kind, 'kind and listKind may not be the same')]
      : []),
    ...listed('categories'),
  ];
}

const label = (text: string): string => dns1035Label(text).join(',');

function mixedCaseLabel(text: string): string {
  const wrong = label(text.toLowerCase());
  return wrong === '' ? '' : `may have mixed case, but should otherwise match: ${wrong}`;
}
