/**
 * Containers in containerd, or in any other runtime that speaks CRI `runtime.v1`. It translates calls and keeps nothing
 * but statuses that cannot change any more; what runs is the runtime's to know.
 */
import { status as GrpcStatus } from '@grpc/grpc-js';
import type { PodStream } from '../../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import type { Clock } from '../../../../platform/clock.js';
import { ContainerState, PodSandboxState } from '../../../../proto/gen/cri/runtime/v1/api.js';
import type { Container, ContainerStatus, PodSandbox } from '../../../../proto/gen/cri/runtime/v1/api.js';
import { LABELS } from '../../pod/container-spec.js';
import { normalizedImage } from '../../pod-spec/spec.js';
import { openLogFile } from '../../logs/open-log.js';
import { ExecTimeoutError, ImagePullError } from '../runtime.js';
import type {
  ContainerRecord,
  ContainerSpec,
  ExecRequest,
  ExecResult,
  ImageRecord,
  LogRequest,
  RegistryAuth,
  Runtime,
  RuntimeInfo,
  RuntimeSnapshot,
  SandboxRecord,
  SandboxSpec,
} from '../runtime.js';
import { CALL_TIMEOUT_MS, CriClient, CriError } from './client.js';
import {
  containerConfig,
  containerRecord,
  imageRecord,
  linuxResources,
  sandboxConfig,
  sandboxRecord,
} from './convert.js';
import { OomKills } from './oom-kills.js';
import { openPort } from '../port.js';
import { openStreaming } from './streaming.js';

const PULL_TIMEOUT_MS = 15 * 60_000;
const SANDBOX_TIMEOUT_MS = 120_000;
const OOM_LOOK_MS = 50;
const OOM_LOOKS_MAX = 6;
/** 128 + SIGKILL. */
const KILLED = 137;
const OOM_KILLED = 'OOMKilled';
const STOP_SLACK_MS = 15_000;

export interface CriRuntimeOptions {
  /** Path of the runtime's Unix socket. */
  readonly socket: string;
  readonly clock: Clock;
  /** Absent: read from this machine's kernel log. */
  readonly oomKills?: OomKills;
}

export class CriRuntime implements Runtime {
  readonly name = 'cri';
  readonly pretends = false;
  readonly #cri: CriClient;
  readonly #clock: Clock;
  readonly #oomKills: OomKills;
  /** Full statuses by container id, as of the state they were read in. */
  readonly #statuses = new Map<string, ContainerStatus>();
  readonly #addresses = new Map<string, readonly string[]>();
  #sandboxImage: string | undefined;

  constructor(options: CriRuntimeOptions) {
    this.#clock = options.clock;
    this.#oomKills = options.oomKills ?? new OomKills();
    this.#cri = new CriClient(options.socket, options.clock);
  }

  async info(): Promise<RuntimeInfo> {
    const { runtime } = this.#cri;
    const version = await this.#cri.call(runtime, runtime.version, { version: 'v1' });
    const { status } = await this.#cri.call(runtime, runtime.status, { verbose: false });
    const condition = (type: string) => status?.conditions.find((candidate) => candidate.type === type);
    const messages = (status?.conditions ?? [])
      .filter((candidate) => !candidate.status)
      .map((candidate) => candidate.message);
    return {
      version: `${version.runtimeName}://${version.runtimeVersion}`,
      ready: condition('RuntimeReady')?.status === true,
      networkReady: condition('NetworkReady')?.status === true,
      message: messages.join('; '),
    };
  }

  async list(podUid?: string): Promise<RuntimeSnapshot> {
    const { runtime } = this.#cri;
    const labelSelector: Record<string, string> = podUid === undefined ? {} : { [LABELS.uid]: podUid };
    const [sandboxes, containers] = await Promise.all([
      this.#cri.call(runtime, runtime.listPodSandbox, { filter: { id: '', state: undefined, labelSelector } }),
      this.#cri.call(runtime, runtime.listContainers, {
        filter: { id: '', state: undefined, podSandboxId: '', labelSelector },
      }),
    ]);
    if (podUid === undefined) this.#forget(sandboxes.items, containers.containers);
    const records = await Promise.all(
      sandboxes.items.map(async (sandbox) => sandboxRecord(sandbox, await this.#addressesOf(sandbox))),
    );
    const states = await Promise.all(
      containers.containers.map(async (container) => containerRecord(container, await this.#statusOf(container))),
    );
    return {
      sandboxes: records.filter((record) => record !== undefined),
      containers: states.filter((record) => record !== undefined),
    };
  }

  async runSandbox(spec: SandboxSpec): Promise<string> {
    const { runtime } = this.#cri;
    const { podSandboxId } = await this.#cri.call(
      runtime,
      runtime.runPodSandbox,
      { config: sandboxConfig(spec), runtimeHandler: '' },
      SANDBOX_TIMEOUT_MS,
    );
    return podSandboxId;
  }

  async stopSandbox(podSandboxId: string): Promise<void> {
    const { runtime } = this.#cri;
    await unlessGone(this.#cri.call(runtime, runtime.stopPodSandbox, { podSandboxId }, SANDBOX_TIMEOUT_MS));
  }

  async removeSandbox(podSandboxId: string): Promise<void> {
    const { runtime } = this.#cri;
    await unlessGone(this.#cri.call(runtime, runtime.removePodSandbox, { podSandboxId }, SANDBOX_TIMEOUT_MS));
  }

  async createContainer(podSandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string> {
    const { runtime } = this.#cri;
    const request = { podSandboxId, config: containerConfig(spec, sandbox), sandboxConfig: sandboxConfig(sandbox) };
    const { containerId } = await this.#cri.call(runtime, runtime.createContainer, request, SANDBOX_TIMEOUT_MS);
    return containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    const { runtime } = this.#cri;
    await this.#cri.call(runtime, runtime.startContainer, { containerId }, SANDBOX_TIMEOUT_MS);
  }

  async updateResources(containerId: string, resources: ContainerSpec['resources']): Promise<void> {
    const { runtime } = this.#cri;
    await this.#cri.call(runtime, runtime.updateContainerResources, {
      containerId,
      linux: linuxResources(resources),
      windows: undefined,
      annotations: {},
    });
  }

  async stopContainer(containerId: string, timeout_s: number): Promise<void> {
    const { runtime } = this.#cri;
    await unlessGone(
      this.#cri.call(
        runtime,
        runtime.stopContainer,
        { containerId, timeout: timeout_s },
        timeout_s * 1000 + STOP_SLACK_MS,
      ),
    );
  }

  async removeContainer(containerId: string): Promise<void> {
    const { runtime } = this.#cri;
    await unlessGone(this.#cri.call(runtime, runtime.removeContainer, { containerId }));
  }

  async imageStatus(image: string): Promise<ImageRecord | undefined> {
    const { images } = this.#cri;
    const { image: found } = await this.#cri.call(images, images.imageStatus, {
      image: imageSpec(image),
      verbose: false,
    });
    return found === undefined ? undefined : imageRecord(found);
  }

  async pullImage(image: string, auth?: RegistryAuth): Promise<void> {
    const { images } = this.#cri;
    const credentials =
      auth === undefined
        ? undefined
        : {
            username: auth.username,
            password: auth.password,
            auth: '',
            serverAddress: '',
            identityToken: '',
            registryToken: '',
          };
    try {
      await this.#cri.call(
        images,
        images.pullImage,
        { image: imageSpec(image), auth: credentials, sandboxConfig: undefined },
        PULL_TIMEOUT_MS,
      );
    } catch (error) {
      throw new ImagePullError(error instanceof Error ? error.message : String(error));
    }
  }

  async listImages(): Promise<readonly ImageRecord[]> {
    const { images } = this.#cri;
    const sandboxImage = await this.#sandboxImageName();
    const all = (await this.#cri.call(images, images.listImages, { filter: undefined })).images.map(imageRecord);
    return all.map((image) => (image.names.includes(sandboxImage) ? { ...image, pinned: true } : image));
  }

  async removeImage(id: string): Promise<void> {
    const { images } = this.#cri;
    await unlessGone(this.#cri.call(images, images.removeImage, { image: imageSpec(id) }));
  }

  /**
   * containerd before 1.7 does not mark the image its sandboxes are made of; its configuration names it. '' when it
   * does not say.
   */
  async #sandboxImageName(): Promise<string> {
    if (this.#sandboxImage !== undefined) return this.#sandboxImage;
    const { runtime } = this.#cri;
    const { info } = await this.#cri.call(runtime, runtime.status, { verbose: true });
    const config = JSON.parse(info['config'] ?? '{}') as { readonly sandboxImage?: unknown };
    this.#sandboxImage = normalizedImage(typeof config.sandboxImage === 'string' ? config.sandboxImage : '');
    return this.#sandboxImage;
  }

  async execSync(containerId: string, command: readonly string[], timeout_s: number): Promise<ExecResult> {
    const { runtime } = this.#cri;
    try {
      const { stdout, stderr, exitCode } = await this.#cri.call(
        runtime,
        runtime.execSync,
        { containerId, cmd: [...command], timeout: timeout_s },
        timeout_s * 1000 + CALL_TIMEOUT_MS,
      );
      return { exitCode, stdout, stderr };
    } catch (error) {
      if (
        error instanceof CriError &&
        (error.code === GrpcStatus.DEADLINE_EXCEEDED || /timeout .* exceeded/.test(error.message))
      )
        throw new ExecTimeoutError(error.message);
      throw error;
    }
  }

  async openExec(containerId: string, request: ExecRequest, signal: AbortSignal): Promise<PodStream> {
    const { runtime } = this.#cri;
    const { stdin, stdout, tty } = request;
    // With a terminal there is one output; CRI refuses a separate standard error.
    const streams = { containerId, stdin, stdout, stderr: request.stderr && !tty, tty };
    const { url } =
      request.kind === 'exec'
        ? await this.#cri.call(runtime, runtime.exec, { ...streams, cmd: [...request.command] })
        : await this.#cri.call(runtime, runtime.attach, streams);
    return openStreaming(url, request, signal, this.#clock);
  }

  openLog(container: ContainerRecord, request: LogRequest, signal: AbortSignal): Promise<PodStream> {
    return openLogFile({
      path: container.logPath,
      request,
      signal,
      clock: this.#clock,
      running: async () =>
        (await this.list(container.podUid)).containers.some(
          (record) => record.id === container.id && record.phase === 'running',
        ),
    });
  }

  openPort(sandbox: SandboxRecord, port: number, signal: AbortSignal): Promise<PodStream> {
    // Without an address of its own it has the node's: not so once it has stopped.
    if (!sandbox.ready) return Promise.reject(apiErrors.badRequest(`sandbox ${sandbox.id} is not ready`));
    return openPort({ host: sandbox.ips[0] ?? '127.0.0.1', port, owner: 'the pod' }, signal);
  }

  async reopenLog(containerId: string): Promise<void> {
    const { runtime } = this.#cri;
    await this.#cri.call(runtime, runtime.reopenContainerLog, { containerId });
  }

  /** containerd 1.6 has no events in CRI: the agent lists. */
  onChange(): () => void {
    return () => undefined;
  }

  close(): Promise<void> {
    this.#cri.close();
    this.#oomKills.close();
    return Promise.resolve();
  }

  async #addressesOf(sandbox: PodSandbox): Promise<readonly string[]> {
    if (sandbox.state !== PodSandboxState.SANDBOX_READY) return [];
    const known = this.#addresses.get(sandbox.id);
    if (known !== undefined) return known;
    const { runtime } = this.#cri;
    const answer = await whenThere(
      this.#cri.call(runtime, runtime.podSandboxStatus, { podSandboxId: sandbox.id, verbose: false }),
    );
    const network = answer?.status?.network;
    if (network === undefined || network.ip === '') return [];
    const ips = [network.ip, ...network.additionalIps.map(({ ip }) => ip)];
    this.#addresses.set(sandbox.id, ips);
    return ips;
  }

  /** Read once for each state a container is in: a list names the state, and within one nothing else changes. */
  async #statusOf(container: Container): Promise<ContainerStatus | undefined> {
    const known = this.#statuses.get(container.id);
    if (known !== undefined && known.state === container.state && container.state !== ContainerState.CONTAINER_UNKNOWN)
      return known;
    const status = await this.#finalStatus(container.id);
    if (status !== undefined) this.#statuses.set(container.id, status);
    return status;
  }

  /**
   * containerd learns by an event that memory ran out, which may come after the end it explains, or never: the kernel
   * says it, too.
   */
  async #finalStatus(containerId: string): Promise<ContainerStatus | undefined> {
    let status = await this.#readStatus(containerId);
    for (let attempt = 0; status !== undefined && hasEnded(status); attempt++) {
      if (this.#oomKills.has(containerId)) return { ...status, reason: OOM_KILLED };
      if (attempt === OOM_LOOKS_MAX || status.exitCode !== KILLED) break;
      await this.#clock.sleep(OOM_LOOK_MS);
      status = await this.#readStatus(containerId);
    }
    return status;
  }

  async #readStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const { runtime } = this.#cri;
    return (await whenThere(this.#cri.call(runtime, runtime.containerStatus, { containerId, verbose: false })))?.status;
  }

  #forget(sandboxes: readonly PodSandbox[], containers: readonly Container[]): void {
    const ids = new Set([...sandboxes.map(({ id }) => id), ...containers.map(({ id }) => id)]);
    for (const map of [this.#statuses, this.#addresses]) {
      for (const id of map.keys()) {
        if (!ids.has(id)) map.delete(id);
      }
    }
  }
}

/** With a reason that memory that ran out may explain: one that could not be started has its own. */
function hasEnded({ state, reason }: ContainerStatus): boolean {
  return state === ContainerState.CONTAINER_EXITED && (reason === 'Error' || reason === 'Completed' || reason === '');
}

function imageSpec(image: string) {
  return { image, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
}

async function whenThere<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof CriError && error.code === GrpcStatus.NOT_FOUND) return undefined;
    throw error;
  }
}

async function unlessGone(call: Promise<unknown>): Promise<void> {
  await whenThere(call);
}
