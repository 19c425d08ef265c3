/** Volumes, claims and storage classes. */
import { quantityNano } from '../../quantity.js';
import type { FieldError } from '../../status.js';
import { complaintsOf } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, clone, entries, field, fill, fillZero, isRec, keysOf, list, same, strs, unset, type Rec } from '../lib/value.js';
import { VOLUME_MODES, validateAccessModes, validateClaimSpec } from './validate-claim.js';

const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];

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
    const hostPath = field(spec, 'hostPath');
    if (isRec(hostPath)) fill(hostPath, 'type', '');
  }
  const status = child(volume, 'status');
  if (status !== undefined) fillZero(status, 'phase', 'Pending');
}

const validateClaim = (claim: Rec): FieldError[] => complaintsOf((complaints) => validateClaimSpec(complaints, field(claim, 'spec'), 'spec'));

/** Only the request may grow, and an unbound claim may be bound or given a class. */
function validateClaimUpdate(claim: Rec, old: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(claim, 'spec');
    const before = field(old, 'spec');
    if (!isRec(spec) || !isRec(before)) return;
    const munged = clone(spec);
    if (unset(before['volumeName'])) munged['volumeName'] = before['volumeName'];
    if (absent(before['storageClassName'])) munged['storageClassName'] = before['storageClassName'];
    munged['resources'] = before['resources'];
    munged['volumeAttributesClassName'] = before['volumeAttributesClassName'];
    if (!same(munged, before)) {
      complaints.forbidden('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims');
    }
    const now = at(spec, 'resources', 'requests', 'storage');
    const was = at(before, 'resources', 'requests', 'storage');
    if (quantityNano(now) < quantityNano(was) && quantityNano(now) < quantityNano(at(old, 'status', 'capacity', 'storage') ?? was)) {
      complaints.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
    }
  });
}

const VOLUME_FIELDS = new Set([
  'capacity', 'accessModes', 'claimRef', 'persistentVolumeReclaimPolicy', 'storageClassName', 'mountOptions', 'volumeMode', 'nodeAffinity',
  'volumeAttributesClassName',
]);

const sourceOf = (spec: unknown): string[] => keysOf(spec).filter((name) => !VOLUME_FIELDS.has(name) && !absent(field(spec, name)));

function validateVolume(volume: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(volume, 'spec');
    if (list(field(spec, 'accessModes')).length === 0) complaints.required('spec.accessModes');
    validateAccessModes(complaints, strs(field(spec, 'accessModes')), 'spec.accessModes');
    if (keysOf(field(spec, 'capacity')).length === 0) complaints.required('spec.capacity');
    for (const [name, quantity] of entries(field(spec, 'capacity'))) complaints.quantity(`spec.capacity[${name}]`, quantity);
    complaints.oneOf('spec.persistentVolumeReclaimPolicy', field(spec, 'persistentVolumeReclaimPolicy'), RECLAIM_POLICIES);
    const sources = sourceOf(spec);
    if (sources.length === 0) complaints.required('spec', 'must specify a volume type');
    for (const extra of sources.slice(1)) complaints.forbidden(`spec.${extra}`, 'may not specify more than 1 volume type');
    if (sources[0] === 'local' && absent(field(spec, 'nodeAffinity'))) complaints.required('spec.nodeAffinity', 'Local volume requires node affinity');
    complaints.oneOf('spec.volumeMode', field(spec, 'volumeMode'), VOLUME_MODES);
  });
}

function validateVolumeUpdate(volume: Rec, old: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(volume, 'spec');
    const before = field(old, 'spec');
    for (const name of new Set([...sourceOf(spec), ...sourceOf(before)])) {
      if (!same(field(spec, name), field(before, name))) complaints.forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation');
    }
    complaints.immutable('spec.volumeMode', field(spec, 'volumeMode'), same(field(spec, 'volumeMode'), field(before, 'volumeMode')));
    if (!absent(field(before, 'nodeAffinity'))) {
      complaints.immutable('spec.nodeAffinity', field(spec, 'nodeAffinity'), same(field(spec, 'nodeAffinity'), field(before, 'nodeAffinity')));
    }
  });
}

const pending = (draft: Rec): void => {
  draft['status'] = { phase: 'Pending' };
};

export const claimStrategy = strategyOf({
  status: true, defaults: defaultClaim, create: pending, validate: validateClaim, validateUpdate: validateClaimUpdate,
});

export const volumeStrategy = strategyOf({
  status: true, defaults: defaultVolume, create: pending, validate: validateVolume, validateUpdate: validateVolumeUpdate,
});

const CLASS_FIXED = ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'];

export const storageClassStrategy = strategyOf({
  defaults: (draft) => {
    fill(draft, 'reclaimPolicy', 'Delete');
    fill(draft, 'volumeBindingMode', 'Immediate');
  },
  validate: (object) => complaintsOf((complaints) => {
    if (unset(object['provisioner'])) complaints.required('provisioner');
    complaints.oneOf('reclaimPolicy', object['reclaimPolicy'], ['Delete', 'Retain']);
    complaints.oneOf('volumeBindingMode', object['volumeBindingMode'], ['Immediate', 'WaitForFirstConsumer'], true);
  }),
  validateUpdate: (object, old) => complaintsOf((complaints) => {
    for (const name of CLASS_FIXED) {
      if (!same(object[name], old[name], name)) complaints.forbidden(name, name === 'parameters' ? 'updates to parameters are forbidden.' : `updates to ${name} are forbidden.`);
    }
  }),
});
