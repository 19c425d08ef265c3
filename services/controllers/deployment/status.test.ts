import { describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { AVAILABLE_REASON, TIMED_OUT_REASON, statusOf } from './status.js';

const NOW_MS = Date.parse('2026-01-01T00:10:00Z');
const LONG_AGO = toTime(NOW_MS - 600_000);

const deployment = (generation: number, reason: string): Deployment => ({
  metadata: { name: 'web', generation },
  spec: { replicas: 1, progressDeadlineSeconds: 60, selector: {}, template: {} },
  status: {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    conditions: [
      {
        type: 'Progressing',
        status: reason === TIMED_OUT_REASON ? 'False' : 'True',
        reason,
        lastUpdateTime: LONG_AGO,
        lastTransitionTime: LONG_AGO,
      },
    ],
  },
});
const set = (name: string, available: number): ReplicaSet => ({
  metadata: { name },
  spec: { replicas: 1, selector: {} },
  status: { replicas: 1, readyReplicas: available, availableReplicas: available },
});
const progressing = (one: Deployment, sets: ReplicaSet[], newSet?: ReplicaSet) =>
  statusOf({ deployment: one, sets, newSet, now_ms: NOW_MS }).conditions?.find(
    (condition) => condition.type === 'Progressing',
  );

describe('the progress deadline of a deployment', () => {
  it.each([AVAILABLE_REASON, TIMED_OUT_REASON])(
    'begins anew with a new template, long after the rollout before ended with %s',
    (reason) => {
      expect(progressing(deployment(2, reason), [set('old', 1)])).toMatchObject({
        status: 'True',
        reason: 'ReplicaSetUpdated',
        lastUpdateTime: toTime(NOW_MS),
      });
    },
  );

  it('does not run once a rollout is complete: pods that fail later are no rollout', () => {
    const current = set('current', 0);
    expect(progressing(deployment(1, AVAILABLE_REASON), [current], current)).toMatchObject({
      status: 'True',
      reason: AVAILABLE_REASON,
    });
  });

  it('moves on with each pod that became ready, though the condition reads as before', () => {
    const one = deployment(1, 'ReplicaSetUpdated');
    const before: Deployment = {
      ...one,
      spec: { replicas: 3, progressDeadlineSeconds: 60, selector: {}, template: {} },
      status: {
        ...one.status,
        replicas: 3,
        updatedReplicas: 3,
        readyReplicas: 1,
        availableReplicas: 1,
        conditions: [
          {
            type: 'Progressing',
            status: 'True',
            reason: 'ReplicaSetUpdated',
            message: 'ReplicaSet "current" is progressing.',
            lastUpdateTime: LONG_AGO,
            lastTransitionTime: LONG_AGO,
          },
        ],
      },
    };
    const current: ReplicaSet = {
      metadata: { name: 'current' },
      spec: { replicas: 3, selector: {} },
      status: { replicas: 3, readyReplicas: 2, availableReplicas: 2 },
    };
    expect(progressing(before, [current], current)).toMatchObject({
      status: 'True',
      reason: 'ReplicaSetUpdated',
      lastUpdateTime: toTime(NOW_MS),
      lastTransitionTime: LONG_AGO,
    });
  });

  it('ends a rollout that makes no progress', () => {
    const current = set('current', 0);
    expect(progressing(deployment(1, 'ReplicaSetUpdated'), [current], current)).toMatchObject({
      status: 'False',
      reason: TIMED_OUT_REASON,
    });
  });
});
