/** The checks of the baseline level. */
import type { LifecycleHandler, Probe, SELinuxOptions } from '../../../../apimachinery/gen/types.js';
import { hasBadSeccompAnnotation, hasBadSeccompType } from './seccomp.js';
import {
  badFields,
  containersNamed,
  containersOf,
  forbidden,
  inUserNamespace,
  namesWhere,
  plural,
  quoted,
  settersOf,
  sortedSet,
  type PodCheck,
  type ReviewedPod,
  type Violation,
} from './violation.js';

const ADDABLE_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const SYSCTLS_1_0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
const SYSCTLS_1_27 = [...SYSCTLS_1_0, 'net.ipv4.ip_local_reserved_ports'];
const SYSCTLS_1_29 = [
  ...SYSCTLS_1_27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const SYSCTLS_1_32 = [...SYSCTLS_1_29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const SELINUX_TYPES_1_0 = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
const SELINUX_TYPES_1_31 = [...SELINUX_TYPES_1_0, 'container_engine_t'];

const APPARMOR_ANNOTATION_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';

function appArmor({ spec, annotations }: ReviewedPod): Violation | undefined {
  const found = badFields(
    spec,
    (security) => security.appArmorProfile?.type,
    (type) => type !== 'RuntimeDefault' && type !== 'Localhost',
  );
  const bad = Object.entries(annotations)
    .filter(
      ([key, value]) =>
        key.startsWith(APPARMOR_ANNOTATION_PREFIX) &&
        value !== '' &&
        value !== 'runtime/default' &&
        !value.startsWith('localhost/'),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  const setters = [found.setters, ...(bad.length > 0 ? [plural('annotation', bad.length)] : [])].filter(
    (setter) => setter !== '',
  );
  if (setters.length === 0) return undefined;
  const values = [...sortedSet(found.values), ...bad];
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

const capabilitiesBaseline: PodCheck = ({ spec }) => {
  const extra = new Set<string>();
  const names = namesWhere(spec, (_container, security) => {
    const bad = (security?.capabilities?.add ?? []).filter((capability) => !ADDABLE_CAPABILITIES.has(capability));
    for (const capability of bad) extra.add(capability);
    return bad.length > 0;
  });
  return forbidden(
    'non-default capabilities',
    names,
    (who) => `${who} must not include ${quoted(sortedSet(extra))} in securityContext.capabilities.add`,
  );
};

const hostNamespaces: PodCheck = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const)
    .filter((name) => spec[name] === true)
    .map((name) => `${name}=true`);
  return used.length === 0 ? undefined : { reason: 'host namespaces', detail: used.join(', ') };
};

const hostPathVolumes: PodCheck = ({ spec }) => {
  const names = (spec.volumes ?? [])
    .filter((volume) => volume.hostPath !== undefined && volume.hostPath !== null)
    .map((volume) => volume.name);
  return names.length === 0
    ? undefined
    : { reason: 'hostPath volumes', detail: `${plural('volume', names.length)} ${quoted(names)}` };
};

const hostPorts: PodCheck = ({ spec }) => {
  const ports = new Set<string>();
  const names = namesWhere(spec, (container) => {
    const used = (container.ports ?? []).filter((port) => (port.hostPort ?? 0) !== 0);
    for (const port of used) ports.add(String(port.hostPort));
    return used.length > 0;
  });
  return forbidden(
    'hostPort',
    names,
    (who) =>
      `${who} ${names.length === 1 ? 'uses' : 'use'} ${plural('hostPort', ports.size)} ${sortedSet(ports).join(', ')}`,
  );
};

/** A probe of another host's port makes the node's agent a client of anything it reaches. */
const probeHosts: PodCheck = ({ spec }) => {
  const hosts = new Set<string>();
  const names = namesWhere(spec, (container) => {
    const handlers: readonly (Probe | LifecycleHandler | undefined)[] = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ];
    const used = handlers
      .flatMap((handler) => [handler?.httpGet?.host ?? '', handler?.tcpSocket?.host ?? ''])
      .filter((host) => host !== '');
    for (const host of used) hosts.add(host);
    return used.length > 0;
  });
  return forbidden(
    'probe or lifecycle host',
    names,
    () =>
      `${containersNamed(sortedSet(names))} ${names.length === 1 ? 'uses' : 'use'} ${plural('probe or lifecycle host', hosts.size)} ${quoted(sortedSet(hosts))}`,
  );
};

const privileged: PodCheck = ({ spec }) =>
  forbidden(
    'privileged',
    namesWhere(spec, (_container, security) => security?.privileged === true),
    (who) => `${who} must not set securityContext.privileged=true`,
  );

export const procMount: PodCheck = ({ spec }) => {
  const types = new Set<string>();
  const names = namesWhere(spec, (_container, security) => {
    const type = security?.procMount ?? 'Default';
    if (type !== 'Default') types.add(type);
    return type !== 'Default';
  });
  return forbidden(
    'procMount',
    names,
    (who) => `${who} must not set securityContext.procMount to ${quoted(sortedSet(types))}`,
  );
};

const sysctls =
  (allowed: readonly string[]): PodCheck =>
  ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? [])
      .map((sysctl) => sysctl.name)
      .filter((name) => !allowed.includes(name));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
  };

const seLinux =
  (allowed: readonly string[]): PodCheck =>
  ({ spec }) => {
    const isBadType = (options: SELinuxOptions): boolean => !allowed.includes(options.type ?? '');
    const { setters, values } = badFields(
      spec,
      (security) => security.seLinuxOptions,
      (options) => isBadType(options) || (options.user ?? '') !== '' || (options.role ?? '') !== '',
    );
    if (setters === '') return undefined;
    const types = sortedSet(values.filter(isBadType).map((options) => options.type ?? ''));
    const what = [
      ...(types.length > 0 ? [`${plural('type', types.length)} ${quoted(types)}`] : []),
      ...(values.some((options) => (options.user ?? '') !== '') ? ['user may not be set'] : []),
      ...(values.some((options) => (options.role ?? '') !== '') ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
    };
  };

const hostProcess: PodCheck = ({ spec }) => {
  const setters = settersOf(
    spec.securityContext?.windowsOptions?.hostProcess === true,
    namesWhere(spec, (_container, security) => security?.windowsOptions?.hostProcess === true),
  );
  return setters === ''
    ? undefined
    : { reason: 'hostProcess', detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true` };
};

/**
 * `since`: the minor version of Kubernetes 1.x whose baseline first had it in this form. In the order of their names.
 */
export interface VersionedCheck {
  readonly id: string;
  readonly versions: readonly { readonly since: number; readonly check: PodCheck; readonly replaces?: string }[];
}

export const BASELINE_CHECKS: readonly VersionedCheck[] = [
  { id: 'appArmorProfile', versions: [{ since: 0, check: appArmor }] },
  { id: 'capabilities_baseline', versions: [{ since: 0, check: capabilitiesBaseline }] },
  { id: 'hostNamespaces', versions: [{ since: 0, check: hostNamespaces }] },
  { id: 'hostPathVolumes', versions: [{ since: 0, check: hostPathVolumes }] },
  { id: 'hostPorts', versions: [{ since: 0, check: hostPorts }] },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: probeHosts }] },
  { id: 'privileged', versions: [{ since: 0, check: privileged }] },
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: (pod) => (inUserNamespace(pod.spec) ? undefined : procMount(pod)) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: seLinux(SELINUX_TYPES_1_0) },
      { since: 31, check: seLinux(SELINUX_TYPES_1_31) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: ({ spec, annotations }) => hasBadSeccompAnnotation(annotations, containersOf(spec)) },
      { since: 19, check: ({ spec }) => hasBadSeccompType(spec) },
    ],
  },
  {
    id: 'sysctls',
    versions: [
      { since: 0, check: sysctls(SYSCTLS_1_0) },
      { since: 27, check: sysctls(SYSCTLS_1_27) },
      { since: 29, check: sysctls(SYSCTLS_1_29) },
      { since: 32, check: sysctls(SYSCTLS_1_32) },
    ],
  },
  { id: 'windowsHostProcess', versions: [{ since: 0, check: hostProcess }] },
];
