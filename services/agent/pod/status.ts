/**
 * The status of a pod: a pure function of its object, of what the runtime holds and of what is remembered (Kubernetes:
 * "Pod Lifecycle"). Conditions that others own are kept by the member that writes it.
 */
import { toTime } from '../../../platform/clock.js';
import type { ContainerRecord } from '../runtime/runtime.js';
import { changedResources } from './allocation.js';
import { PULL_ERROR_SHOWN_MS, hasStarted, isComplete, newestSandbox, recordsOf, restartAt } from './decide.js';
import type { PodView } from './decide.js';
import type { ContainerMemory, Waiting } from './memory.js';
import { containersOf, fullNameOf, isTerminal, keyOf, restarts, specOf } from '../pod-spec/spec.js';
import type { RoledContainer } from '../pod-spec/spec.js';
import { qosOf } from '../pod-spec/resources.js';
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  PodCondition,
  PodStatus,
} from '../pod-spec/types.js';

export interface StatusContext {
  readonly hostIP: string;
  /** As `containerd`: the scheme of container ids. */
  readonly runtimeName: string;
  /** The termination message the container left, by container id. */
  terminationMessage?(containerId: string): string | undefined;
}

export function statusOf(view: PodView, context: StatusContext): PodStatus {
  const { pod, memory } = view;
  if (isTerminal(pod) && view.runtime.containers.length === 0 && pod.status !== undefined) return pod.status;
  if (memory.failed !== undefined && !memory.admitted) return refusedStatus(view, memory.failed);
  const spec = specOf(pod);
  const all = containersOf(spec);
  const statuses = all.map((roled) => ({ roled, status: containerStatus(view, roled, context) }));
  const sandbox = newestSandbox(view.runtime);
  const phase = settledPhaseOf(view, statuses);
  const ips =
    spec.hostNetwork === true ? [context.hostIP] : sandbox?.ready === true ? sandbox.ips : lastAddresses(view);
  const initStatuses = statuses
    .filter(({ roled }) => roled.role === 'init' || roled.role === 'sidecar')
    .map(({ status }) => status);
  const ephemeral = statuses.filter(({ roled }) => roled.role === 'ephemeral').map(({ status }) => status);
  const generation = pod.metadata?.generation;
  return {
    phase,
    ...(memory.failed === undefined || phase !== 'Failed' ? {} : memory.failed),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditionsOf(view, phase, statuses, sandbox?.ready === true),
    hostIP: context.hostIP,
    hostIPs: [{ ip: context.hostIP }],
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? memory.status?.startTime ?? toTime(view.now_ms),
    qosClass: qosOf(spec),
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    containerStatuses: statuses.filter(({ roled }) => roled.role === 'main').map(({ status }) => status),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
  };
}

/**
 * A pod whose sandbox is gone is shown with the addresses that it had, as kubelet does (pkg/kubelet/pleg, getPodIPs).
 */
const lastAddresses = ({ pod, memory }: PodView): readonly string[] =>
  ((memory.status ?? pod.status)?.podIPs ?? []).map(({ ip }) => ip);

/** As kubelet has it: containers that wait for nothing are not shown, so that kubectl shows the reason. */
function refusedStatus({ pod, memory, now_ms }: PodView, failed: NonNullable<PodView['memory']['failed']>): PodStatus {
  const generation = pod.metadata?.generation;
  return {
    phase: 'Failed',
    ...failed,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    startTime: pod.status?.startTime ?? memory.status?.startTime ?? toTime(now_ms),
    qosClass: qosOf(specOf(pod)),
  };
}

interface Stated {
  readonly roled: RoledContainer;
  readonly status: ContainerStatus;
}

function containerStatus(view: PodView, roled: RoledContainer, context: StatusContext): ContainerStatus {
  const { container } = roled;
  const [record, previous] = recordsOf(view.runtime, container.name);
  const remembered = view.memory.containers.get(container.name) ?? {};
  const about = record !== undefined && remembered.containerId === record.id ? remembered : undefined;
  const state = stateOf(view, roled, record, remembered, context);
  const stored = storedStatus(view, container.name);
  const shown = record ?? undefined;
  const last =
    shown === undefined
      ? lostState(stored)
      : state.terminated === undefined && shown.phase === 'exited'
        ? shown
        : previous;
  const lastState =
    last === undefined ? undefined : 'exitCode' in last && 'id' in last ? terminatedState(last, context) : last;
  const running = state.running !== undefined;
  const started = running && hasStarted(roled, about);
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: shown?.imageId ?? '',
    ...(shown !== undefined
      ? { containerID: `${context.runtimeName}://${shown.id}` }
      : roled.role === 'ephemeral' && stored?.containerID !== undefined
        ? { containerID: stored.containerID }
        : {}),
    ready: readyOf(roled, state, started, about),
    started: roled.role === 'init' ? running : started,
    restartCount: shown?.attempt ?? stored?.restartCount ?? 0,
    state,
    lastState: lastState === undefined ? {} : { terminated: lastState },
    ...resourcesOf(roled, running ? about?.applied : undefined),
  };
}

/** What the container was given, and what of it the node has set aside (KEP-1287). */
function resourcesOf(
  { container, role }: RoledContainer,
  applied: Container['resources'],
): Pick<ContainerStatus, 'resources' | 'allocatedResources'> {
  const allocated = container.resources ?? {};
  if (role === 'ephemeral') return {};
  const { requests } = allocated;
  return { resources: applied ?? allocated, ...(requests === undefined ? {} : { allocatedResources: requests }) };
}

function storedStatus(view: PodView, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = view.pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
}

/** A container that was reported but is not to be found: the node was rebooted, or its runtime wiped. */
function lostState(stored: ContainerStatus | undefined): ContainerStateTerminated | undefined {
  if (stored?.state?.terminated !== undefined) return stored.state.terminated;
  if (stored?.state?.running === undefined) return stored?.lastState?.terminated;
  return {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was looked at again',
  };
}

function readyOf(
  roled: RoledContainer,
  state: ContainerState,
  started: boolean,
  about: ContainerMemory | undefined,
): boolean {
  if (roled.role === 'init') return state.terminated?.exitCode === 0;
  if (roled.role === 'ephemeral') return false;
  if (!started) return false;
  return roled.container.readinessProbe === undefined || about?.readiness === true;
}

function stateOf(
  view: PodView,
  roled: RoledContainer,
  record: ContainerRecord | undefined,
  remembered: ContainerMemory,
  context: StatusContext,
): ContainerState {
  const waiting = remembered.waiting ?? view.memory.trouble;
  if (record === undefined || record.phase === 'created') return { waiting: waitingState(view, roled, waiting) };
  if (record.phase !== 'exited') return { running: { startedAt: toTime(record.startedAt_ms) } };
  const ending =
    view.pod.metadata?.deletionTimestamp !== undefined ||
    view.memory.failed !== undefined ||
    isTerminal(view.pod) ||
    isComplete(view);
  const again = !ending && restarts(specOf(view.pod), roled.role, record.exitCode);
  if (again && remembered.waiting !== undefined) return { waiting: waitingState(view, roled, remembered.waiting) };
  if (again && remembered.crash !== undefined && restartAt(record, remembered, view.now_ms) !== undefined) {
    const message = `back-off ${duration(remembered.crash.delay_ms)} restarting failed container=${record.name} pod=${fullNameOf(keyOf(view.pod))}`;
    return { waiting: { reason: 'CrashLoopBackOff', message } };
  }
  return { terminated: terminatedState(record, context) };
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function waitingState(
  view: PodView,
  roled: RoledContainer,
  waiting: Waiting | undefined,
): { reason: string; message?: string } {
  if (waiting === undefined) {
    const initializing = roled.role === 'main' && (specOf(view.pod).initContainers ?? []).length > 0;
    return { reason: initializing ? 'PodInitializing' : 'ContainerCreating' };
  }
  if (waiting.reason === 'ErrImagePull' && view.now_ms - waiting.since_ms >= PULL_ERROR_SHOWN_MS) {
    return {
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "${roled.container.image ?? ''}": ErrImagePull: ${waiting.message}`,
    };
  }
  return { reason: waiting.reason, message: waiting.message };
}

function terminatedState(record: ContainerRecord, context: StatusContext): ContainerStateTerminated {
  const message = context.terminationMessage?.(record.id) ?? record.message;
  return {
    exitCode: record.exitCode,
    reason: record.reason === '' ? (record.exitCode === 0 ? 'Completed' : 'Error') : record.reason,
    ...(message === '' ? {} : { message }),
    startedAt: toTime(record.startedAt_ms),
    finishedAt: toTime(record.finishedAt_ms),
    containerID: `${context.runtimeName}://${record.id}`,
  };
}

const TERMINAL: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

/**
 * A pod ends with its last container, whatever decided its end: others take the node's resources, its volumes and its
 * name as free once they see a terminal phase. Until then the phase stays what it was.
 */
function settledPhaseOf(view: PodView, statuses: readonly Stated[]): string {
  const phase = phaseOf(view, statuses);
  const stored = view.pod.status?.phase ?? '';
  if (!TERMINAL.has(phase) || TERMINAL.has(stored)) return phase;
  const alive = view.runtime.containers.some((record) => record.phase === 'running' || record.phase === 'unknown');
  const starting = [...view.busy.keys()].some((key) => key.startsWith('container/'));
  return alive || starting ? (view.memory.status?.phase ?? (stored === '' ? 'Pending' : stored)) : phase;
}

function phaseOf(view: PodView, statuses: readonly Stated[]): string {
  const { pod, memory } = view;
  const stored = pod.status?.phase;
  if (stored === 'Succeeded' || stored === 'Failed') return stored;
  if (memory.failed !== undefined) return 'Failed';
  const main = statuses.filter(({ roled }) => roled.role === 'main').map(({ status }) => status);
  const over = main.every((status) => status.state?.terminated !== undefined);
  const succeeded = over && main.every((status) => status.state?.terminated?.exitCode === 0);
  if (isComplete(view) && !(over && main.length > 0)) return 'Failed'; // An init container failed for good.
  const ending = pod.metadata?.deletionTimestamp !== undefined;
  if (over && main.length > 0 && (ending || isComplete(view))) return succeeded ? 'Succeeded' : 'Failed';
  if (!isInitialized(view, statuses)) return 'Pending';
  const fresh = main.some(
    (status) => status.state?.waiting !== undefined && status.lastState?.terminated === undefined,
  );
  return fresh ? 'Pending' : 'Running';
}

function isInitialized(view: PodView, statuses: readonly Stated[]): boolean {
  const mainBegan = statuses.some(({ roled, status }) => roled.role === 'main' && status.containerID !== undefined);
  return mainBegan || unfinishedInit(statuses).length === 0;
}

function unfinishedInit(statuses: readonly Stated[]): string[] {
  return statuses
    .filter(({ roled, status }) =>
      roled.role === 'init' ? !status.ready : roled.role === 'sidecar' && status.started !== true,
    )
    .map(({ status }) => status.name);
}

type MakeCondition = (type: string, holds: boolean, reason?: string, message?: string) => PodCondition;

/** There only while a resize waits, or is under way. */
function resizeConditions(view: PodView, make: MakeCondition): PodCondition[] {
  const conditions: PodCondition[] = [];
  const { pendingResize } = view.memory;
  if (pendingResize !== undefined) conditions.push({ ...make('PodResizePending', true), ...pendingResize });
  const underWay = containersOf(specOf(view.pod)).flatMap(({ container }) => {
    const about = view.memory.containers.get(container.name);
    const [record] = recordsOf(view.runtime, container.name);
    const running = record?.phase === 'running' && about?.containerId === record.id;
    return running && changedResources(about.applied, container.resources).size > 0 ? [about] : [];
  });
  if (underWay.length === 0) return conditions;
  const error = underWay.find((about) => about.resizeError !== undefined)?.resizeError;
  return [
    ...conditions,
    { ...make('PodResizeInProgress', true), ...(error === undefined ? {} : { reason: 'Error', message: error }) },
  ];
}

function conditionsOf(
  view: PodView,
  phase: string,
  statuses: readonly Stated[],
  sandboxReady: boolean,
): PodCondition[] {
  const previous = view.memory.status?.conditions ?? view.pod.status?.conditions ?? [];
  const generation = view.pod.metadata?.generation;
  const make = (type: string, holds: boolean, reason = '', message = ''): PodCondition => {
    const status = holds ? 'True' : 'False';
    const before = previous.find((condition) => condition.type === type);
    return {
      type,
      status,
      ...(reason === '' || holds ? {} : { reason }),
      ...(message === '' || holds ? {} : { message }),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime:
        before?.status === status && before.lastTransitionTime !== undefined
          ? before.lastTransitionTime
          : toTime(view.now_ms),
    };
  };
  const serving = statuses.filter(({ roled }) => roled.role === 'main' || roled.role === 'sidecar');
  const unready = serving.filter(({ status }) => !status.ready).map(({ status }) => status.name);
  const done = phase === 'Succeeded' || phase === 'Failed';
  const reason = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady';
  const why = done ? '' : `containers with unready status: [${unready.join(' ')}]`;
  const containersReady = !done && unready.length === 0 && sandboxReady;
  const gates = (specOf(view.pod).readinessGates ?? []).map((gate) => gate.conditionType);
  const closed = gates.filter(
    (type) => view.pod.status?.conditions?.find((condition) => condition.type === type)?.status !== 'True',
  );
  const initialized = phase === 'Succeeded' || isInitialized(view, statuses);
  const ready =
    containersReady && closed.length > 0
      ? make(
          'Ready',
          false,
          'ReadinessGatesNotReady',
          closed
            .map((type) => `corresponding condition of pod readiness gate "${type}" does not exist or is not True.`)
            .join(', '),
        )
      : make('Ready', containersReady, reason, why);
  return [
    make('PodReadyToStartContainers', sandboxReady && !done),
    make(
      'Initialized',
      initialized,
      'ContainersNotInitialized',
      `containers with incomplete status: [${unfinishedInit(statuses).join(' ')}]`,
    ),
    ready,
    make('ContainersReady', containersReady, reason, why),
    make('PodScheduled', true),
    ...resizeConditions(view, make),
  ];
}
