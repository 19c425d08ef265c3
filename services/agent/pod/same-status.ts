/** Whether two statuses say the same of what the agent owns. Conditions of others do not count, nor do empty fields. */
import { encodeJson } from '../../../apimachinery/json-value.js';
import type { PodStatus } from '../pod-spec/types.js';

const OWN_CONDITIONS = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
]);

function isOwnCondition(type: string): boolean {
  return OWN_CONDITIONS.has(type);
}

export function sameStatus(a: PodStatus | undefined, b: PodStatus | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return encodeJson(canonical(own(a))) === encodeJson(canonical(own(b)));
}

function own(status: PodStatus): unknown {
  const conditions = (status.conditions ?? [])
    .filter((condition) => isOwnCondition(condition.type))
    .map(({ type, status: holds, reason, message }) => ({ type, holds, reason, message }))
    .toSorted((x, y) => (x.type < y.type ? -1 : 1));
  const {
    phase,
    reason,
    message,
    observedGeneration,
    podIP,
    hostIP,
    startTime,
    initContainerStatuses,
    containerStatuses,
    ephemeralContainerStatuses,
  } = status;
  return {
    conditions,
    phase,
    reason,
    message,
    observedGeneration,
    podIP,
    hostIP,
    startTime,
    initContainerStatuses,
    containerStatuses,
    ephemeralContainerStatuses,
  };
}

/** Keys in order; without undefined, null, empty strings, empty objects and lists. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(canonical);
  if (typeof value !== 'object' || value === null) return value === null || value === '' ? undefined : value;
  const entries = Object.entries(value)
    .map(([key, inner]): [string, unknown] => [key, canonical(inner)])
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([x], [y]) => (x < y ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
