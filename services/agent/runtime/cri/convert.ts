/** Between our shapes and CRI's. Pure. */
import {
  ContainerConfig,
  ContainerState,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  LinuxSandboxSecurityContext,
  Mount,
  MountPropagation,
  NamespaceMode,
  NamespaceOption,
  PodSandboxConfig,
  PodSandboxState,
  Protocol,
  SecurityProfile_ProfileType,
} from '../../../../proto/gen/cri/runtime/v1/api.js';
import type {
  Container,
  ContainerStatus,
  Image,
  PodSandbox,
  SecurityProfile,
} from '../../../../proto/gen/cri/runtime/v1/api.js';
import { LABELS } from '../../pod/container-spec.js';
import type {
  ContainerPhase,
  ContainerRecord,
  ContainerSpec,
  ImageRecord,
  SandboxRecord,
  SandboxSpec,
} from '../runtime.js';

const ms = (nanoseconds: bigint) => Number(nanoseconds / 1_000_000n);
const PROTOCOLS: Readonly<Record<string, Protocol>> = { TCP: Protocol.TCP, UDP: Protocol.UDP, SCTP: Protocol.SCTP };
const PROPAGATIONS = {
  None: MountPropagation.PROPAGATION_PRIVATE,
  HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
} as const;
const PHASES: Readonly<Record<ContainerState, ContainerPhase>> = {
  [ContainerState.CONTAINER_CREATED]: 'created',
  [ContainerState.CONTAINER_RUNNING]: 'running',
  [ContainerState.CONTAINER_EXITED]: 'exited',
  [ContainerState.CONTAINER_UNKNOWN]: 'unknown',
};
/** Mounts and files of the kernel that containers must not see or change (OCI defaults). */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const CPU_PERIOD_US = 100_000;

function namespacesOf(spec: SandboxSpec): NamespaceOption {
  return NamespaceOption.fromPartial({
    network: spec.hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: spec.hostPID ? NamespaceMode.NODE : spec.sharePID ? NamespaceMode.POD : NamespaceMode.CONTAINER,
    ipc: spec.hostIPC ? NamespaceMode.NODE : NamespaceMode.POD,
  });
}

function profileOf(type: string, localhostRef: string): SecurityProfile {
  const profileType =
    type === 'RuntimeDefault'
      ? SecurityProfile_ProfileType.RuntimeDefault
      : type === 'Localhost'
        ? SecurityProfile_ProfileType.Localhost
        : SecurityProfile_ProfileType.Unconfined;
  return { profileType, localhostRef };
}

export function sandboxConfig(spec: SandboxSpec): PodSandboxConfig {
  const { namespace, name, uid, attempt } = spec;
  const user = spec.runAsUser === undefined ? {} : { runAsUser: { value: spec.runAsUser } };
  const group = spec.runAsGroup === undefined ? {} : { runAsGroup: { value: spec.runAsGroup } };
  return PodSandboxConfig.fromPartial({
    metadata: { name, namespace, uid, attempt },
    // The host's UTS namespace is the node's: its name is not set from here.
    hostname: spec.hostNetwork ? '' : spec.hostname,
    logDirectory: spec.logDirectory,
    dnsConfig: { servers: [...spec.dns.servers], searches: [...spec.dns.searches], options: [...spec.dns.options] },
    portMappings: spec.ports
      .filter((port) => port.hostPort > 0)
      .map((port) => ({
        protocol: PROTOCOLS[port.protocol] ?? Protocol.TCP,
        containerPort: port.containerPort,
        hostPort: port.hostPort,
        hostIp: port.hostIP,
      })),
    labels: { ...spec.labels },
    annotations: { ...spec.annotations },
    linux: {
      cgroupParent: spec.cgroupParent,
      securityContext: LinuxSandboxSecurityContext.fromPartial({
        namespaceOptions: namespacesOf(spec),
        privileged: spec.privileged,
        ...user,
        ...group,
        supplementalGroups: spec.supplementalGroups.map((id) => BigInt(id)),
        seccomp: profileOf('Unconfined', ''),
      }),
      sysctls: { ...spec.sysctls },
    },
  });
}

export function linuxResources(resources: ContainerSpec['resources']): LinuxContainerResources {
  return LinuxContainerResources.fromPartial({
    cpuPeriod: resources.cpuQuota_us > 0 ? CPU_PERIOD_US : 0,
    cpuQuota: resources.cpuQuota_us,
    cpuShares: resources.cpuShares,
    memoryLimitInBytes: resources.memoryLimit_bytes,
    oomScoreAdj: resources.oomScoreAdj,
  });
}

export function containerConfig(spec: ContainerSpec, sandbox: SandboxSpec): ContainerConfig {
  const { resources, security } = spec;
  return ContainerConfig.fromPartial({
    metadata: { name: spec.name, attempt: spec.attempt },
    image: { image: spec.image },
    command: [...spec.command],
    args: [...spec.args],
    workingDir: spec.workingDir,
    envs: spec.env.map(({ name, value }) => ({ key: name, value: Buffer.from(value, 'utf8') })),
    mounts: spec.mounts.map((mount) =>
      Mount.fromPartial({
        hostPath: mount.hostPath,
        containerPath: mount.containerPath,
        readonly: mount.readOnly,
        propagation: PROPAGATIONS[mount.propagation],
      }),
    ),
    labels: { ...spec.labels },
    annotations: { ...spec.annotations },
    logPath: spec.logPath,
    stdin: spec.stdin,
    stdinOnce: spec.stdinOnce,
    tty: spec.tty,
    linux: {
      resources: linuxResources(resources),
      securityContext: securityOf(security, sandbox, spec.targetId),
    },
  });
}

function securityOf(
  security: ContainerSpec['security'],
  sandbox: SandboxSpec,
  targetId: string | undefined,
): LinuxContainerSecurityContext {
  const namespaces = namespacesOf(sandbox);
  return LinuxContainerSecurityContext.fromPartial({
    capabilities: { addCapabilities: [...security.addCapabilities], dropCapabilities: [...security.dropCapabilities] },
    privileged: security.privileged,
    namespaceOptions: targetId === undefined ? namespaces : { ...namespaces, pid: NamespaceMode.TARGET, targetId },
    ...(security.runAsUser === undefined ? {} : { runAsUser: { value: security.runAsUser } }),
    ...(security.runAsGroup === undefined ? {} : { runAsGroup: { value: security.runAsGroup } }),
    readonlyRootfs: security.readOnlyRootFilesystem,
    supplementalGroups: security.supplementalGroups.map((id) => BigInt(id)),
    noNewPrivs: security.noNewPrivileges,
    maskedPaths: security.privileged ? [] : MASKED_PATHS,
    readonlyPaths: security.privileged ? [] : READONLY_PATHS,
    seccomp: profileOf(security.seccomp, security.seccompProfile),
  });
}

/** Undefined for a sandbox that is not one of ours. */
export function sandboxRecord(sandbox: PodSandbox, ips: readonly string[]): SandboxRecord | undefined {
  const { metadata } = sandbox;
  if (metadata === undefined || sandbox.labels[LABELS.uid] === undefined) return undefined;
  return {
    id: sandbox.id,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    attempt: metadata.attempt,
    ready: sandbox.state === PodSandboxState.SANDBOX_READY,
    createdAt_ms: ms(sandbox.createdAt),
    ips,
    labels: sandbox.labels,
    annotations: sandbox.annotations,
  };
}

export function containerRecord(
  container: Container,
  status: ContainerStatus | undefined,
): ContainerRecord | undefined {
  const podUid = container.labels[LABELS.uid];
  if (podUid === undefined || container.metadata === undefined) return undefined;
  const state = status?.state ?? container.state;
  const [started_ms, finished_ms] = [ms(status?.startedAt ?? 0n), ms(status?.finishedAt ?? 0n)];
  return {
    id: container.id,
    sandboxId: container.podSandboxId,
    podUid,
    name: container.metadata.name,
    attempt: container.metadata.attempt,
    phase: PHASES[state] ?? 'unknown',
    createdAt_ms: ms(container.createdAt),
    // containerd notes the start after the process runs: one that ends at once seems to end before it.
    startedAt_ms: finished_ms > 0 ? Math.min(started_ms, finished_ms) : started_ms,
    finishedAt_ms: finished_ms,
    exitCode: status?.exitCode ?? 0,
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    image: status?.image?.image ?? container.image?.image ?? '',
    imageId: status?.imageRef ?? container.imageRef,
    labels: container.labels,
    annotations: container.annotations,
    logPath: status?.logPath ?? '',
  };
}

export function imageRecord(image: Image): ImageRecord {
  return {
    id: image.id,
    names: [...image.repoTags, ...image.repoDigests],
    size_bytes: image.size,
    ...(image.uid === undefined ? {} : { uid: image.uid.value }),
    ...(image.username === '' ? {} : { username: image.username }),
    ...(image.pinned ? { pinned: true } : {}),
  };
}
