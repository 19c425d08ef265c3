/**
 * The condition `DisruptionTarget`: says of a pod that it is about to go for a reason that is not its own, and why
 * (KEP-3329).
 */
import { pods } from '../apimachinery/gen/resources.js';
import type { Pod, PodStatus } from '../apimachinery/gen/types.js';
import { isApiError } from '../apimachinery/status.js';
import { toTime } from '../platform/clock.js';
import type { Clock } from '../platform/clock.js';
import type { Client } from './client.js';

export const DISRUPTION_TARGET = 'DisruptionTarget';

export interface Disruption {
  /** As `DeletionByTaintManager`. */
  readonly reason: string;
  readonly message: string;
  /** Further changes of the status that go with it. */
  readonly status?: PodStatus;
}

export interface DisruptionParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Writes the condition, unless the pod has it already. A pod that is gone, or another one under its name, is left
 * alone.
 */
export async function markDisrupted(parts: DisruptionParts, pod: Pod, disruption: Disruption): Promise<void> {
  const { reason, message, status = {} } = disruption;
  const { metadata } = pod;
  const before = pod.status?.conditions?.find((condition) => condition.type === DISRUPTION_TARGET);
  if (
    before?.status === 'True' &&
    before.reason === reason &&
    before.message === message &&
    Object.keys(status).length === 0
  )
    return;
  const condition = {
    type: DISRUPTION_TARGET,
    status: 'True',
    reason,
    message,
    ...(metadata?.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    lastTransitionTime: before?.status === 'True' ? before.lastTransitionTime : toTime(parts.clock.now()),
  };
  const ref = { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
  const body = { metadata: { uid: metadata?.uid }, status: { ...status, conditions: [condition] } };
  await parts.client
    .patch(pods, ref, { type: 'strategic', body }, { subresource: 'status', signal: parts.signal })
    .catch((error: unknown) => {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
    });
}
