/** Test support: the selectors of the fake object service. Any field may be selected, by its path. */
import { encodeJson } from '../../apimachinery/json-value.js';
import type { KubeObject } from '../../apimachinery/object.js';
import { matchesFields, parseFieldSelector } from '../../apimachinery/selector/fields.js';
import { parseLabelSelector } from '../../apimachinery/selector/label-text.js';

/** Throws ApiError BadRequest for a selector that cannot be parsed. */
export function selects(
  labelSelector: string | undefined,
  fieldSelector: string | undefined,
): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  return (object) => labels.matches(object.metadata?.labels) && matchesFields(fields, (path) => fieldOf(object, path));
}

function fieldOf(object: KubeObject, path: string): string {
  let at: unknown = object;
  for (const step of path.split('.'))
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined;
  return typeof at === 'string' ? at : at === undefined ? '' : encodeJson(at);
}
