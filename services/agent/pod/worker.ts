/**
 * The driver of one pod: looks at it, asks `decide` what to do, begins that, reports its status, and looks again when
 * something has happened. Everything it decides by is in `decide.ts` and `status.ts`.
 */
import type { Timer } from '../../../platform/clock.js';
import { Coalesced } from '../../../platform/coalesced.js';
import type { ContainerRecord, RuntimeSnapshot } from '../runtime/runtime.js';
import { lastWords } from '../logs/tail.js';
import { PodActions } from './actions.js';
import { backOffEvents } from './back-off-events.js';
import { actionKey, decide, recordsOf } from './decide.js';
import type { Action, PodView } from './decide.js';
import type { PodEnvironment } from './environment.js';
import { admissionRefusal } from './admission.js';
import { Allocation } from './allocation.js';
import { memoryOf, newMemory } from './memory.js';
import { ANNOTATIONS } from './container-spec.js';
import { ContainerProbes } from './container-probes.js';
import { containersOf, isTerminal, keyOf, specOf } from '../pod-spec/spec.js';
import type { PodKey } from '../pod-spec/spec.js';
import { sameStatus } from './same-status.js';
import { statusOf } from './status.js';
import type { ContainerStatus, Pod, PodStatus } from '../pod-spec/types.js';

/** How often a pod is looked at when nothing happens: tokens fall due, a report may have been lost. */
const LOOK_INTERVAL_MS = 30_000;
/** And how soon when the runtime did not answer. */
const UNLISTED_MS = 1_000;
/** A status that the API does not show is reported again no more often than this. */
const REPORT_INTERVAL_MS = 5_000;

export class PodWorker {
  readonly key: PodKey;
  readonly #environment: PodEnvironment;
  readonly #memory = newMemory();
  readonly #allocation = new Allocation();
  readonly #busy = new Map<string, number>();
  readonly #looks = new Coalesced({
    run: async () => {
      // Events of one turn are one look.
      await new Promise<void>((resolve) => this.#environment.clock.immediate(resolve));
      if (!this.#stopped) await this.#sync();
    },
    onFailure: (error) => {
      this.#environment.logger.error({ pod: this.key, error: String(error) }, 'looking at a pod failed');
      this.#environment.part.fault(error);
    },
  });
  readonly #actions: PodActions;
  readonly #probes: ContainerProbes;
  readonly #messages = new Map<string, string>();
  readonly #onGone: () => void;
  #pod: Pod;
  #gone = false;
  #runtime: RuntimeSnapshot = { sandboxes: [], containers: [] };
  #stale = true;
  #stopped = false;
  #wake: Timer | undefined;
  #reportedAt_ms = -Infinity;
  #finalStatus = false;

  /** `onGone` is called once nothing is left of a pod whose object is gone. */
  constructor(environment: PodEnvironment, pod: Pod, onGone: () => void) {
    this.#environment = environment;
    this.#pod = pod;
    this.#onGone = onGone;
    this.key = keyOf(pod);
    this.#actions = new PodActions(environment, this.#memory, () => this.allocated);
    this.#probes = new ContainerProbes(
      environment,
      this.#memory,
      () => this.#pod,
      () => this.look(),
    );
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The pod with the resources that the node has set aside for it. */
  get allocated(): Pod {
    return this.#allocation.apply(this.#pod);
  }

  /** Nothing of it runs any more, or will. */
  get isOver(): boolean {
    return isTerminal(this.#pod) || this.#memory.released;
  }

  /**
   * The node's room is less by what it asks for. A pod whose object is gone leaves its room to the next, also while it
   * still ends.
   */
  get takesRoom(): boolean {
    const isHere = this.#memory.admitted || this.#pod.status?.startTime !== undefined;
    return (
      isHere &&
      !this.isOver &&
      !this.#gone &&
      this.phase !== 'Succeeded' &&
      this.phase !== 'Failed' &&
      this.#memory.failed === undefined
    );
  }

  get waitsForRoom(): boolean {
    return this.#memory.pendingResize?.reason === 'Deferred';
  }

  get gone(): boolean {
    return this.#gone;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get snapshot(): RuntimeSnapshot {
    return this.#runtime;
  }

  get phase(): string {
    return this.#memory.status?.phase ?? this.#pod.status?.phase ?? 'Pending';
  }

  /** The object as the API holds it now. */
  update(pod: Pod): void {
    this.#pod = pod;
    this.look();
  }

  /** The object is gone: clean up, report nothing. */
  remove(): void {
    this.#gone = true;
    this.look();
  }

  /** The runtime has changed something of this pod. */
  notice(): void {
    this.#stale = true;
    this.look();
  }

  /** A ConfigMap, Secret or Service variable it refers to has changed. */
  sourcesChanged(): void {
    this.#memory.retryAt_ms = undefined;
    for (const remembered of this.#memory.containers.values()) {
      if (remembered.waiting?.reason === 'CreateContainerConfigError') remembered.retryAt_ms = undefined;
    }
    this.#actions.refreshVolumes();
    this.look();
  }

  /** Reports the status again, to a new primary member. */
  repeat(): void {
    this.#reportedAt_ms = -Infinity;
    this.look();
  }

  look(): void {
    this.#looks.request();
  }

  /** Lets go of the pod and leaves everything as it is: containers live on. */
  stop(): void {
    this.#stopped = true;
    void this.#looks.stop();
    this.#wake?.cancel();
    this.#probes.stop();
  }

  async #sync(): Promise<void> {
    if (this.#stale) {
      this.#stale = false;
      const listed = await this.#environment.runtime
        .list(this.key.uid)
        .catch((error: unknown) => this.#unlisted(error));
      if (listed === undefined) return;
      this.#runtime = listed;
      await this.#observe();
    }
    this.#admit();
    this.#admitResize();
    const { actions, wake_ms = LOOK_INTERVAL_MS } = decide(this.#view());
    for (const action of actions) this.#begin(action);
    this.#actions.renewTokens();
    // A report may be lost on its way: until the API shows it, it is repeated sooner than the pod would be looked at.
    const shown = this.#report();
    this.#sleep(Math.min(wake_ms, shown ? LOOK_INTERVAL_MS : REPORT_INTERVAL_MS));
    if (this.#gone && this.#memory.released && this.#busy.size === 0) {
      this.stop();
      this.#onGone();
    }
  }

  /** A runtime that does not answer is no fault: it is asked again. */
  #unlisted(error: unknown): undefined {
    this.#environment.logger.warn({ pod: this.key, error: String(error) }, 'the runtime cannot be asked about a pod');
    this.#stale = true;
    this.#sleep(UNLISTED_MS);
  }

  #view(): PodView {
    return {
      pod: this.allocated,
      gone: this.#gone,
      runtime: this.#runtime,
      memory: this.#memory,
      busy: this.#busy,
      now_ms: this.#environment.clock.now(),
    };
  }

  /** Once, before anything is made of the pod. What runs already, or did before the agent was started again, stays. */
  #admit(): void {
    const { sandboxes, containers } = this.#runtime;
    if (this.#memory.admitted || this.#memory.failed !== undefined || this.#gone || isTerminal(this.#pod)) return;
    const isHere = sandboxes.length > 0 || containers.length > 0 || this.#pod.status?.startTime !== undefined;
    const environment = this.#environment;
    const refusal = isHere
      ? undefined
      : admissionRefusal(this.#pod, {
          allocatable: environment.allocatable(),
          node: environment.nodeObject(),
          ...environment.takenByOthers(this.key.uid),
        });
    this.#memory.admitted = refusal === undefined;
    if (refusal === undefined) return;
    const { reason, message } = refusal;
    this.#memory.failed = { reason, message: `Pod was rejected: ${message}` };
    this.#environment.event({ key: this.key, fieldPath: '', type: 'Warning', reason, message });
  }

  #admitResize(): void {
    const { uid } = this.key;
    const before = this.#memory.pendingResize;
    this.#allocation.admit(this.#pod, {
      allocatable: this.#environment.allocatable(),
      requested: this.#environment.requestedByOthers(uid),
    });
    const pending = this.#allocation.pending;
    this.#memory.pendingResize = pending;
    if (pending === undefined || pending.message === before?.message) return;
    this.#environment.event({
      key: this.key,
      fieldPath: '',
      type: 'Warning',
      reason: `Resize${pending.reason}`,
      message: `Pod resize ${pending.reason}: ${pending.message}`,
    });
  }

  /** Notes which containers are new and which have ended: probes follow them. */
  async #observe(): Promise<void> {
    for (const roled of containersOf(specOf(this.#pod))) {
      const [record] = recordsOf(this.#runtime, roled.container.name);
      const remembered = memoryOf(this.#memory, roled.container.name);
      if (record !== undefined && remembered.containerId !== record.id) {
        const before = this.#adopted(record);
        Object.assign(remembered, {
          containerId: record.id,
          startup: before?.started === true ? true : undefined,
          liveness: undefined,
          readiness: before?.ready === true ? true : undefined,
          kill: undefined,
          applied: before?.resources ?? roled.container.resources ?? {},
        });
      }
      await this.#readMessage(record);
    }
    this.#probes.follow(this.#runtime);
  }

  /**
   * What was last reported of a container that another run of the agent started: until a probe says otherwise it holds.
   */
  #adopted(record: ContainerRecord): ContainerStatus | undefined {
    const { containerStatuses = [], initContainerStatuses = [] } = this.#pod.status ?? {};
    return [...containerStatuses, ...initContainerStatuses].find(
      (status) => status.containerID?.endsWith(`://${record.id}`) === true,
    );
  }

  async #readMessage(record: ContainerRecord | undefined): Promise<void> {
    if (record?.phase !== 'exited' || this.#messages.has(record.id)) return;
    const message = await this.#environment.volumes.terminationMessage(this.key.uid, record.name, record.attempt);
    const fallsBack =
      record.annotations[ANNOTATIONS.messagePolicy] === 'FallbackToLogsOnError' &&
      record.exitCode !== 0 &&
      record.logPath !== '';
    const words = message === undefined && fallsBack ? await lastWords(record.logPath) : '';
    this.#messages.set(record.id, message ?? (words === '' ? record.message : words));
  }

  #begin(action: Action): void {
    if (action.kind === 'fail') {
      this.#memory.failed = { reason: action.reason, message: action.message };
      this.#looks.request();
      return;
    }
    const key = actionKey(action);
    const weight = action.kind === 'stop' ? action.grace_s : 0;
    this.#busy.set(key, weight);
    if (action.kind === 'stop') this.#probes.release(action.record.id);
    void this.#actions
      .execute(action, this.#runtime)
      .catch((error: unknown) => {
        this.#environment.logger.warn(
          { pod: this.key, action: action.kind, error: String(error) },
          'an action on a pod failed',
        );
        this.#memory.retryAt_ms = this.#environment.clock.now() + 1000;
      })
      .finally(() => {
        if (this.#busy.get(key) === weight) this.#busy.delete(key);
        this.notice();
      });
  }

  /** False when the API does not show yet what was reported. */
  #report(): boolean {
    const ending = this.#gone || this.#pod.metadata?.deletionTimestamp !== undefined;
    if (this.#gone || this.#memory.released || this.#finalStatus) return true;
    const status = statusOf(this.#view(), {
      hostIP: this.#environment.hostIP,
      runtimeName: this.#environment.runtime.name === 'cri' ? 'containerd' : this.#environment.runtime.name,
      terminationMessage: (id) => this.#messages.get(id),
    });
    const alive = this.#runtime.containers.some((record) => record.phase === 'running');
    this.#finalStatus = ending && !alive && this.#runtime.containers.length > 0;
    return this.#send(status);
  }

  #send(status: PodStatus): boolean {
    const now_ms = this.#environment.clock.monotonic();
    const changed = !sameStatus(this.#memory.status, status);
    const shown = sameStatus(this.#pod.status, status);
    if (!changed && (shown || now_ms - this.#reportedAt_ms < REPORT_INTERVAL_MS)) return shown;
    for (const event of backOffEvents(this.#pod, this.#memory.status ?? this.#pod.status, status))
      this.#environment.event(event);
    this.#memory.status = status;
    this.#reportedAt_ms = now_ms;
    this.#environment.reportStatus(this.key, status);
    return shown;
  }

  #sleep(delay_ms: number): void {
    this.#wake?.cancel();
    this.#wake = this.#environment.clock.after(delay_ms, () => this.look());
  }
}
