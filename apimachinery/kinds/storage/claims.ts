/** Volumes, claims and storage classes. */
import { strategyOf } from '../lib/strategy.js';
import { absent, child, clone, field, fill, fillZero, isRec, put, str, unset, type Rec } from '../lib/value.js';
import { defaultVolumeSources } from '../volumes/defaults.js';
import { validateClaim } from './validate-claim.js';
import { validateStorageClass } from './validate-classes.js';
import { validateVolume } from './validate-volume.js';

/** Also for the claims that a StatefulSet stamps out. */
export function defaultClaim(claim: Rec): void {
  const spec = child(claim, 'spec');
  if (spec !== undefined) fill(spec, 'volumeMode', 'Filesystem');
  const status = child(claim, 'status');
  if (status !== undefined) fillZero(status, 'phase', 'Pending');
}

function defaultVolume(volume: Rec): void {
  const spec = child(volume, 'spec');
  if (spec !== undefined) {
    fillZero(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    fill(spec, 'volumeMode', 'Filesystem');
    defaultVolumeSources(spec);
  }
  const status = child(volume, 'status');
  if (status !== undefined) fillZero(status, 'phase', 'Pending');
}

const CLONED = new Map([
  ['PersistentVolumeClaim', ''],
  ['VolumeSnapshot', 'snapshot.storage.k8s.io'],
]);

/**
 * Two fields say what a claim is filled from (KEP-1495). `dataSource` knows claims and snapshots alone, and is dropped
 * when it names another kind; whichever of the two is left out is filled in from the other. References into other
 * namespaces are off in v1.36.
 */
function settleDataSources(claim: Rec, old?: Rec): void {
  const spec = field(claim, 'spec');
  const before = field(old, 'spec');
  if (!isRec(spec)) return;
  const isInUse = (name: string): boolean => isRec(field(before, name));
  if (!isInUse('dataSourceRef') && !unset(field(spec['dataSourceRef'], 'namespace'))) delete spec['dataSourceRef'];
  const { dataSource: source, dataSourceRef: reference } = spec;
  if (isRec(source) && !isRec(reference)) {
    if (!isInUse('dataSource') && CLONED.get(str(source['kind'])) !== str(source['apiGroup']))
      delete spec['dataSource'];
    else spec['dataSourceRef'] = clone(source);
  } else if (isRec(reference) && !isRec(source) && unset(reference['namespace'])) {
    const { namespace: _, ...local } = reference;
    spec['dataSource'] = clone(local);
  }
}

const pending = (draft: Rec): void => {
  draft['status'] = { phase: 'Pending' };
};

export const claimStrategy = strategyOf({
  returnsDeleted: true,
  status: true,
  defaults: defaultClaim,
  create: (claim) => {
    pending(claim);
    settleDataSources(claim);
  },
  update: (claim, old, { subresource }) => {
    if (subresource === undefined) settleDataSources(claim, old);
  },
  validatesAll: true,
  validate: validateClaim,
});

const secondOf = (now_ms: number): string => new Date(now_ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** When the phase last changed: the client's word if it gives a new one (KEP-3762). */
function keepPhaseTime(volume: Rec, old: Rec, now_ms: number): void {
  const [status, before] = [field(volume, 'status'), field(old, 'status')];
  if (!isRec(status)) return;
  const [time, timeBefore] = [field(status, 'lastPhaseTransitionTime'), field(before, 'lastPhaseTransitionTime')];
  if (field(status, 'phase') === field(before, 'phase')) {
    if (absent(time)) put(status, 'lastPhaseTransitionTime', timeBefore);
  } else if (absent(time) || time === timeBefore) {
    status['lastPhaseTransitionTime'] = secondOf(now_ms);
  }
}

export const volumeStrategy = strategyOf({
  returnsDeleted: true,
  status: true,
  defaults: defaultVolume,
  validatesAll: true,
  validate: validateVolume,
  create: (volume, { now_ms }) => {
    volume['status'] = { phase: 'Pending', lastPhaseTransitionTime: secondOf(now_ms) };
  },
  update: (volume, old, { subresource, now_ms }) => {
    if (subresource === 'status') keepPhaseTime(volume, old, now_ms);
  },
});

export const storageClassStrategy = strategyOf({
  returnsDeleted: true,
  defaults: (draft) => {
    fill(draft, 'reclaimPolicy', 'Delete');
    fill(draft, 'volumeBindingMode', 'Immediate');
  },
  validatesAll: true,
  validate: validateStorageClass,
});
