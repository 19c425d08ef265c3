/** The sources of a PersistentVolume as Go prints the internal type. */
import {
  count,
  flag,
  listOf,
  mapOf,
  nodeSelector,
  optional,
  pointer,
  struct,
  text,
  texts,
  type Shown,
} from '../lib/shown.js';

const secret = optional(struct({ Name: text, Namespace: text }));
const object = optional(
  struct({
    Kind: text,
    Namespace: text,
    Name: text,
    UID: ['uid', text],
    APIVersion: ['apiVersion', text],
    ResourceVersion: text,
    FieldPath: text,
  }),
);
const fsType: readonly [string, Shown] = ['fsType', text];
const portals = listOf(text);

const iscsi = struct({
  TargetPortal: text,
  IQN: ['iqn', text],
  Lun: count,
  ISCSIInterface: ['iscsiInterface', text],
  FSType: fsType,
  ReadOnly: flag,
  Portals: portals,
  DiscoveryCHAPAuth: ['chapAuthDiscovery', flag],
  SessionCHAPAuth: ['chapAuthSession', flag],
  SecretRef: secret,
  InitiatorName: pointer,
});
const rbd = struct({
  CephMonitors: ['monitors', texts],
  RBDImage: ['image', text],
  FSType: fsType,
  RBDPool: ['pool', text],
  RadosUser: ['user', text],
  Keyring: text,
  SecretRef: secret,
  ReadOnly: flag,
});
const scaleIO = struct({
  Gateway: text,
  System: text,
  SecretRef: secret,
  SSLEnabled: ['sslEnabled', flag],
  ProtectionDomain: text,
  StoragePool: text,
  StorageMode: text,
  VolumeName: text,
  FSType: fsType,
  ReadOnly: flag,
});
const csi = struct({
  Driver: text,
  VolumeHandle: text,
  ReadOnly: flag,
  FSType: fsType,
  VolumeAttributes: mapOf(text),
  ControllerPublishSecretRef: secret,
  NodeStageSecretRef: secret,
  NodePublishSecretRef: secret,
  ControllerExpandSecretRef: secret,
  NodeExpandSecretRef: secret,
});
const disk = (name: string): Shown =>
  struct({
    [name === 'pdName' ? 'PDName' : 'VolumeID']: [name, text],
    FSType: fsType,
    Partition: count,
    ReadOnly: flag,
  });

const SOURCES = {
  GCEPersistentDisk: ['gcePersistentDisk', optional(disk('pdName'))],
  AWSElasticBlockStore: ['awsElasticBlockStore', optional(disk('volumeID'))],
  HostPath: optional(struct({ Path: text, Type: pointer })),
  Glusterfs: optional(
    struct({ EndpointsName: ['endpoints', text], Path: text, ReadOnly: flag, EndpointsNamespace: pointer }),
  ),
  NFS: ['nfs', optional(struct({ Server: text, Path: text, ReadOnly: flag }))],
  RBD: ['rbd', optional(rbd)],
  Quobyte: optional(struct({ Registry: text, Volume: text, ReadOnly: flag, User: text, Group: text, Tenant: text })),
  ISCSI: ['iscsi', optional(iscsi)],
  FlexVolume: optional(
    struct({ Driver: text, FSType: fsType, SecretRef: secret, ReadOnly: flag, Options: mapOf(text) }),
  ),
  Cinder: optional(struct({ VolumeID: ['volumeID', text], FSType: fsType, ReadOnly: flag, SecretRef: secret })),
  CephFS: [
    'cephfs',
    optional(struct({ Monitors: texts, Path: text, User: text, SecretFile: text, SecretRef: secret, ReadOnly: flag })),
  ],
  FC: [
    'fc',
    optional(struct({ TargetWWNs: texts, Lun: pointer, FSType: fsType, ReadOnly: flag, WWIDs: ['wwids', texts] })),
  ],
  Flocker: optional(struct({ DatasetName: text, DatasetUUID: text })),
  AzureFile: optional(struct({ SecretName: text, ShareName: text, ReadOnly: flag, SecretNamespace: pointer })),
  VsphereVolume: optional(struct({ VolumePath: text, FSType: fsType, StoragePolicyName: text, StoragePolicyID: text })),
  AzureDisk: optional(
    struct({
      DiskName: text,
      DataDiskURI: ['diskURI', text],
      CachingMode: pointer,
      FSType: ['fsType', pointer],
      ReadOnly: pointer,
      Kind: pointer,
    }),
  ),
  PhotonPersistentDisk: optional(struct({ PdID: text, FSType: fsType })),
  PortworxVolume: optional(struct({ VolumeID: ['volumeID', text], FSType: fsType, ReadOnly: flag })),
  ScaleIO: optional(scaleIO),
  Local: optional(struct({ Path: text, FSType: ['fsType', pointer] })),
  StorageOS: [
    'storageos',
    optional(struct({ VolumeName: text, VolumeNamespace: text, FSType: fsType, ReadOnly: flag, SecretRef: object })),
  ],
  CSI: ['csi', optional(csi)],
} as const;

export const shownSources = struct(SOURCES);

export const shownAffinity = optional(struct({ Required: optional(nodeSelector) }));

export const shownVolumeSpec = struct({
  Capacity: mapOf(text),
  ...SOURCES,
  AccessModes: texts,
  ClaimRef: object,
  PersistentVolumeReclaimPolicy: text,
  StorageClassName: text,
  MountOptions: texts,
  VolumeMode: pointer,
  NodeAffinity: shownAffinity,
  VolumeAttributesClassName: pointer,
});
