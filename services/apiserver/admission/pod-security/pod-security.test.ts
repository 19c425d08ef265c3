/** Issue row "PodSecurity": levels, versions, modes and words are those of Kubernetes' Pod Security Admission. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { PodSpec } from '../../../../apimachinery/gen/types.js';
import type { Kind } from '../../../../apimachinery/kind.js';
import type { KubeObject } from '../../../../apimachinery/object.js';
import { systemClock } from '../../../../platform/clock.js';
import type { AdmissionAttributes } from '../../ports.js';
import { MapReader } from '../../testing-reader.js';
import { detailsOf, violationsOf } from './evaluate.js';
import { podSecurity } from './pod-security.js';
import { LATEST, levelVersionText, policyOf, type Level } from './policy.js';

const GOOD = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const container = (security: object = {}, more: object = {}): object => ({
  name: 'c',
  image: 'i',
  securityContext: { ...GOOD, ...security },
  ...more,
});
const spec = (of: object, more: object = {}): PodSpec => ({ containers: [of], ...more }) as unknown as PodSpec;
const told = (of: PodSpec, level: Level, { minor = LATEST, annotations = {} } = {}): string =>
  detailsOf(violationsOf({ annotations, spec: of }, { level, minor }));

describe('checks', () => {
  it.each<[string, Level, PodSpec, string]>([
    ['a pod that is restricted', 'restricted', spec(container()), ''],
    [
      'nothing said',
      'restricted',
      spec({ name: 'c', image: 'i' }),
      [
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])',
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
      ].join(', '),
    ],
    ['nothing said', 'baseline', spec({ name: 'c', image: 'i' }), ''],
    [
      'privileged',
      'baseline',
      spec(container({ privileged: true })),
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    ['privileged', 'privileged', spec(container({ privileged: true })), ''],
    [
      'an init container, CVE-2023-2727',
      'baseline',
      spec(container(), { initContainers: [{ name: 'i', securityContext: { privileged: true } }] }),
      'privileged (container "i" must not set securityContext.privileged=true)',
    ],
    [
      'an ephemeral container, CVE-2023-2727',
      'baseline',
      spec(container(), { ephemeralContainers: [{ name: 'e', securityContext: { privileged: true } }] }),
      'privileged (container "e" must not set securityContext.privileged=true)',
    ],
    [
      'host namespaces',
      'baseline',
      spec(container(), { hostNetwork: true, hostIPC: true }),
      'host namespaces (hostNetwork=true, hostIPC=true)',
    ],
    [
      'host paths',
      'baseline',
      spec(container(), {
        volumes: [
          { name: 'a', hostPath: { path: '/' } },
          { name: 'b', hostPath: { path: '/b' } },
        ],
      }),
      'hostPath volumes (volumes "a", "b")',
    ],
    [
      'host paths, replaced by the volume types',
      'restricted',
      spec(container(), { volumes: [{ name: 'a', hostPath: { path: '/' } }] }),
      'restricted volume types (volume "a" uses restricted volume type "hostPath")',
    ],
    [
      'a volume type that nobody knows',
      'restricted',
      spec(container(), {
        volumes: [
          { name: 'a', novel: {} },
          { name: 'b', nfs: {} },
        ],
      }),
      'restricted volume types (volumes "a", "b" use restricted volume types "nfs", "unknown")',
    ],
    [
      'host ports',
      'baseline',
      spec(
        container(
          {},
          {
            ports: [
              { containerPort: 1, hostPort: 80 },
              { containerPort: 2, hostPort: 443 },
            ],
          },
        ),
      ),
      'hostPort (container "c" uses hostPorts 443, 80)',
    ],
    [
      'capabilities',
      'baseline',
      spec(container({ capabilities: { add: ['NET_ADMIN', 'CHOWN'] } })),
      'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      'capabilities, replaced by stricter ones',
      'restricted',
      spec(container({ capabilities: { add: ['NET_BIND_SERVICE', 'CHOWN'], drop: ['ALL'] } })),
      'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
    ],
    [
      'probes of other hosts',
      'baseline',
      spec(container({}, { livenessProbe: { tcpSocket: { port: 1, host: '169.254.169.254' } } })),
      'probe or lifecycle host (container "c" uses probe or lifecycle host "169.254.169.254")',
    ],
    [
      'proc',
      'baseline',
      spec(container({ procMount: 'Unmasked' })),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    ['proc in a user namespace', 'baseline', spec(container({ procMount: 'Unmasked' }), { hostUsers: false }), ''],
    [
      'SELinux',
      'baseline',
      spec(container({ seLinuxOptions: { type: 'spc_t', user: 'u' } })),
      'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      'seccomp of the pod',
      'baseline',
      spec(container(), { securityContext: { seccompProfile: { type: 'Unconfined' } } }),
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'AppArmor of both',
      'baseline',
      spec(container({ appArmorProfile: { type: 'Unconfined' } }), {
        securityContext: { appArmorProfile: { type: 'Unconfined' } },
      }),
      'forbidden AppArmor profile (pod and container "c" must not set AppArmor profile type to "Unconfined")',
    ],
    [
      'sysctls',
      'baseline',
      spec(container(), {
        securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies' }, { name: 'kernel.msgmax' }] },
      }),
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'Windows host processes',
      'baseline',
      spec(container({ windowsOptions: { hostProcess: true } })),
      'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      'root by number',
      'restricted',
      spec(container({ runAsUser: 0 })),
      'runAsUser=0 (container "c" must not set runAsUser=0)',
    ],
    [
      'root by word',
      'restricted',
      spec(container({ runAsNonRoot: false })),
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
    ],
    [
      'root in a user namespace',
      'restricted',
      spec(container({ runAsNonRoot: false, runAsUser: 0 }), { hostUsers: false }),
      '',
    ],
    [
      'a Windows pod',
      'restricted',
      spec({ name: 'c', image: 'i' }, { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } }),
      '',
    ],
  ])('%s at %s', (_title, level, pod, expected) => expect(told(pod, level)).toBe(expected));

  it.each<[string, PodSpec, Level, number, string]>([
    [
      'a sysctl of 1.27',
      spec(container(), { securityContext: { sysctls: [{ name: 'net.ipv4.ip_local_reserved_ports' }] } }),
      'baseline',
      26,
      'forbidden sysctls (net.ipv4.ip_local_reserved_ports)',
    ],
    [
      'a sysctl of 1.27',
      spec(container(), { securityContext: { sysctls: [{ name: 'net.ipv4.ip_local_reserved_ports' }] } }),
      'baseline',
      27,
      '',
    ],
    ['capabilities before 1.22', spec(container({ capabilities: {} })), 'restricted', 21, ''],
    [
      'probes before 1.34',
      spec(container({}, { livenessProbe: { tcpSocket: { port: 1, host: 'h' } } })),
      'baseline',
      33,
      '',
    ],
    [
      'a version of the future',
      spec(container({ runAsUser: 0 })),
      'restricted',
      99,
      'runAsUser=0 (container "c" must not set runAsUser=0)',
    ],
  ])('%s at %s:v1.%d', (_title, pod, level, minor, expected) => expect(told(pod, level, { minor })).toBe(expected));

  it('looks at the annotations of old', () => {
    expect(
      told(spec(container()), 'baseline', {
        annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' },
      }),
    ).toBe(
      'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
    );
    expect(
      told(spec(container()), 'baseline', {
        minor: 18,
        annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' },
      }),
    ).toBe('seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")');
  });
});

describe('policy of a namespace', () => {
  it.each<[Record<string, string>, string, number]>([
    [{}, 'privileged:latest privileged:latest privileged:latest', 0],
    [{ enforce: 'restricted' }, 'restricted:latest privileged:latest restricted:latest', 0],
    [{ enforce: 'baseline', 'enforce-version': 'v1.30' }, 'baseline:v1.30 privileged:latest baseline:v1.30', 0],
    [
      { enforce: 'baseline', warn: 'restricted', 'warn-version': 'v1.1', audit: 'baseline' },
      'baseline:latest baseline:latest restricted:v1.1',
      0,
    ],
    [{ enforce: 'strict' }, 'restricted:latest privileged:latest privileged:latest', 1],
    [
      { enforce: 'baseline', warn: 'x', 'warn-version': '1.2', audit: 'x' },
      'baseline:latest privileged:latest privileged:latest',
      3,
    ],
  ])('%o is %s', (labels, expected, errors) => {
    const found = policyOf(
      Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value])),
    );
    expect([found.policy.enforce, found.policy.audit, found.policy.warn].map(levelVersionText).join(' ')).toBe(
      expected,
    );
    expect(found.errors).toHaveLength(errors);
  });
});

describe('admission', () => {
  let reader: MapReader;
  let warnings: string[];
  const enforce = (level: string): KubeObject => ({
    metadata: { name: 'n', labels: { 'pod-security.kubernetes.io/enforce': level } },
  });
  beforeEach(() => {
    reader = new MapReader();
    warnings = [];
    reader.put('namespaces', enforce('baseline'));
  });
  const review = async (
    resource: string,
    object: unknown,
    more: Partial<AdmissionAttributes> & { readonly group?: string } = {},
  ): Promise<void> => {
    const kind = {
      group: more.group ?? '',
      version: 'v1',
      kind: 'X',
      resource,
      namespaced: resource !== 'namespaces',
    } as Kind;
    await podSecurity(reader, systemClock).validate?.({
      kind,
      objectKind: kind,
      operation: 'CREATE',
      namespace: 'n',
      name: 'x',
      object: object as KubeObject,
      oldObject: undefined,
      user: { name: 'jane', groups: [] },
      dryRun: false,
      options: {},
      warn: (message) => warnings.push(message),
      ...more,
    });
  };
  const bad = { metadata: { name: 'x', namespace: 'n' }, spec: spec(container({ privileged: true })) };
  const words =
    'violates PodSecurity "baseline:latest": privileged (container "c" must not set securityContext.privileged=true)';

  it('refuses a pod with 403, and warns of a template', async () => {
    await expect(review('pods', bad)).rejects.toMatchObject({ code: 403, message: `pods "x" is forbidden: ${words}` });
    await review('deployments', { spec: { template: bad } }, { group: 'apps' });
    await review('cronjobs', { spec: { jobTemplate: { spec: { template: bad } } } }, { group: 'batch' });
    expect(warnings).toEqual([
      `would ${words.replace('violates', 'violate')}`,
      `would ${words.replace('violates', 'violate')}`,
    ]);
  });

  it('takes a change of labels, not a new image or a debug container, of a pod that was there before', async () => {
    const update = { operation: 'UPDATE', oldObject: bad as KubeObject } as const;
    await review('pods', { ...bad, metadata: { ...bad.metadata, labels: { a: 'b' } } }, update);
    await review('pods', bad, { ...update, subresource: 'status' });
    await expect(
      review('pods', { ...bad, spec: spec({ ...container({ privileged: true }), image: 'j' }) }, update),
    ).rejects.toMatchObject({ code: 403 });
    await expect(
      review(
        'pods',
        { ...bad, spec: { ...bad.spec, ephemeralContainers: [{ name: 'e' }] } },
        { ...update, subresource: 'ephemeralcontainers' },
      ),
    ).rejects.toMatchObject({ code: 403 });
  });

  it('refuses a label that cannot be read, unless it was there', async () => {
    await expect(review('namespaces', enforce('strict'))).rejects.toMatchObject({
      code: 422,
      message: expect.stringContaining(
        'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
      ),
    });
    await review('namespaces', enforce('strict'), { operation: 'UPDATE', oldObject: enforce('strict') });
  });

  it('warns of the pods that a stricter label would not have allowed', async () => {
    const owned = (name: string): KubeObject => ({
      ...bad,
      metadata: {
        name,
        namespace: 'n',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true }],
      },
    });
    for (const name of ['b', 'a', 'z']) reader.put('pods', owned(name));
    await review('namespaces', enforce('restricted'), {
      name: 'n',
      operation: 'UPDATE',
      oldObject: { metadata: { name: 'n' } },
    });
    expect(warnings).toEqual([
      'existing pods in namespace "n" violate the new PodSecurity enforce level "restricted:latest"',
      'a (and 2 other pods): privileged',
    ]);
    warnings = [];
    await review('namespaces', enforce('baseline'), {
      name: 'n',
      operation: 'UPDATE',
      oldObject: enforce('restricted'),
    });
    expect(warnings).toEqual([]);
  });
});
