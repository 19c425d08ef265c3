/**
 * What the agent needs of a container runtime. Three implementations: `cri` (containerd and any other CRI runtime),
 * `hollow` (pods that only pretend) and `fake` (records calls, for unit tests). The shapes are our own: CRI's stay in
 * `cri`. `conformance/` is the suite that each must pass. Methods reject, they do not throw.
 */
import type { PodStream, PodStreamRequest } from '../../../apimachinery/pod-streams.js';

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface SandboxSpec {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns: DnsConfig;
  readonly ports: readonly {
    readonly protocol: string;
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIP: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  readonly hostPID: boolean;
  readonly hostIPC: boolean;
  readonly sharePID: boolean;
  readonly privileged: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
}

export interface MountSpec {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
}

export interface ContainerSpec {
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly MountSpec[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  /** A running container of the pod whose processes this one sees. */
  readonly targetId?: string;
  /** Whether it is meant to end by itself. A runtime that runs real processes need not know. */
  readonly lifetime: 'init' | 'task' | 'service';
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: {
    readonly cpuShares: number;
    /** Microseconds of each 100 ms period; 0: unlimited. */
    readonly cpuQuota_us: number;
    /** 0: unlimited. */
    readonly memoryLimit_bytes: number;
    readonly oomScoreAdj: number;
  };
  readonly security: {
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly supplementalGroups: readonly number[];
    readonly privileged: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly noNewPrivileges: boolean;
    readonly addCapabilities: readonly string[];
    readonly dropCapabilities: readonly string[];
    /** RuntimeDefault, Unconfined or Localhost. */
    readonly seccomp: string;
    readonly seccompProfile: string;
  };
}

export interface SandboxRecord {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAt_ms: number;
  /** Empty with the host's network, or while not ready. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export type ContainerPhase = 'created' | 'running' | 'exited' | 'unknown';

export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  readonly name: string;
  /** Counts the starts of this container in this pod, from 0: its restart count survives the agent. */
  readonly attempt: number;
  readonly phase: ContainerPhase;
  readonly createdAt_ms: number;
  readonly startedAt_ms: number;
  readonly finishedAt_ms: number;
  readonly exitCode: number;
  /** Completed, Error, OOMKilled, ... as the runtime says it. */
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absolute; empty when the runtime keeps no files. */
  readonly logPath: string;
}

export interface RuntimeSnapshot {
  readonly sandboxes: readonly SandboxRecord[];
  readonly containers: readonly ContainerRecord[];
}

export interface ImageRecord {
  readonly id: string;
  readonly names: readonly string[];
  readonly size_bytes: number;
  /** The user the image runs as, for runAsNonRoot; undefined when it is a name or unset. */
  readonly uid?: number;
  readonly username?: string;
  /** The runtime itself needs it, for sandboxes. */
  readonly pinned?: boolean;
}

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface RuntimeInfo {
  /** As `containerd://1.6.20`. */
  readonly version: string;
  readonly ready: boolean;
  readonly networkReady: boolean;
  readonly message: string;
}

export type ExecRequest = Extract<PodStreamRequest, { kind: 'exec' | 'attach' }>;
export type LogRequest = Extract<PodStreamRequest, { kind: 'log' }>;

export interface Runtime {
  readonly name: string;
  info(): Promise<RuntimeInfo>;
  /** Everything of ours that the runtime holds, running or not; of one pod when `podUid` is given. */
  list(podUid?: string): Promise<RuntimeSnapshot>;
  runSandbox(spec: SandboxSpec): Promise<string>;
  /** Stops its containers too. No error when it is stopped or gone already. */
  stopSandbox(id: string): Promise<void>;
  /** With its containers, running or not. No error when it is gone already. */
  removeSandbox(id: string): Promise<void>;
  /** Rejects unless the sandbox is ready and the image present. */
  createContainer(sandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string>;
  /** Once: rejects when the container was started before. */
  startContainer(id: string): Promise<void>;
  /** Of a running container, at once. */
  updateResources(id: string, resources: ContainerSpec['resources']): Promise<void>;
  /**
   * SIGTERM, then SIGKILL after `timeout_s`. Changes nothing, without an error, when it does not run or is gone
   * already.
   */
  stopContainer(id: string, timeout_s: number): Promise<void>;
  /** Running or not. No error when it is gone already. */
  removeContainer(id: string): Promise<void>;
  imageStatus(image: string): Promise<ImageRecord | undefined>;
  /** Rejects with ImagePullError. */
  pullImage(image: string, auth?: RegistryAuth): Promise<void>;
  listImages(): Promise<readonly ImageRecord[]>;
  /** No error when it is gone already. */
  removeImage(id: string): Promise<void>;
  /** Rejects with ExecTimeoutError after `timeout_s`, and unless the container is running. */
  execSync(containerId: string, command: readonly string[], timeout_s: number): Promise<ExecResult>;
  /** Attaches to the container's process, or to a new one in it. Rejects unless the container is running. */
  openExec(containerId: string, request: ExecRequest, signal: AbortSignal): Promise<PodStream>;
  openLog(container: ContainerRecord, request: LogRequest, signal: AbortSignal): Promise<PodStream>;
  /** Rejects unless the sandbox is ready. */
  openPort(sandbox: SandboxRecord, port: number, signal: AbortSignal): Promise<PodStream>;
  /** Whether HTTP, TCP and gRPC probes can reach pods from here; hollow pods answer all of them with success. */
  readonly pretends: boolean;
  /** Rotates the log of a running container after its file was renamed. */
  reopenLog(containerId: string): Promise<void>;
  /** Called with a pod's uid when something of it has changed; runtimes without events never call it and are polled. */
  onChange(listener: (podUid: string) => void): () => void;
  close(): Promise<void>;
}

export class ExecTimeoutError extends Error {
  override readonly name = 'ExecTimeoutError';
}

/** A pull that failed, with the words users look for. */
export class ImagePullError extends Error {
  override readonly name = 'ImagePullError';
}
