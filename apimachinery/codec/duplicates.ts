/** Keys that stand more than once in their object, found in the bytes of JSON: a parsed object has lost them. */
import { childPath, walkKeys } from './keys.js';

/** What kube-apiserver reports at most (sigs.k8s.io/json, strict errors). */
const DUPLICATES_MAX = 100;

/**
 * Their paths, as `spec.containers[0].name`, each once, in the order of the second occurrence. The bytes must be JSON
 * that `decodeJson` accepted.
 */
export function duplicateKeys(bytes: Uint8Array): string[] {
  const found = new Set<string>();
  walkKeys(bytes, (frame, isSecond) => {
    if (isSecond) found.add(childPath(frame));
    return found.size < DUPLICATES_MAX;
  });
  return [...found];
}
