/**
 * `matchLabelKeys` and `mismatchLabelKeys` become requirements of the selector beside them, with the pod's own values,
 * when the pod is created (KEP-3633, KEP-3243): the scheduler then needs no rule for them.
 */
import { at, children, field, isRec, list, setOwn, str, strs, type Rec } from '../lib/value.js';

const LISTS = ['requiredDuringSchedulingIgnoredDuringExecution', 'preferredDuringSchedulingIgnoredDuringExecution'];

function merge(term: Rec, name: string, operator: 'In' | 'NotIn', labels: unknown): void {
  const selector = term['labelSelector'];
  // A selector that is not there matches nothing, whatever is added.
  if (!isRec(selector)) return;
  const added = strs(term[name])
    .filter((key) => field(labels, key) !== undefined)
    .map((key) => ({ key, operator, values: [str(field(labels, key))] }));
  if (added.length > 0) setOwn(selector, 'matchExpressions', [...list(selector['matchExpressions']), ...added]);
}

export function mergeLabelKeys(spec: Rec, labels: unknown): void {
  for (const name of ['podAffinity', 'podAntiAffinity']) {
    for (const which of LISTS) {
      for (const item of children(at(spec, 'affinity', name), which)) {
        const term = which.startsWith('preferred') ? item['podAffinityTerm'] : item;
        if (!isRec(term)) continue;
        merge(term, 'matchLabelKeys', 'In', labels);
        merge(term, 'mismatchLabelKeys', 'NotIn', labels);
      }
    }
  }
  for (const constraint of children(spec, 'topologySpreadConstraints'))
    merge(constraint, 'matchLabelKeys', 'In', labels);
}
