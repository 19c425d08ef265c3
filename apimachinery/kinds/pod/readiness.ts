/** Questions about a pod's state that schedulers, controllers and proxies ask. */
import { at, str } from '../lib/value.js';

/** Succeeded or Failed: it will never run again. */
export function podFinished(pod: unknown): boolean {
  const phase = str(at(pod, 'status', 'phase'));
  return phase === 'Succeeded' || phase === 'Failed';
}
