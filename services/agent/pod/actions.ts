/** Carries out what `decide` asks for, one action at a time of each key, and remembers why things fail. */
import { Coalesced } from '../../../platform/coalesced.js';
import type { ContainerRecord, RegistryAuth, RuntimeSnapshot, SandboxRecord } from '../runtime/runtime.js';
import { ConfigError } from '../pod-spec/env.js';
import type { VolumePaths } from '../volumes/volumes.js';
import { containerSpec, hostnameOf, sandboxSpec, subPathsOf } from './container-spec.js';
import { isComplete, recordsOf } from './decide.js';
import type { Action } from './decide.js';
import type { PodEnvironment, PodEvent } from './environment.js';
import { ImageError } from './images.js';
import type { PodMemory } from './memory.js';
import { currentBackOff, memoryOf, nextBackOff } from './memory.js';
import { registryAuths } from './registry-auth.js';
import type { RoledContainer } from '../pod-spec/spec.js';
import { cgroupOf } from '../pod-spec/resources.js';
import { fieldPathOf, isTerminal, keyOf, specOf } from '../pod-spec/spec.js';
import { PodTokens } from './tokens.js';
import type { Pod } from '../pod-spec/types.js';
import type { VolumeSources } from '../volumes/sources.js';

type StartAction = Extract<Action, { kind: 'start' }>;
type StopAction = Extract<Action, { kind: 'stop' }>;
type ResizeAction = Extract<Action, { kind: 'resize' }>;

const CONFIG_RETRY_MS = 10_000;
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export class PodActions {
  readonly #environment: PodEnvironment;
  readonly #memory: PodMemory;
  readonly #pod: () => Pod;
  readonly #tokens: PodTokens;
  #paths: VolumePaths = new Map();
  readonly #refreshes = new Coalesced({
    run: () => this.#refresh(),
    onFailure: (error) => {
      this.#environment.logger.warn({ pod: keyOf(this.#pod()), error: messageOf(error) }, 'volumes were not refreshed');
    },
  });

  constructor(environment: PodEnvironment, memory: PodMemory, pod: () => Pod) {
    this.#environment = environment;
    this.#memory = memory;
    this.#pod = pod;
    this.#tokens = new PodTokens(environment);
  }

  async execute(action: Action, runtime: RuntimeSnapshot): Promise<void> {
    const { runtime: driver } = this.#environment;
    switch (action.kind) {
      case 'volumes':
        return (await this.#ensureCgroup()) ? this.#prepareVolumes() : undefined;
      case 'run-sandbox':
        return this.#runSandbox(action.attempt);
      case 'start':
        return this.#start(action, runtime);
      case 'stop':
        return this.#stop(action, runtime);
      case 'resize':
        return this.#resize(action);
      case 'stop-sandbox':
        await driver.stopSandbox(action.id);
        return this.#ended(runtime) ? this.#environment.cgroups.remove(keyOf(this.#pod()).uid) : undefined;
      case 'remove-container':
        return driver.removeContainer(action.id);
      case 'remove-sandbox':
        return driver.removeSandbox(action.id);
      case 'release':
        await this.#environment.volumes.release(keyOf(this.#pod()));
        await this.#environment.cgroups.remove(keyOf(this.#pod()).uid);
        this.#memory.released = true;
        return;
      case 'finished':
        this.#environment.reportTerminated(keyOf(this.#pod()));
        this.#memory.retryAt_ms = this.#environment.clock.now() + CONFIG_RETRY_MS;
        return;
      case 'fail':
        return;
    }
  }

  /**
   * Writes changed ConfigMaps, Secrets and tokens into volumes that are mounted. One at a time; failures wait for the
   * next change.
   */
  refreshVolumes(): void {
    if (!this.#memory.volumesReady || this.#memory.released) return;
    this.#refreshes.request();
  }

  renewTokens(): void {
    if (
      this.#memory.volumesReady &&
      this.#pod().metadata?.deletionTimestamp === undefined &&
      this.#tokens.due(this.#pod())
    )
      this.refreshVolumes();
  }

  async #refresh(): Promise<void> {
    if (this.#memory.released) return;
    await this.#tokens.fetch(this.#pod(), keyOf(this.#pod()));
    await this.#environment.volumes.refresh(this.#pod(), this.#sources([]));
  }

  #sources(podIPs: readonly string[]): VolumeSources {
    const environment = this.#environment;
    return {
      configMap: (namespace, name) => environment.objects.configMap(namespace, name),
      secret: (namespace, name) => environment.objects.secret(namespace, name),
      object: (reference) => environment.objects.get(reference),
      serviceEnvironment: environment.serviceEnvironment(keyOf(this.#pod()).uid),
      podIPs,
      hostIP: environment.hostIP,
      nodeName: environment.nodeName,
      allocatable: environment.allocatable(),
      token: (need) => this.#tokens.get(need),
    };
  }

  /** Nothing more is to run in this pod. */
  #ended(runtime: RuntimeSnapshot): boolean {
    return (
      isComplete({ pod: this.#pod(), runtime }) ||
      this.#pod().metadata?.deletionTimestamp !== undefined ||
      isTerminal(this.#pod()) ||
      this.#memory.failed !== undefined
    );
  }

  /** Also of a pod that is adopted: its agent may have been killed before, or been an older one. */
  async #ensureCgroup(): Promise<boolean> {
    try {
      await this.#environment.cgroups.ensure(this.#pod());
      return true;
    } catch (error) {
      this.#trouble(
        'FailedCreatePodContainer',
        `unable to ensure pod container exists: ${messageOf(error)}`,
        'ContainerCreating',
      );
      return false;
    }
  }

  async #prepareVolumes(): Promise<void> {
    // Without a member there are no tokens; volumes that were made before serve with what they hold.
    const refused = await this.#tokens.fetch(this.#pod(), keyOf(this.#pod())).then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      this.#paths = await this.#environment.volumes.prepare(this.#pod(), this.#sources([]));
      this.#memory.volumesReady = true;
      this.#clearTrouble();
    } catch (error) {
      this.#trouble('FailedMount', `MountVolume.SetUp failed: ${messageOf(refused ?? error)}`, 'ContainerCreating');
    }
  }

  async #runSandbox(attempt: number): Promise<void> {
    const environment = this.#environment;
    if (!(await this.#ensureCgroup())) return;
    const info = await environment.runtime.info();
    if (!info.networkReady && this.#pod().spec?.hostNetwork !== true) {
      this.#trouble('NetworkNotReady', `network is not ready: ${info.message}`, 'ContainerCreating');
      return;
    }
    try {
      await environment.runtime.runSandbox(sandboxSpec(this.#pod(), attempt, environment.node, environment.logRoot));
      this.#clearTrouble();
    } catch (error) {
      this.#trouble('FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`, 'ContainerCreating');
    }
  }

  #clearTrouble(): void {
    this.#memory.trouble = undefined;
    this.#memory.retry = undefined;
    this.#memory.retryAt_ms = undefined;
  }

  #trouble(reason: string, message: string, waiting: string): void {
    const now_ms = this.#environment.clock.now();
    // Starts a tenth as long as for containers: networks and mounts settle soon after a node's start.
    this.#memory.retry = nextBackOff(this.#memory.retry, now_ms);
    this.#memory.trouble = { reason: waiting, message, since_ms: now_ms };
    this.#memory.retryAt_ms = now_ms + this.#memory.retry.delay_ms / 10;
    this.#event('', 'Warning', reason, message);
  }

  async #start(action: StartAction, runtime: RuntimeSnapshot): Promise<void> {
    const {
      container: { container },
      container: roled,
      attempt,
    } = action;
    const environment = this.#environment;
    const remembered = memoryOf(this.#memory, container.name);
    const [last] = recordsOf(runtime, container.name);
    let stage = 'CreateContainerError';
    try {
      const image = await this.#ensureImage(roled);
      const ips = action.sandbox.ips.length > 0 ? action.sandbox.ips : [environment.hostIP];
      const sandbox = sandboxSpec(this.#pod(), action.sandbox.attempt, environment.node, environment.logRoot);
      if (this.#paths.size === 0) this.#paths = await environment.volumes.prepare(this.#pod(), this.#sources(ips));
      const ownMounts = await environment.volumes.ownMounts(
        this.#pod(),
        container,
        attempt,
        ips,
        hostnameOf(this.#pod(), environment.node),
      );
      const subPaths = await environment.volumes.subPaths(
        this.#pod(),
        container,
        this.#paths,
        subPathsOf(this.#pod(), container, this.#sources(ips)),
      );
      const spec = containerSpec({
        pod: this.#pod(),
        container,
        attempt,
        sources: this.#sources(ips),
        volumes: this.#paths,
        node: environment.node,
        image,
        ownMounts,
        subPaths,
        ...targetOf(roled, runtime),
      });
      const id = await environment.runtime.createContainer(action.sandbox.id, spec, sandbox);
      this.#event(fieldPathOf(roled), 'Normal', 'Created', `Created container: ${container.name}`);
      if (last?.phase === 'exited') remembered.crash = nextBackOff(remembered.crash, environment.clock.now());
      stage = 'RunContainerError';
      Object.assign(remembered, {
        containerId: id,
        startup: undefined,
        liveness: undefined,
        readiness: undefined,
        kill: undefined,
        applied: container.resources ?? {},
        resizeError: undefined,
        resizeAt_ms: undefined,
        hook: container.lifecycle?.postStart !== undefined,
      });
      await environment.runtime.startContainer(id);
      Object.assign(remembered, { waiting: undefined, retryAt_ms: undefined, pull: undefined });
      this.#event(fieldPathOf(roled), 'Normal', 'Started', `Started container ${container.name}`);
      await this.#postStart(action, id);
    } catch (error) {
      remembered.hook = false;
      this.#startFailed(roled, stage, error);
    }
  }

  async #ensureImage(roled: RoledContainer) {
    const { container } = roled;
    const auths: readonly RegistryAuth[] = registryAuths(this.#pod(), container.image ?? '', (namespace, name) =>
      this.#environment.objects.secret(namespace, name),
    );
    const { image, pulled } = await this.#environment.images.ensure(container, auths, () => {
      this.#event(fieldPathOf(roled), 'Normal', 'Pulling', `Pulling image "${container.image ?? ''}"`);
    });
    const message = pulled
      ? `Successfully pulled image "${container.image ?? ''}"`
      : `Container image "${container.image ?? ''}" already present on machine`;
    this.#event(fieldPathOf(roled), 'Normal', 'Pulled', message);
    return image;
  }

  #startFailed(roled: RoledContainer, stage: string, error: unknown): void {
    const now_ms = this.#environment.clock.now();
    const remembered = memoryOf(this.#memory, roled.container.name);
    const reason =
      error instanceof ImageError ? error.reason : error instanceof ConfigError ? 'CreateContainerConfigError' : stage;
    const message = messageOf(error);
    let retry_ms = CONFIG_RETRY_MS;
    if (error instanceof ImageError) {
      remembered.pull = nextBackOff(currentBackOff(remembered.pull, now_ms), now_ms);
      retry_ms = remembered.pull.delay_ms;
    }
    remembered.waiting = { reason, message, since_ms: now_ms };
    remembered.retryAt_ms = now_ms + retry_ms;
    this.#event(
      fieldPathOf(roled),
      'Warning',
      'Failed',
      error instanceof ImageError
        ? `Failed to pull image "${roled.container.image ?? ''}": ${message}`
        : `Error: ${message}`,
    );
  }

  async #postStart(action: StartAction, id: string): Promise<void> {
    const { container } = action.container;
    const remembered = memoryOf(this.#memory, container.name);
    const hook = container.lifecycle?.postStart;
    if (hook === undefined) return;
    const record = (await this.#environment.runtime.list(keyOf(this.#pod()).uid)).containers.find(
      (candidate) => candidate.id === id,
    );
    const result =
      record === undefined
        ? { ok: false, message: 'the container has ended' }
        : await this.#environment.runHandler(hook, container, record, this.#podIP(action.sandbox), HOOK_TIMEOUT_S);
    remembered.hook = false;
    if (result.ok) return;
    this.#event(
      fieldPathOf(action.container),
      'Warning',
      'FailedPostStartHook',
      `PostStartHook failed: ${result.message}`,
    );
    remembered.kill = {
      reason: 'FailedPostStartHook',
      message: `Container ${container.name} failed its postStart hook, will be restarted`,
    };
  }

  async #resize({ record, container: roled }: ResizeAction): Promise<void> {
    const { cgroups, runtime, node, clock } = this.#environment;
    const remembered = memoryOf(this.#memory, roled.container.name);
    try {
      // A group must hold what those in it may use: it grows first. One that shrinks is refused until they have shrunk.
      await cgroups.ensure(this.#pod()).catch(() => undefined);
      await runtime.updateResources(
        record.id,
        cgroupOf(specOf(this.#pod()), roled.container, node.memoryCapacity_bytes),
      );
      await cgroups.ensure(this.#pod());
      Object.assign(remembered, {
        applied: roled.container.resources ?? {},
        resizeError: undefined,
        resizeAt_ms: undefined,
      });
      this.#event(
        fieldPathOf(roled),
        'Normal',
        'ResizeCompleted',
        `Pod resize completed: container ${roled.container.name}`,
      );
    } catch (error) {
      Object.assign(remembered, { resizeError: messageOf(error), resizeAt_ms: clock.now() + CONFIG_RETRY_MS });
      this.#event(fieldPathOf(roled), 'Warning', 'ResizeError', `Pod resize error: ${messageOf(error)}`);
    }
  }

  #podIP(sandbox: SandboxRecord | undefined): string {
    return sandbox?.ips[0] ?? this.#environment.hostIP;
  }

  /** preStop and SIGTERM share the grace period; what preStop leaves is at least two seconds, unless there was none. */
  async #stop(action: StopAction, runtime: RuntimeSnapshot): Promise<void> {
    const { record, container: roled, grace_s } = action;
    const { clock } = this.#environment;
    this.#event(roled === undefined ? '' : fieldPathOf(roled), 'Normal', 'Killing', action.message);
    const begun_ms = clock.monotonic();
    const hook = roled?.container.lifecycle?.preStop;
    if (hook !== undefined && roled !== undefined && grace_s > 0) await this.#preStop(roled, record, runtime, grace_s);
    const spent_s = (clock.monotonic() - begun_ms) / 1000;
    const left_s =
      grace_s === 0 ? 0 : Math.max(Math.ceil(grace_s - spent_s), hook === undefined ? 0 : GRACE_S_AFTER_HOOK);
    await this.#environment.runtime.stopContainer(record.id, left_s);
  }

  async #preStop(
    roled: RoledContainer,
    record: ContainerRecord,
    runtime: RuntimeSnapshot,
    grace_s: number,
  ): Promise<void> {
    const hook = roled.container.lifecycle?.preStop;
    if (hook === undefined) return;
    const sandbox = runtime.sandboxes.find((candidate) => candidate.id === record.sandboxId);
    const result = await this.#environment.runHandler(hook, roled.container, record, this.#podIP(sandbox), grace_s);
    if (!result.ok)
      this.#event(fieldPathOf(roled), 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`);
  }

  #event(fieldPath: string, type: PodEvent['type'], reason: string, message: string): void {
    this.#environment.event({ key: keyOf(this.#pod()), fieldPath, type, reason, message });
  }
}

function targetOf({ target }: RoledContainer, runtime: RuntimeSnapshot): { targetId?: string } {
  if (target === undefined) return {};
  const [record] = recordsOf(runtime, target);
  if (record?.phase !== 'running') throw new ConfigError(`the target container "${target}" is not running`);
  return { targetId: record.id };
}

const GRACE_S_AFTER_HOOK = 2;
const HOOK_TIMEOUT_S = 600;
