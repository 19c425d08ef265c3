/**
 * `$setElementOrder` names every item that the patch changes, in the same order (strategicpatch,
 * validatePatchWithSetOrderList).
 */
import { isObject } from '../value.js';
import { unclassified } from './errors.js';
import { goText, goType } from './go-text.js';
import { identityBy, requireKey } from './strategic-order.js';

/** Throws when the two do not agree; items that are deleted need not be named. */
export function checkElementOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (order.length === 0 || patch.length === 0) return;
  const identityOf = identityBy(mergeKey);
  const named = mergeKey === '' ? patch : patch.filter((item) => !isDeletion(item));
  let [next, place] = [0, 0];
  while (next < named.length && place < order.length) {
    const [item, wanted] = [named[next], order[place]];
    if (isObject(item) && Object.hasOwn(item, '$patch')) {
      next += 1;
      continue;
    }
    if (mergeKey !== '') [item, wanted].forEach((each) => requireKey(each, mergeKey));
    const identity = identityOf(item);
    if (identity !== undefined && identity === identityOf(wanted)) next += 1;
    place += 1;
  }
  if (next < named.length)
    throw unclassified(
      `The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`,
    );
}

function isDeletion(item: unknown): boolean {
  if (!isObject(item)) throw unclassified(`expected a map[string]interface {}, but received a ${goType(item)}`);
  return item['$patch'] === 'delete';
}
