/**
 * The state machine of a pod: what is wanted (the object), what is there (the runtime), what is remembered and what is
 * under way go in; what to begin now comes out. Pure: no I/O, no clock, nothing is changed. It looks at the present
 * only, so that an agent that was killed carries on from whatever it finds.
 */
import { approximate } from '../../../apimachinery/int64.js';
import type { ContainerRecord, RuntimeSnapshot, SandboxRecord } from '../runtime/runtime.js';
import type { ContainerMemory, PodMemory } from './memory.js';
import { currentBackOff } from './memory.js';
import type { RoledContainer } from '../pod-spec/spec.js';
import { changedResources, resizeRestarts } from './allocation.js';
import { containersOf, gracePeriodOf, hashOf, isTerminal, restarts, specOf } from '../pod-spec/spec.js';
import type { Pod } from '../pod-spec/types.js';

export type Action =
  | { readonly kind: 'volumes' }
  | { readonly kind: 'run-sandbox'; readonly attempt: number }
  | {
      readonly kind: 'start';
      readonly container: RoledContainer;
      readonly attempt: number;
      readonly sandbox: SandboxRecord;
    }
  | {
      readonly kind: 'stop';
      readonly record: ContainerRecord;
      readonly container: RoledContainer | undefined;
      readonly grace_s: number;
      readonly message: string;
    }
  | { readonly kind: 'resize'; readonly record: ContainerRecord; readonly container: RoledContainer }
  | { readonly kind: 'stop-sandbox'; readonly id: string }
  | { readonly kind: 'remove-container'; readonly id: string }
  | { readonly kind: 'remove-sandbox'; readonly id: string }
  /** Unmounts volumes, deletes logs and files. */
  | { readonly kind: 'release' }
  /** Says that the object may go. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'fail'; readonly reason: string; readonly message: string };

export interface PodView {
  readonly pod: Pod;
  /** The object is no more: nothing is reported, everything is cleaned away. */
  readonly gone: boolean;
  readonly runtime: RuntimeSnapshot;
  readonly memory: PodMemory;
  /** Keys of the actions under way; for a stop, the grace period it was begun with. */
  readonly busy: ReadonlyMap<string, number>;
  readonly now_ms: number;
}

export interface Decision {
  readonly actions: readonly Action[];
  /** Ask again after so long, if nothing happens before. */
  readonly wake_ms?: number;
}

/** At most one action of a key is under way. */
export function actionKey(action: Action): string {
  switch (action.kind) {
    case 'start':
      return `container/${action.container.container.name}`;
    case 'stop':
      return `stop/${action.record.id}`;
    case 'resize':
      return `resize/${action.record.id}`;
    case 'remove-container':
      return `remove/${action.id}`;
    case 'run-sandbox':
    case 'stop-sandbox':
    case 'remove-sandbox':
      return 'sandbox';
    default:
      return action.kind;
  }
}

/** How long a failed pull shows as such before it shows as waiting for the next. */
export const PULL_ERROR_SHOWN_MS = 2000;

class Plan {
  readonly view: PodView;
  readonly actions: Action[] = [];
  #wake_ms: number | undefined;

  constructor(view: PodView) {
    this.view = view;
  }

  /** Adds the action unless one of its key is under way; a stop may be followed by a more urgent one. */
  add(action: Action): void {
    const key = actionKey(action);
    const begun = this.view.busy.get(key);
    if (begun !== undefined && (action.kind !== 'stop' || begun <= action.grace_s)) return;
    if (this.actions.some((other) => actionKey(other) === key)) return;
    this.actions.push(action);
  }

  wakeAt(at_ms: number): void {
    const delay_ms = Math.max(at_ms - this.view.now_ms, 1);
    if (this.#wake_ms === undefined || delay_ms < this.#wake_ms) this.#wake_ms = delay_ms;
  }

  decision(): Decision {
    return { actions: this.actions, ...(this.#wake_ms === undefined ? {} : { wake_ms: this.#wake_ms }) };
  }
}

/** Records of one container, the newest first. */
export function recordsOf(runtime: RuntimeSnapshot, name: string): ContainerRecord[] {
  return runtime.containers
    .filter((record) => record.name === name)
    .toSorted((a, b) => b.attempt - a.attempt || b.createdAt_ms - a.createdAt_ms);
}

export function newestSandbox(runtime: RuntimeSnapshot): SandboxRecord | undefined {
  return runtime.sandboxes.toSorted((a, b) => b.attempt - a.attempt || b.createdAt_ms - a.createdAt_ms)[0];
}

export function decide(view: PodView): Decision {
  const plan = new Plan(view);
  const ending = view.gone || view.pod.metadata?.deletionTimestamp !== undefined;
  if (view.memory.released) {
    const again_ms = view.memory.retryAt_ms ?? 0;
    if (ending && !view.gone) {
      if (again_ms <= view.now_ms) plan.add({ kind: 'finished' });
      else plan.wakeAt(again_ms);
    }
  } else if (ending || isTerminal(view.pod) || view.memory.failed !== undefined || isComplete(view)) {
    windDown(plan, ending);
  } else {
    run(plan);
  }
  return plan.decision();
}

const isAlive = (record: ContainerRecord) => record.phase === 'running' || record.phase === 'unknown';

/** Whether every container has ended for good: the pod has succeeded or failed by itself. */
export function isComplete({ pod, runtime }: Pick<PodView, 'pod' | 'runtime'>): boolean {
  const spec = specOf(pod);
  const ended = (roled: RoledContainer) => {
    const [record] = recordsOf(runtime, roled.container.name);
    return record?.phase === 'exited' && !restarts(spec, roled.role, record.exitCode) ? record : undefined;
  };
  const all = containersOf(spec);
  if (all.some((roled) => roled.role === 'init' && (ended(roled)?.exitCode ?? 0) !== 0)) return true;
  const main = all.filter((roled) => roled.role === 'main');
  return main.length > 0 && main.every((roled) => ended(roled) !== undefined);
}

/** Seconds for a pod whose object is gone already: its grace period was spent, or refused, elsewhere. */
const GRACE_S_GONE = 2;

function windDown(plan: Plan, ending: boolean): void {
  const { view } = plan;
  const grace_s = view.gone ? Math.min(GRACE_S_GONE, gracePeriodOf(view.pod)) : gracePeriodOf(view.pod);
  if ([...view.busy.keys()].some((key) => key.startsWith('container/') || key === 'volumes')) return;
  const roles = new Map(containersOf(specOf(view.pod)).map((roled) => [roled.container.name, roled]));
  const alive = view.runtime.containers.filter(isAlive);
  const first = alive.filter((record) => roles.get(record.name)?.role !== 'sidecar');
  // Sidecars outlive those they serve, and end in reverse order (KEP-753).
  const sidecars = [...roles.values()].filter((roled) => roled.role === 'sidecar').map((roled) => roled.container.name);
  const lastSidecar = sidecars.findLast((name) => alive.some((record) => record.name === name));
  const next = first.length > 0 ? first : alive.filter((record) => record.name === lastSidecar);
  for (const record of next) {
    plan.add({
      kind: 'stop',
      record,
      container: roles.get(record.name),
      grace_s,
      message: `Stopping container ${record.name}`,
    });
  }
  if (alive.length > 0) return;
  const ready = view.runtime.sandboxes.find((sandbox) => sandbox.ready);
  if (ready !== undefined) plan.add({ kind: 'stop-sandbox', id: ready.id });
  else if (ending) cleanUp(plan);
}

function cleanUp(plan: Plan): void {
  const [sandbox] = plan.view.runtime.sandboxes;
  const [stray] = plan.view.runtime.containers;
  if (plan.view.busy.has('sandbox')) return;
  if (sandbox !== undefined) plan.add({ kind: 'remove-sandbox', id: sandbox.id });
  else if (stray !== undefined) plan.add({ kind: 'remove-container', id: stray.id });
  else plan.add({ kind: 'release' });
}

function run(plan: Plan): void {
  const { pod, memory, now_ms, runtime } = plan.view;
  const deadline_ms = deadlineOf(pod);
  if (deadline_ms !== undefined && now_ms >= deadline_ms) {
    plan.add({
      kind: 'fail',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    return;
  }
  if (deadline_ms !== undefined) plan.wakeAt(deadline_ms);
  if (memory.retryAt_ms !== undefined && memory.retryAt_ms > now_ms) {
    plan.wakeAt(memory.retryAt_ms);
    return;
  }
  if (!memory.volumesReady) {
    plan.add({ kind: 'volumes' });
    return;
  }
  const sandbox = newestSandbox(runtime);
  if (sandbox === undefined || !sandbox.ready) {
    // What still runs in a sandbox that is not ready has lost its network: it ends before the next begins.
    const left = runtime.containers.some(isAlive);
    if (left && sandbox !== undefined) plan.add({ kind: 'stop-sandbox', id: sandbox.id });
    else plan.add({ kind: 'run-sandbox', attempt: (sandbox?.attempt ?? -1) + 1 });
    return;
  }
  runContainers(plan, sandbox);
  discardOld(plan, sandbox);
}

function deadlineOf(pod: Pod): number | undefined {
  const seconds = pod.spec?.activeDeadlineSeconds;
  const start = pod.status?.startTime;
  return seconds === undefined || start === undefined ? undefined : Date.parse(start) + approximate(seconds) * 1000;
}

function runContainers(plan: Plan, sandbox: SandboxRecord): void {
  const all = containersOf(specOf(plan.view.pod));
  const here = plan.view.runtime.containers.filter((record) => record.sandboxId === sandbox.id);
  // Records of init containers may be removed; that others run here proves that they are done.
  const initialized = all.some(
    (roled) => roled.role === 'main' && here.some((record) => record.name === roled.container.name),
  );
  for (const roled of all) {
    if (roled.role === 'init' && initialized) continue;
    const done = tend(plan, roled, sandbox);
    if (!done && (roled.role === 'init' || roled.role === 'sidecar') && !initialized) return;
  }
}

/** Brings one container forward. True when those after it in the order of start may begin. */
function tend(plan: Plan, roled: RoledContainer, sandbox: SandboxRecord): boolean {
  const { pod, runtime, memory, busy } = plan.view;
  const { name } = roled.container;
  const [record] = recordsOf(runtime, name);
  const remembered = memory.containers.get(name) ?? {};
  if (busy.has(`container/${name}`)) return false;
  if (record === undefined || record.sandboxId !== sandbox.id) {
    // Looked for once: what it was to look at is gone with the old sandbox.
    if (roled.role === 'ephemeral' && (record !== undefined || wasStarted(pod, name))) return true;
    start(plan, roled, sandbox, record);
    return false;
  }
  switch (record.phase) {
    case 'created':
      plan.add({ kind: 'remove-container', id: record.id });
      return false;
    case 'exited':
      if (roled.role === 'init' && record.exitCode === 0) return true;
      if (restarts(specOf(pod), roled.role, record.exitCode)) start(plan, roled, sandbox, record);
      return false;
    case 'running':
    case 'unknown':
      return tendRunning(plan, roled, record, remembered);
  }
}

function tendRunning(plan: Plan, roled: RoledContainer, record: ContainerRecord, remembered: ContainerMemory): boolean {
  const about = remembered.containerId === record.id ? remembered : undefined;
  const changed = record.annotations['navarch.dev/container-hash'];
  const resized = about === undefined ? new Set<string>() : changedResources(about.applied, roled.container.resources);
  const kill =
    about?.kill ??
    (changed !== undefined && changed !== hashOf(roled.container)
      ? { reason: 'Changed', message: `Container ${record.name} definition changed, will be restarted` }
      : resizeRestarts(roled.container, resized)
        ? { reason: 'Resized', message: `Container ${record.name} resize requires restart` }
        : undefined);
  if (kill !== undefined) {
    const grace_s = kill.grace_s ?? gracePeriodOf(plan.view.pod);
    plan.add({ kind: 'stop', record, container: roled, grace_s, message: kill.message });
    return false;
  }
  if (resized.size > 0) resize(plan, roled, record, about);
  if (roled.role !== 'sidecar') return false;
  return hasStarted(roled, about);
}

function resize(
  plan: Plan,
  container: RoledContainer,
  record: ContainerRecord,
  about: ContainerMemory | undefined,
): void {
  const at_ms = about?.resizeAt_ms ?? 0;
  if (at_ms > plan.view.now_ms) plan.wakeAt(at_ms);
  else plan.add({ kind: 'resize', record, container });
}

/** Whether a running container counts as started: no startup probe that has yet to succeed, no hook under way. */
export function hasStarted(roled: RoledContainer, about: ContainerMemory | undefined): boolean {
  if (about?.hook === true) return false;
  return roled.container.startupProbe === undefined || about?.startup === true;
}

function start(plan: Plan, roled: RoledContainer, sandbox: SandboxRecord, last: ContainerRecord | undefined): void {
  const { memory, now_ms, pod } = plan.view;
  const remembered = memory.containers.get(roled.container.name) ?? {};
  const notBefore_ms = Math.max(remembered.retryAt_ms ?? 0, restartAt(last, remembered, now_ms) ?? 0);
  if (notBefore_ms > now_ms) {
    const shownUntil_ms = (remembered.waiting?.since_ms ?? 0) + PULL_ERROR_SHOWN_MS;
    if (shownUntil_ms > now_ms) plan.wakeAt(shownUntil_ms);
    plan.wakeAt(notBefore_ms);
    return;
  }
  plan.add({ kind: 'start', container: roled, attempt: nextAttempt(pod, roled, last), sandbox });
}

/**
 * When a container that ended may start again; undefined: at once. One that ended in the future (the clock went back)
 * has waited: no look may move the time of the start on.
 */
export function restartAt(
  last: ContainerRecord | undefined,
  remembered: ContainerMemory,
  now_ms: number,
): number | undefined {
  const crash = currentBackOff(remembered.crash, now_ms);
  if (last?.phase !== 'exited' || crash === undefined || last.finishedAt_ms > now_ms) return undefined;
  const at_ms = last.finishedAt_ms + crash.delay_ms;
  return at_ms > now_ms ? at_ms : undefined;
}

function wasStarted(pod: Pod, name: string): boolean {
  const stored = pod.status?.ephemeralContainerStatuses?.find((status) => status.name === name);
  return (stored?.containerID ?? '') !== '';
}

function nextAttempt(pod: Pod, roled: RoledContainer, last: ContainerRecord | undefined): number {
  if (last !== undefined) return last.attempt + 1;
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const stored = statuses.find((status) => status.name === roled.container.name);
  return stored?.containerID === undefined || stored.containerID === '' ? 0 : stored.restartCount + 1;
}

/**
 * Keeps the newest two of each container (its state and its last state), and the newest sandbox with what it explains.
 */
function discardOld(plan: Plan, newest: SandboxRecord): void {
  const { runtime } = plan.view;
  const names = new Set(runtime.containers.map((record) => record.name));
  for (const name of names) {
    for (const record of recordsOf(runtime, name).slice(2)) {
      if (record.phase === 'exited') plan.add({ kind: 'remove-container', id: record.id });
    }
  }
  const old = runtime.sandboxes.find(
    (sandbox) => sandbox.id !== newest.id && !runtime.containers.some((record) => record.sandboxId === sandbox.id),
  );
  if (old !== undefined) plan.add({ kind: 'remove-sandbox', id: old.id });
}
