/** Sandboxes and containers that exist only as records: what the hollow and the fake runtime keep. */
import { apiErrors } from '../../../apimachinery/status.js';
import type { ApiError } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { ContainerRecord, ContainerSpec, RuntimeSnapshot, SandboxRecord, SandboxSpec } from './runtime.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function unknownContainer(id: string): ApiError {
  return apiErrors.badRequest(`container ${id} is not known to the runtime`);
}

export class PodTable {
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #pods = new Map<
    string,
    { sandboxes: Map<string, Mutable<SandboxRecord>>; containers: Map<string, Mutable<ContainerRecord>> }
  >();
  readonly #uidOf = new Map<string, string>();
  readonly #listeners = new Set<(podUid: string) => void>();
  #counter = 0;

  constructor(clock: Clock, prefix: string) {
    this.#clock = clock;
    this.#prefix = prefix;
  }

  snapshot(podUid?: string): RuntimeSnapshot {
    const pods = podUid === undefined ? [...this.#pods.values()] : [this.#pods.get(podUid)];
    return {
      sandboxes: pods.flatMap((pod) => [...(pod?.sandboxes.values() ?? [])].map((record) => ({ ...record }))),
      containers: pods.flatMap((pod) => [...(pod?.containers.values() ?? [])].map((record) => ({ ...record }))),
    };
  }

  containersIn(sandboxId: string): ContainerRecord[] {
    return [...this.#podOf(sandboxId).containers.values()].filter((container) => container.sandboxId === sandboxId);
  }

  addSandbox(spec: SandboxSpec, ip: string): string {
    const id = this.#newId(spec.uid);
    const pod = this.#pods.get(spec.uid) ?? { sandboxes: new Map(), containers: new Map() };
    this.#pods.set(spec.uid, pod);
    pod.sandboxes.set(id, {
      id,
      namespace: spec.namespace,
      name: spec.name,
      uid: spec.uid,
      attempt: spec.attempt,
      ready: true,
      createdAt_ms: this.#clock.now(),
      ips: [ip],
      labels: spec.labels,
      annotations: spec.annotations,
    });
    this.#changed(spec.uid);
    return id;
  }

  stopSandbox(id: string): void {
    const { sandboxes, containers } = this.#podOf(id);
    for (const container of containers.values()) {
      if (container.sandboxId === id) this.exited(container.id, 137);
    }
    const sandbox = sandboxes.get(id);
    if (sandbox !== undefined) Object.assign(sandbox, { ready: false, ips: [] });
    this.#changed(this.#uidOf.get(id));
  }

  removeSandbox(id: string): void {
    const { sandboxes, containers } = this.#podOf(id);
    for (const container of containers.values()) {
      if (container.sandboxId !== id) continue;
      containers.delete(container.id);
      this.#uidOf.delete(container.id);
    }
    sandboxes.delete(id);
    const uid = this.#uidOf.get(id);
    this.#uidOf.delete(id);
    if (uid !== undefined && sandboxes.size === 0 && containers.size === 0) this.#pods.delete(uid);
    this.#changed(uid);
  }

  addContainer(sandboxId: string, spec: ContainerSpec): string {
    const podUid = this.#uidOf.get(sandboxId) ?? '';
    const pod = this.#podOf(sandboxId);
    this.readySandbox(sandboxId);
    const id = this.#newId(podUid);
    pod.containers.set(id, {
      id,
      sandboxId,
      podUid,
      name: spec.name,
      attempt: spec.attempt,
      phase: 'created',
      createdAt_ms: this.#clock.now(),
      startedAt_ms: 0,
      finishedAt_ms: 0,
      exitCode: 0,
      reason: '',
      message: '',
      image: spec.image,
      imageId: `sha256:${spec.image}`,
      labels: spec.labels,
      annotations: spec.annotations,
      logPath: '',
    });
    return id;
  }

  /** Throws unless the container was created and never started. */
  started(id: string): void {
    const { phase } = this.#known(id);
    if (phase !== 'created') throw apiErrors.badRequest(`container ${id} cannot be started: it is ${phase}`);
    this.#update(id, { phase: 'running', startedAt_ms: this.#clock.now() });
  }

  /** Does nothing to a container that is not running. */
  exited(id: string, exitCode: number, reason = ''): void {
    const container = this.container(id);
    if (container?.phase === 'running') {
      this.#update(id, {
        phase: 'exited',
        exitCode,
        finishedAt_ms: this.#clock.now(),
        reason: reason === '' ? (exitCode === 0 ? 'Completed' : 'Error') : reason,
      });
    }
  }

  removeContainer(id: string): void {
    const uid = this.#uidOf.get(id);
    this.#podOf(id).containers.delete(id);
    this.#uidOf.delete(id);
    this.#changed(uid);
  }

  /** Throws unless the sandbox is ready. */
  readySandbox(id: string): void {
    if (this.#podOf(id).sandboxes.get(id)?.ready !== true) throw apiErrors.badRequest(`sandbox ${id} is not ready`);
  }

  /** Throws unless the container is running. */
  running(id: string): void {
    const { phase } = this.#known(id);
    if (phase !== 'running') throw apiErrors.badRequest(`container ${id} is not running: it is ${phase}`);
  }

  container(id: string): ContainerRecord | undefined {
    return this.#podOf(id).containers.get(id);
  }

  /** The newest container of that name, in whichever pod. */
  find(name: string): ContainerRecord {
    const found = this.snapshot()
      .containers.filter((record) => record.name === name)
      .toSorted((a, b) => b.attempt - a.attempt)[0];
    if (found === undefined) throw new Error(`no container ${name}`);
    return found;
  }

  labelOf(id: string): string {
    const container = this.container(id);
    return container === undefined ? id : `${container.name}/${container.attempt}`;
  }

  onChange(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #podOf(id: string) {
    return (
      this.#pods.get(this.#uidOf.get(id) ?? '') ?? {
        sandboxes: new Map<string, Mutable<SandboxRecord>>(),
        containers: new Map<string, Mutable<ContainerRecord>>(),
      }
    );
  }

  #known(id: string): Mutable<ContainerRecord> {
    const container = this.#podOf(id).containers.get(id);
    if (container === undefined) throw unknownContainer(id);
    return container;
  }

  #update(id: string, change: Partial<ContainerRecord>): void {
    const container = this.#known(id);
    Object.assign(container, change);
    this.#changed(container.podUid);
  }

  #newId(podUid: string): string {
    const id = `${this.#prefix}-${++this.#counter}`;
    this.#uidOf.set(id, podUid);
    return id;
  }

  #changed(podUid: string | undefined): void {
    if (podUid === undefined) return;
    for (const listener of this.#listeners) listener(podUid);
  }
}
