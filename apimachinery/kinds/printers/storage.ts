/** Tables of volumes, claims and the storage group. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { absent, at, field, list, recs, str, strs, scalarText } from '../lib/value.js';
import { AGE, NAME, boolean, integer, nameOf, orUnset, printerOf, text, wide } from './columns.js';

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** `RWO,ROX,RWX,RWOP`: in this order, each once. */
function accessModesText(modes: unknown): string {
  const given = new Set(strs(modes));
  return Object.entries(MODES)
    .filter(([mode]) => given.has(mode))
    .map(([, short]) => short)
    .join(',');
}

const phaseOf = (object: KubeObject): string =>
  absent(at(object, 'metadata', 'deletionTimestamp')) ? str(at(object, 'status', 'phase')) : 'Terminating';
const volumeMode = wide(text('VolumeMode', (object) => orUnset(at(object, 'spec', 'volumeMode'))));
const attributesClass = text('VolumeAttributesClass', (object) =>
  orUnset(at(object, 'spec', 'volumeAttributesClassName')),
);
const classOf = (object: KubeObject): string =>
  str(at(object, 'metadata', 'annotations', 'volume.beta.kubernetes.io/storage-class')) ||
  str(at(object, 'spec', 'storageClassName'));
const quantityText = (value: unknown): string => scalarText(value);

function claimOf(volume: KubeObject): string {
  const claim = at(volume, 'spec', 'claimRef');
  return absent(claim) ? '' : `${str(field(claim, 'namespace'))}/${str(field(claim, 'name'))}`;
}

export const persistentVolumePrinter: Printer = printerOf(
  NAME,
  text('Capacity', (volume) => quantityText(at(volume, 'spec', 'capacity', 'storage'))),
  text('Access Modes', (volume) => accessModesText(at(volume, 'spec', 'accessModes'))),
  text('Reclaim Policy', (volume) => str(at(volume, 'spec', 'persistentVolumeReclaimPolicy'))),
  text('Status', phaseOf),
  text('Claim', claimOf),
  text('StorageClass', classOf),
  attributesClass,
  text('Reason', (volume) => str(at(volume, 'status', 'reason'))),
  AGE,
  volumeMode,
);

const bound = (claim: KubeObject): boolean => str(at(claim, 'spec', 'volumeName')) !== '';

export const persistentVolumeClaimPrinter: Printer = printerOf(
  NAME,
  text('Status', phaseOf),
  text('Volume', (claim) => str(at(claim, 'spec', 'volumeName'))),
  text('Capacity', (claim) => (bound(claim) ? quantityText(at(claim, 'status', 'capacity', 'storage')) || '0' : '')),
  text('Access Modes', (claim) => (bound(claim) ? accessModesText(at(claim, 'status', 'accessModes')) : '')),
  text('StorageClass', classOf),
  attributesClass,
  AGE,
  volumeMode,
);

const DEFAULT_CLASS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

function className(object: KubeObject): string {
  const isDefault = DEFAULT_CLASS.some((key) => at(object, 'metadata', 'annotations', key) === 'true');
  return isDefault ? `${nameOf(object)} (default)` : nameOf(object);
}

export const storageClassPrinter: Printer = printerOf(
  { ...NAME, cell: className },
  text('Provisioner', (object) => str(field(object, 'provisioner'))),
  text('ReclaimPolicy', (object) => str(field(object, 'reclaimPolicy')) || 'Delete'),
  text('VolumeBindingMode', (object) => str(field(object, 'volumeBindingMode')) || 'Immediate'),
  text('AllowVolumeExpansion', (object) => field(object, 'allowVolumeExpansion') === true),
  AGE,
);

export const csiNodePrinter: Printer = printerOf(
  NAME,
  integer('Drivers', (object) => list(at(object, 'spec', 'drivers')).length),
  AGE,
);

const driverFlag = (column: string, name: string) => boolean(column, (object) => at(object, 'spec', name) === true);

export const csiDriverPrinter: Printer = printerOf(
  NAME,
  boolean('AttachRequired', (object) => at(object, 'spec', 'attachRequired') !== false),
  driverFlag('PodInfoOnMount', 'podInfoOnMount'),
  driverFlag('StorageCapacity', 'storageCapacity'),
  text(
    'TokenRequests',
    (object) =>
      recs(at(object, 'spec', 'tokenRequests'))
        .map((request) => str(request['audience']))
        .join(',') || '<unset>',
  ),
  driverFlag('RequiresRepublish', 'requiresRepublish'),
  text('Modes', (object) => strs(at(object, 'spec', 'volumeLifecycleModes')).join(',')),
  AGE,
);

export const volumeAttachmentPrinter: Printer = printerOf(
  NAME,
  { ...text('Attacher', (object) => str(at(object, 'spec', 'attacher'))), format: 'name' },
  text('PV', (object) => str(at(object, 'spec', 'source', 'persistentVolumeName'))),
  text('Node', (object) => str(at(object, 'spec', 'nodeName'))),
  boolean('Attached', (object) => at(object, 'status', 'attached') === true),
  AGE,
);

export const volumeAttributesClassPrinter: Printer = printerOf(
  NAME,
  text('DriverName', (object) => str(field(object, 'driverName'))),
  AGE,
);
