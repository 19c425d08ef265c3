/**
 * Conditions as the API conventions want them: one of each type, `lastTransitionTime` moves only when the status does.
 */

export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string | null;
}

export function conditionOf<C extends ConditionLike>(
  conditions: readonly C[] | null | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** The list with `condition` in it; the same list when nothing would change. */
export function withCondition<C extends ConditionLike>(conditions: readonly C[], condition: C): readonly C[] {
  const old = conditionOf(conditions, condition.type);
  if (
    old !== undefined &&
    old.status === condition.status &&
    old.reason === condition.reason &&
    old.message === condition.message
  ) {
    return conditions;
  }
  const kept =
    old !== undefined &&
    old.status === condition.status &&
    old.lastTransitionTime !== undefined &&
    old.lastTransitionTime !== null
      ? { ...condition, lastTransitionTime: old.lastTransitionTime }
      : condition;
  return old === undefined ? [...conditions, kept] : conditions.map((c) => (c.type === condition.type ? kept : c));
}

export function withoutCondition<C extends ConditionLike>(conditions: readonly C[], type: string): readonly C[] {
  return conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions;
}
