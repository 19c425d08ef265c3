/**
 * StorageObjectInUseProtection: claims, volumes and classes of attributes stay until nobody uses them; the
 * volume-protection controllers let them go.
 */
import { PV_PROTECTION, PVC_PROTECTION, VAC_PROTECTION } from '../../../apimachinery/well-known.js';
import { concerns, type AdmissionPlugin } from './plugin.js';

const FINALIZERS = [
  { group: '', resource: 'persistentvolumeclaims', finalizer: PVC_PROTECTION },
  { group: '', resource: 'persistentvolumes', finalizer: PV_PROTECTION },
  { group: 'storage.k8s.io', resource: 'volumeattributesclasses', finalizer: VAC_PROTECTION },
];

export function storageProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    mutate(attributes) {
      const row = FINALIZERS.find(({ group, resource }) => concerns(attributes, group, resource));
      const { object } = attributes;
      if (row === undefined || attributes.operation !== 'CREATE' || object === undefined) return;
      const finalizers = object.metadata?.finalizers ?? [];
      if (!finalizers.includes(row.finalizer))
        object.metadata = { ...object.metadata, finalizers: [...finalizers, row.finalizer] };
    },
  };
}
