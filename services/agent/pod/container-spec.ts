/** From a pod to what the runtime is asked to make: sandbox and containers. Pure. */
import type { Int64 } from '../../../apimachinery/int64.js';
import { approximate } from '../../../apimachinery/int64.js';
import type { ContainerSpec, DnsConfig, ImageRecord, MountSpec, SandboxSpec } from '../runtime/runtime.js';
import { podCgroupOf } from '../cgroups/pod-cgroups.js';
import type { SubPath, VolumePaths } from '../volumes/volumes.js';
import { ConfigError, environmentOf, expand } from '../pod-spec/env.js';
import type { PodSources } from '../pod-spec/env.js';
import { cgroupOf } from '../pod-spec/resources.js';
import { containersOf, hashOf, keyOf, specOf } from '../pod-spec/spec.js';
import type { Container, Pod, SecurityContext } from '../pod-spec/types.js';

export interface NodeFacts {
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  /** The node's own resolv.conf, for dnsPolicy Default and hostNetwork. */
  readonly hostDNS: DnsConfig;
  readonly memoryCapacity_bytes: number;
  readonly hostname: string;
  /** The node's control group, as `/navarch/w1`. */
  readonly cgroupRoot?: string;
}

export const LABELS = {
  name: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
} as const;

export const ANNOTATIONS = {
  hash: 'navarch.dev/container-hash',
  messagePath: 'navarch.dev/termination-message-path',
  messagePolicy: 'navarch.dev/termination-message-policy',
} as const;

const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;

export function dnsOf(pod: Pod, node: NodeFacts): DnsConfig {
  const spec = specOf(pod);
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const clusterFirst =
    node.clusterDNS !== '' &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && spec.hostNetwork !== true));
  const domain = node.clusterDomain;
  const base: DnsConfig =
    policy === 'None'
      ? { servers: [], searches: [], options: [] }
      : clusterFirst
        ? {
            servers: [node.clusterDNS],
            searches: [
              `${pod.metadata?.namespace ?? ''}.svc.${domain}`,
              `svc.${domain}`,
              domain,
              ...node.hostDNS.searches,
            ],
            options: ['ndots:5'],
          }
        : node.hostDNS;
  const own = spec.dnsConfig;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name = '', value } of own?.options ?? [])
    options.set(name, value === undefined ? name : `${name}:${value}`);
  return {
    servers: [...new Set([...base.servers, ...(own?.nameservers ?? [])])].slice(0, NAMESERVERS_MAX),
    searches: [...new Set([...base.searches, ...(own?.searches ?? [])])].slice(0, SEARCHES_MAX),
    options: [...options.values()],
  };
}

const HOSTNAME_LENGTH_MAX = 63;

export function hostnameOf(pod: Pod, node: NodeFacts): string {
  const spec = specOf(pod);
  if (spec.hostNetwork === true) return node.hostname;
  const short = (spec.hostname ?? pod.metadata?.name ?? '').slice(0, HOSTNAME_LENGTH_MAX).replace(/[-.]+$/, '');
  const fqdn = spec.setHostnameAsFQDN === true && spec.subdomain !== undefined;
  return fqdn ? `${short}.${spec.subdomain}.${pod.metadata?.namespace ?? ''}.svc.${node.clusterDomain}` : short;
}

export function sandboxSpec(pod: Pod, attempt: number, node: NodeFacts, logRoot: string): SandboxSpec {
  const spec = specOf(pod);
  const key = keyOf(pod);
  const security = spec.securityContext ?? {};
  return {
    ...key,
    attempt,
    hostname: hostnameOf(pod, node),
    logDirectory: `${logRoot}/${key.namespace}_${key.name}_${key.uid}`,
    dns: dnsOf(pod, node),
    ports: containersOf(spec)
      .flatMap(({ container }) => container.ports ?? [])
      .map((port) => ({
        protocol: port.protocol ?? 'TCP',
        containerPort: port.containerPort,
        hostPort: port.hostPort ?? 0,
        hostIP: port.hostIP ?? '',
      })),
    labels: {
      ...pod.metadata?.labels,
      [LABELS.name]: key.name,
      [LABELS.namespace]: key.namespace,
      [LABELS.uid]: key.uid,
    },
    annotations: { ...pod.metadata?.annotations },
    hostNetwork: spec.hostNetwork === true,
    hostPID: spec.hostPID === true,
    hostIPC: spec.hostIPC === true,
    sharePID: spec.shareProcessNamespace === true,
    privileged: containersOf(spec).some(
      ({ container, role }) => role !== 'ephemeral' && container.securityContext?.privileged === true,
    ),
    ...(security.runAsUser === undefined ? {} : { runAsUser: approximate(security.runAsUser) }),
    ...(security.runAsGroup === undefined ? {} : { runAsGroup: approximate(security.runAsGroup) }),
    supplementalGroups: groupsOf(pod),
    sysctls: Object.fromEntries((security.sysctls ?? []).map(({ name, value }) => [name, value])),
    cgroupParent: podCgroupOf(node.cgroupRoot ?? '/navarch', pod),
  };
}

function groupsOf(pod: Pod): number[] {
  const security = specOf(pod).securityContext ?? {};
  return [...(security.supplementalGroups ?? []), ...(security.fsGroup === undefined ? [] : [security.fsGroup])].map(
    approximate,
  );
}

/** The parts of volumes that a container mounts, variables expanded. Throws ConfigError. */
export function subPathsOf(pod: Pod, container: Container, sources: PodSources): SubPath[] {
  const mounts = (container.volumeMounts ?? []).map((mount, index) => ({ ...mount, index }));
  const env = mounts.some((mount) => (mount.subPathExpr ?? '') !== '')
    ? environmentOf(pod, container, sources)
    : new Map<string, string>();
  return mounts.flatMap(({ index, name, subPath = '', subPathExpr = '' }) => {
    const path = subPathExpr === '' ? subPath : expand(subPathExpr, env);
    if (subPathExpr !== '' && /\$\(/.test(path))
      throw new ConfigError(`subPathExpr "${subPathExpr}" names a variable that is not set`);
    if (path === '') return [];
    if (path.startsWith('/') || path.split('/').includes('..') || path.includes('\0'))
      throw new ConfigError(`subPath "${path}" must be relative and without ".."`);
    return [{ index, volume: name, path }];
  });
}

function mountsOf(container: Container, volumes: VolumePaths, subPaths: ReadonlyMap<number, string>): MountSpec[] {
  return (container.volumeMounts ?? []).map((mount, index) => {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new ConfigError(`volume "${mount.name}" of mount ${mount.mountPath} is not in the pod's volumes`);
    const part = subPaths.get(index);
    if (part === undefined && ((mount.subPath ?? '') !== '' || (mount.subPathExpr ?? '') !== ''))
      throw new ConfigError(`the subPath of ${mount.mountPath} was not made`);
    const propagation =
      mount.mountPropagation === 'HostToContainer' || mount.mountPropagation === 'Bidirectional'
        ? mount.mountPropagation
        : 'None';
    return {
      hostPath: part ?? volume.hostPath,
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: mount.readOnly === true || volume.readOnly,
      propagation,
    };
  });
}

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly sources: PodSources;
  readonly volumes: VolumePaths;
  readonly node: NodeFacts;
  /** Of the image, for runAsNonRoot. */
  readonly image: ImageRecord | undefined;
  /** Mounts that the agent adds: hosts file, termination message. */
  readonly ownMounts: readonly MountSpec[];
  /** Host paths of the parts of volumes, by the mount's index. */
  readonly subPaths: ReadonlyMap<number, string>;
  /** Of the running container whose processes an ephemeral one is to see. */
  readonly targetId?: string;
}

/** Throws ConfigError for what the user must mend. */
export function containerSpec(input: ContainerInput): ContainerSpec {
  const { pod, container, attempt, sources, volumes, node } = input;
  const env = environmentOf(pod, container, sources);
  const key = keyOf(pod);
  return {
    name: container.name,
    attempt,
    image: container.image ?? '',
    command: (container.command ?? []).map((text) => expand(text, env)),
    args: (container.args ?? []).map((text) => expand(text, env)),
    workingDir: container.workingDir ?? '',
    env: [...env].map(([name, value]) => ({ name, value })),
    mounts: [...mountsOf(container, volumes, input.subPaths), ...input.ownMounts],
    labels: {
      [LABELS.name]: key.name,
      [LABELS.namespace]: key.namespace,
      [LABELS.uid]: key.uid,
      [LABELS.container]: container.name,
    },
    annotations: {
      [ANNOTATIONS.hash]: hashOf(container),
      [ANNOTATIONS.messagePath]: container.terminationMessagePath ?? '/dev/termination-log',
      [ANNOTATIONS.messagePolicy]: container.terminationMessagePolicy ?? 'File',
    },
    logPath: `${container.name}/${attempt}.log`,
    lifetime: lifetimeOf(pod, container),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    resources: cgroupOf(specOf(pod), container, node.memoryCapacity_bytes),
    security: securityOf(pod, container, input.image),
    ...(input.targetId === undefined ? {} : { targetId: input.targetId }),
  };
}

function lifetimeOf(pod: Pod, container: Container): ContainerSpec['lifetime'] {
  const spec = specOf(pod);
  const role = containersOf(spec).find((roled) => roled.container.name === container.name)?.role;
  if (role === 'init') return 'init';
  return role === 'main' && (spec.restartPolicy ?? 'Always') !== 'Always' ? 'task' : 'service';
}

function securityOf(pod: Pod, container: Container, image: ImageRecord | undefined): ContainerSpec['security'] {
  const outer = specOf(pod).securityContext ?? {};
  const inner: SecurityContext = container.securityContext ?? {};
  const runAsUser = inner.runAsUser ?? outer.runAsUser;
  const runAsGroup = inner.runAsGroup ?? outer.runAsGroup;
  if (inner.runAsNonRoot ?? outer.runAsNonRoot ?? false) refuseRoot(runAsUser, image);
  const seccomp = inner.seccompProfile ?? outer.seccompProfile;
  return {
    ...(runAsUser === undefined ? {} : { runAsUser: approximate(runAsUser) }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: approximate(runAsGroup) }),
    supplementalGroups: groupsOf(pod),
    privileged: inner.privileged === true,
    readOnlyRootFilesystem: inner.readOnlyRootFilesystem === true,
    noNewPrivileges: inner.allowPrivilegeEscalation === false,
    addCapabilities: inner.capabilities?.add ?? [],
    dropCapabilities: inner.capabilities?.drop ?? [],
    seccomp: inner.privileged === true ? 'Unconfined' : (seccomp?.type ?? 'Unconfined'),
    seccompProfile: seccomp?.localhostProfile ?? '',
  };
}

function refuseRoot(runAsUser: Int64 | undefined, image: ImageRecord | undefined): void {
  if (runAsUser === 0) throw new ConfigError("container's runAsUser breaks non-root policy");
  if (runAsUser !== undefined) return;
  if (image?.username !== undefined && image.username !== '') {
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
    );
  }
  if ((image?.uid ?? 0) === 0) throw new ConfigError('container has runAsNonRoot and image will run as root');
}
