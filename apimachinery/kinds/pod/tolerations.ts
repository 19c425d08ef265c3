/** Which taints a pod tolerates (core/v1 Toleration). Pure. */
import type { Taint, Toleration } from '../../gen/types.js';

type TaintFacts = Pick<Taint, 'key' | 'value' | 'effect'>;

export function toleratesTaint(toleration: Toleration, taint: TaintFacts): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  const key = toleration.key ?? '';
  if (key !== '' && key !== taint.key) return false;
  const operator = toleration.operator === undefined || toleration.operator === '' ? 'Equal' : toleration.operator;
  if (operator === 'Exists') return true;
  // An empty key stands for all keys with Exists only.
  if (operator !== 'Equal' || key === '') return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

export function tolerates(tolerations: readonly Toleration[] | undefined, taint: TaintFacts): boolean {
  return (tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint));
}
