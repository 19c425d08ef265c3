/** Conditions in `status.conditions` (API conventions, "Typical status properties"). */
import { at, field, recs, str, type Rec } from './value.js';

/** The condition of that type; undefined when the object has none. */
export function conditionOf(object: unknown, type: string): Rec | undefined {
  return recs(at(object, 'status', 'conditions')).find((condition) => field(condition, 'type') === type);
}

/** `True`, `False` or `Unknown`; '' when there is no such condition. */
export function conditionStatus(object: unknown, type: string): string {
  return str(field(conditionOf(object, type), 'status'));
}

export function conditionTrue(object: unknown, type: string): boolean {
  return conditionStatus(object, type) === 'True';
}
