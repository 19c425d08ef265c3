/**
 * The one place where strategic merge here knows more than upstream's: a Service may have port 53 for TCP and for UDP, though
 * the merge key is the port alone (kubernetes/kubernetes#39188). Upstream merges a change of the second into the first, and one
 * of the two is lost. The other keys of the list tell such twins apart, where twins exist or `$setElementOrder` names them.
 */
import { getOwn, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';

export interface TwinFacts {
  /** Keys beside the merge key; none for most lists. */
  readonly otherKeys: readonly string[];
  defaultOf(key: string): unknown;
}

/** Whether a `$patch: delete` speaks of the item: without the other keys it takes all that share its merge key. */
export function deletes(deletion: JsonObject, item: JsonObject, facts: TwinFacts): boolean {
  return facts.otherKeys.every((key) => !Object.hasOwn(deletion, key) || jsonEqual(deletion[key], valueOf(item, key, facts)));
}

/** Which of the items with the same merge key a patch's item changes; undefined when it is a new one. `wanted`: how many there shall be. */
export function counterpart<T extends { readonly item: JsonObject }>(
  candidates: readonly T[], item: JsonObject, how: { readonly facts: TwinFacts; readonly wanted: number },
): T | undefined {
  const [first] = candidates;
  const { facts, wanted } = how;
  if (first === undefined || facts.otherKeys.length === 0) return first;
  const exact = candidates.find((candidate) => facts.otherKeys.every((key) => jsonEqual(valueOf(candidate.item, key, facts), valueOf(item, key, facts))));
  if (exact !== undefined) return exact;
  const namesOther = facts.otherKeys.some((key) => Object.hasOwn(item, key));
  return namesOther && (candidates.length > 1 || wanted > candidates.length) ? undefined : first;
}

const valueOf = (item: JsonObject, key: string, facts: TwinFacts): unknown => getOwn(item, key) ?? facts.defaultOf(key);
