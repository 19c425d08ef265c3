/**
 * The checks that the restricted level has beyond baseline. One that is stricter than baseline's own takes its place.
 */
import type { PodSpec, SecurityContext, Volume } from '../../../../apimachinery/gen/types.js';
import { procMount, type VersionedCheck } from './baseline.js';
import { hasBadSeccompType, isGoodType } from './seccomp.js';
import {
  badFields,
  containersNamed,
  forbidden,
  inUserNamespace,
  isWindows,
  namesWhere,
  plural,
  quoted,
  sortedSet,
  type PodCheck,
} from './violation.js';

const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const;
const OTHER_VOLUMES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
] as const;

const unlessWindows =
  (check: PodCheck): PodCheck =>
  (pod) =>
    isWindows(pod.spec) ? undefined : check(pod);
const unlessUserNamespace =
  (check: PodCheck): PodCheck =>
  (pod) =>
    inUserNamespace(pod.spec) ? undefined : check(pod);

const allowPrivilegeEscalation: PodCheck = ({ spec }) =>
  forbidden(
    'allowPrivilegeEscalation != false',
    namesWhere(spec, (_container, security) => security?.allowPrivilegeEscalation !== false),
    (who) => `${who} must set securityContext.allowPrivilegeEscalation=false`,
  );

const capabilities: PodCheck = ({ spec }) => {
  const added = new Set<string>();
  const keeping = namesWhere(spec, (_container, security) => !(security?.capabilities?.drop ?? []).includes('ALL'));
  const adding = namesWhere(spec, (_container, security) => {
    const bad = (security?.capabilities?.add ?? []).filter((capability) => capability !== 'NET_BIND_SERVICE');
    for (const capability of bad) added.add(capability);
    return bad.length > 0;
  });
  const details = [
    ...(keeping.length > 0 ? [`${containersNamed(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${containersNamed(adding)} must not include ${quoted(sortedSet(added))} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const isSet = (volume: Volume, source: keyof Volume): boolean =>
  volume[source] !== undefined && volume[source] !== null;

const volumeTypes: PodCheck = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter((volume) => !ALLOWED_VOLUMES.some((source) => isSet(volume, source)));
  if (bad.length === 0) return undefined;
  const types = sortedSet(
    bad.map((volume) => OTHER_VOLUMES.find((source) => isSet(volume, source as keyof Volume)) ?? 'unknown'),
  );
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', bad.length)} ${quoted(bad.map((volume) => volume.name))} ${bad.length === 1 ? 'uses' : 'use'} ${plural('restricted volume type', types.length)} ${quoted(types)}`,
  };
};

/** Containers that do not say themselves what the pod does not say for them. */
const silentContainers = (spec: PodSpec, read: (security: SecurityContext) => unknown): string[] =>
  namesWhere(
    spec,
    (_container, security) => (security === undefined ? undefined : (read(security) ?? undefined)) === undefined,
  );

const runAsNonRoot: PodCheck = ({ spec }) => {
  const reason = 'runAsNonRoot != true';
  const { setters } = badFields(
    spec,
    (security) => security.runAsNonRoot,
    (value) => !value,
  );
  if (setters !== '') return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  if (spec.securityContext?.runAsNonRoot === true) return undefined;
  return forbidden(
    reason,
    silentContainers(spec, (security) => security.runAsNonRoot),
    (who) => `pod or ${who} must set securityContext.runAsNonRoot=true`,
  );
};

const runAsUser: PodCheck = ({ spec }) => {
  const { setters } = badFields(
    spec,
    (security) => security.runAsUser,
    (user) => user === 0,
  );
  return setters === '' ? undefined : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
};

const seccompProfile: PodCheck = ({ spec }) => {
  const bad = hasBadSeccompType(spec);
  if (bad !== undefined) return bad;
  if (isGoodType(spec.securityContext?.seccompProfile?.type ?? '')) return undefined;
  return forbidden(
    'seccompProfile',
    silentContainers(spec, (security) => security.seccompProfile),
    (who) => `pod or ${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  );
};

export const RESTRICTED_CHECKS: readonly VersionedCheck[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: allowPrivilegeEscalation },
      { since: 25, check: unlessWindows(allowPrivilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    versions: [
      { since: 22, check: capabilities, replaces: 'capabilities_baseline' },
      { since: 25, check: unlessWindows(capabilities), replaces: 'capabilities_baseline' },
    ],
  },
  { id: 'procMount_restricted', versions: [{ since: 35, check: procMount, replaces: 'procMount' }] },
  { id: 'restrictedVolumes', versions: [{ since: 0, check: volumeTypes, replaces: 'hostPathVolumes' }] },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: unlessUserNamespace(runAsNonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: unlessUserNamespace(runAsUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    versions: [
      { since: 19, check: seccompProfile, replaces: 'seccompProfile_baseline' },
      { since: 25, check: unlessWindows(seccompProfile), replaces: 'seccompProfile_baseline' },
    ],
  },
];
