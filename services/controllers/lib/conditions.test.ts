/** Kubernetes API conventions, "Typical status properties". */
import { describe, expect, it } from 'vitest';
import { conditionOf, withCondition, withoutCondition, type ConditionLike } from './conditions.js';

const of =
  (reason: string) =>
  (type: string, status: string, lastTransitionTime: string): ConditionLike => ({
    type,
    status,
    lastTransitionTime,
    reason,
  });
const condition = of('R');
const before = [condition('A', 'True', 'old'), condition('B', 'False', 'old')];

describe('a condition', () => {
  it.each<[string, ConditionLike, ConditionLike[]]>([
    ['that is new comes last', condition('C', 'True', 'now'), [...before, condition('C', 'True', 'now')]],
    [
      'whose status changes has a new time',
      condition('A', 'False', 'now'),
      [condition('A', 'False', 'now'), condition('B', 'False', 'old')],
    ],
    [
      'whose reason changes keeps its time',
      of('Other')('A', 'True', 'now'),
      [of('Other')('A', 'True', 'old'), condition('B', 'False', 'old')],
    ],
  ])('%s', (_, change, after) => {
    expect(withCondition(before, change)).toEqual(after);
  });

  it('that changes nothing leaves the list itself', () => {
    expect([
      withCondition(before, condition('A', 'True', 'now')) === before,
      withoutCondition(before, 'C') === before,
    ]).toEqual([true, true]);
  });

  it('is found and taken away by its type', () => {
    expect([conditionOf(before, 'B')?.status, conditionOf(undefined, 'B'), withoutCondition(before, 'A')]).toEqual([
      'False',
      undefined,
      [before[1]],
    ]);
  });
});
