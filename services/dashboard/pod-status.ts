/** A pod in a word, as kubectl's STATUS column has it: the reason that matters most, not merely the phase. */
import type { ContainerStatus, Pod } from '../../apimachinery/gen/types.js';

/** done: finished as meant. waiting: on its way. bad: somebody should look. */
export type Health = 'good' | 'waiting' | 'bad' | 'done';

/** Waiting reasons of a container that is merely on its way; every other reason is a complaint. */
const ON_THE_WAY = new Set(['', 'ContainerCreating', 'PodInitializing', 'Pending']);

export function podStatusOf(pod: Pod): { readonly status: string; readonly health: Health } {
  const { phase = 'Unknown', reason = '', conditions = [], containerStatuses = [] } = pod.status ?? {};
  if (pod.metadata?.deletionTimestamp !== undefined) return { status: 'Terminating', health: 'waiting' };
  if (phase === 'Succeeded') return { status: 'Completed', health: 'done' };
  if (phase === 'Failed') return { status: reason || firstTermination(containerStatuses) || 'Failed', health: 'bad' };
  const init = initStatus(pod);
  if (init !== undefined) return init;
  for (const container of containerStatuses) {
    const waiting = container.state?.waiting;
    if (waiting !== undefined)
      return { status: waiting.reason || phase, health: ON_THE_WAY.has(waiting.reason ?? '') ? 'waiting' : 'bad' };
  }
  const ended = firstTermination(containerStatuses);
  if (ended !== '' && ended !== 'Completed') return { status: ended, health: 'bad' };
  if (phase === 'Running') {
    const ready = conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    return ready ? { status: 'Running', health: 'good' } : { status: 'Running, not ready', health: 'waiting' };
  }
  if (conditions.some((condition) => condition.type === 'PodScheduled' && condition.status === 'False'))
    return { status: 'Pending, unscheduled', health: 'bad' };
  return { status: reason || phase, health: phase === 'Pending' ? 'waiting' : 'bad' };
}

/** Of all containers, sidecars included. */
export function restartsOf(pod: Pod): number {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return statuses.reduce((sum, container) => sum + container.restartCount, 0);
}

/** The first init container that holds the pod up; undefined when none does. A started sidecar does not. */
function initStatus(pod: Pod): { readonly status: string; readonly health: Health } | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, { state, started }] of statuses.entries()) {
    if (started === true || state?.terminated?.exitCode === 0) continue;
    if (state?.terminated !== undefined) return { status: `Init:${state.terminated.reason || 'Error'}`, health: 'bad' };
    const waiting = state?.waiting?.reason ?? '';
    if (!ON_THE_WAY.has(waiting)) return { status: `Init:${waiting}`, health: 'bad' };
    return { status: `Init:${index}/${statuses.length}`, health: 'waiting' };
  }
  return undefined;
}

function firstTermination(statuses: readonly ContainerStatus[]): string {
  for (const { state } of statuses) {
    const terminated = state?.terminated;
    if (terminated !== undefined)
      return terminated.reason || (terminated.exitCode === 0 ? 'Completed' : `ExitCode:${terminated.exitCode}`);
  }
  return '';
}
