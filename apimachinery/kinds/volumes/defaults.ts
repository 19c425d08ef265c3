/** Defaults of volume sources. */
import { pullPolicyFor } from '../lib/image.js';
import { absent, child, children, field, fill, fillZero, isRec, type Rec } from '../lib/value.js';

const FILE_MODE_DEFAULT = 0o644;
const TOKEN_EXPIRATION_SECONDS_DEFAULT = 3600;

function defaultFieldRefs(source: Rec): void {
  for (const item of children(source, 'items')) {
    const reference = field(item, 'fieldRef');
    if (isRec(reference)) fillZero(reference, 'apiVersion', 'v1');
    const resource = field(item, 'resourceFieldRef');
    if (isRec(resource)) fillZero(resource, 'divisor', '0');
  }
}

function defaultProjected(projected: Rec): void {
  fill(projected, 'defaultMode', FILE_MODE_DEFAULT);
  for (const source of children(projected, 'sources')) {
    const token = field(source, 'serviceAccountToken');
    if (isRec(token)) fill(token, 'expirationSeconds', TOKEN_EXPIRATION_SECONDS_DEFAULT);
    const downward = field(source, 'downwardAPI');
    if (isRec(downward)) defaultFieldRefs(downward);
  }
}

const SOURCES: Readonly<Record<string, (source: Rec) => void>> = {
  secret: (source) => fill(source, 'defaultMode', FILE_MODE_DEFAULT),
  configMap: (source) => fill(source, 'defaultMode', FILE_MODE_DEFAULT),
  downwardAPI: (source) => {
    fill(source, 'defaultMode', FILE_MODE_DEFAULT);
    defaultFieldRefs(source);
  },
  projected: defaultProjected,
  hostPath: (source) => fill(source, 'type', ''),
  image: (source) => fillZero(source, 'pullPolicy', pullPolicyFor(source['reference'])),
  ephemeral: (source) => {
    const spec = field(field(source, 'volumeClaimTemplate'), 'spec');
    if (isRec(spec)) fill(spec, 'volumeMode', 'Filesystem');
  },
  iscsi: (source) => fillZero(source, 'iscsiInterface', 'default'),
  rbd: (source) => {
    fillZero(source, 'pool', 'rbd');
    fillZero(source, 'user', 'admin');
    fillZero(source, 'keyring', '/etc/ceph/keyring');
  },
  azureDisk: (source) => {
    fill(source, 'cachingMode', 'ReadWrite');
    fill(source, 'kind', 'Shared');
    fill(source, 'fsType', 'ext4');
    fill(source, 'readOnly', false);
  },
  scaleIO: (source) => {
    fillZero(source, 'storageMode', 'ThinProvisioned');
    fillZero(source, 'fsType', 'xfs');
  },
};

/** Of an object whose fields are sources: a pod's volume, or the spec of a PersistentVolume. */
export function defaultVolumeSources(holder: Rec): void {
  for (const [name, fillIn] of Object.entries(SOURCES)) {
    const source = field(holder, name);
    if (isRec(source)) fillIn(source);
  }
}

/** A volume that names no source is an emptyDir. */
export function defaultVolumes(spec: Rec): void {
  for (const volume of children(spec, 'volumes')) {
    const names = Object.keys(volume).filter((name) => name !== 'name' && !absent(volume[name]));
    if (names.length === 0) child(volume, 'emptyDir');
    defaultVolumeSources(volume);
  }
}
