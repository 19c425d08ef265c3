/** The paths of a CRD's scale subresource (apiextensions/validation). */
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { textOf } from './structural.js';

/** By path: below what it must lie, and how that is said. */
const PATHS = [
  { name: 'specReplicasPath', roots: ['.spec.'], text: '.spec', isNeeded: true },
  { name: 'statusReplicasPath', roots: ['.status.'], text: '.status', isNeeded: true },
  { name: 'labelSelectorPath', roots: ['.spec.', '.status.'], text: 'either .spec or .status', isNeeded: false },
] as const;

export function scaleErrors(subresources: unknown, path: string): FieldError[] {
  const scale = isObject(subresources) ? subresources['scale'] : undefined;
  if (!isObject(scale)) return [];
  return PATHS.flatMap(({ name, roots, text, isNeeded }) => {
    const [here, value] = [`${path}.scale.${name}`, textOf(scale[name])];
    if (value === '') return isNeeded ? [fieldErrors.required(here)] : [];
    if (!value.startsWith('.')) return [fieldErrors.invalid(here, value, 'must be a simple json path starting with .')];
    return roots.some((root) => value.startsWith(root))
      ? []
      : [fieldErrors.invalid(here, value, `should be a json path under ${text}`)];
  });
}
