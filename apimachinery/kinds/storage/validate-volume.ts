/**
 * Validation of PersistentVolumes, and of the volumes inside VolumeAttachments. The order of complaints is Kubernetes'
 * own.
 */
import { posix } from 'node:path';
import type { StrategyContext } from '../../kind.js';
import { dns1123Subdomain } from '../../names.js';
import { quantityNano } from '../../quantity.js';
import type { FieldError } from '../../status.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { unifiedDiff } from '../lib/unified-diff.js';
import {
  absent,
  at,
  clone,
  entries,
  field,
  isRec,
  keysOf,
  same,
  scalarText,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';
import { validateNodeSelector } from '../lib/node-selector-validation.js';
import { VOLUME_MODES, validateAccessModes } from './validate-claim.js';
import { shownAffinity, shownSources } from './shown.js';
import { sourcesOf, volumeSources } from '../volumes/sources.js';

const INLINE = 'in the context of inline volumes';
const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];
const NANO = 1_000_000_000n;

function validateCapacity(complaints: Complaints, capacity: unknown, path: string): void {
  const names = keysOf(capacity);
  if (names.length === 0) complaints.required(path);
  if (!names.includes('storage') || names.length > 1) complaints.unsupported(path, capacity ?? null, ['storage']);
  for (const [name, quantity] of entries(capacity)) {
    const nano = quantityNano(quantity);
    if (nano < 0n) complaints.invalid(`${path}[${name}]`, Number(nano / NANO), 'must be a valid resource quantity');
    if (nano <= 0n) complaints.invalid(`${path}[${name}]`, scalarText(quantity), 'must be greater than zero');
  }
}

interface VolumeFacts {
  readonly path: string;
  /** '' inside a VolumeAttachment, where the volume is described and not named. */
  readonly name: string;
  readonly isInline: boolean;
}

/** What an inline volume may not say: it has no claim, no size, no node, no class. */
function validateHead(complaints: Complaints, spec: Rec, { path, isInline }: VolumeFacts): void {
  if (isInline) {
    if (isRec(spec['claimRef'])) complaints.forbidden(`${path}.claimRef`, `may not be specified ${INLINE}`);
    if (keysOf(spec['capacity']).length > 0) complaints.forbidden(`${path}.capacity`, `may not be specified ${INLINE}`);
    if (!isRec(spec['csi'])) complaints.required(`${path}.csi`, `has to be specified ${INLINE}`);
  }
  const modes = strs(spec['accessModes']);
  if (modes.length === 0) complaints.required(`${path}.accessModes`);
  validateAccessModes(complaints, modes, `${path}.accessModes`);
  if (!isInline) validateCapacity(complaints, spec['capacity'], `${path}.capacity`);
  const policy = spec['persistentVolumeReclaimPolicy'];
  if (!isInline) complaints.oneOf(`${path}.persistentVolumeReclaimPolicy`, policy, RECLAIM_POLICIES);
  else if (!unset(policy) && policy !== 'Retain')
    complaints.forbidden(`${path}.persistentVolumeReclaimPolicy`, `may only be Retain ${INLINE}`);
  const affinity = spec['nodeAffinity'];
  if (!isRec(affinity)) return;
  if (isInline) complaints.forbidden(`${path}.nodeAffinity`, `may not be specified ${INLINE}`);
  else if (isRec(affinity['required']))
    validateNodeSelector(complaints, affinity['required'], `${path}.nodeAffinity.required`);
  else complaints.required(`${path}.nodeAffinity.required`, 'must specify required node constraints');
}

function validateSources(complaints: Complaints, spec: Rec, { path, name: volumeName, isInline }: VolumeFacts): void {
  let isFirst = true;
  for (const { name, check, fieldsAs, extraAs } of volumeSources(volumeName)) {
    const source = spec[name];
    if (!isRec(source)) continue;
    if (isFirst || name === 'flexVolume') check(complaints, source, `${path}.${fieldsAs ?? name}`);
    else complaints.forbidden(`${path}.${extraAs ?? name}`, 'may not specify more than 1 volume type');
    if (isFirst && name === 'local' && (isInline || !isRec(spec['nodeAffinity'])))
      complaints.required(`${path}.nodeAffinity`, 'Local volume requires node affinity');
    isFirst = false;
  }
  if (isFirst) complaints.required(path, 'must specify a volume type');
  if (
    isRec(spec['hostPath']) &&
    spec['persistentVolumeReclaimPolicy'] === 'Recycle' &&
    posix.normalize(str(spec['hostPath']['path'])) === '/'
  ) {
    complaints.forbidden(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'");
  }
}

export function validateVolumeSpec(complaints: Complaints, spec: Rec, facts: VolumeFacts): void {
  const { path, isInline } = facts;
  validateHead(complaints, spec, facts);
  validateSources(complaints, spec, facts);
  const { storageClassName, volumeMode, volumeAttributesClassName: attributes } = spec;
  if (!unset(storageClassName)) {
    if (isInline) complaints.forbidden(`${path}.storageClassName`, `may not be specified ${INLINE}`);
    else complaints.form(`${path}.storageClassName`, storageClassName, dns1123Subdomain);
  }
  if (!isInline) complaints.enumerated(`${path}.volumeMode`, volumeMode, VOLUME_MODES);
  else if (!absent(volumeMode) && volumeMode !== 'Filesystem')
    complaints.forbidden(`${path}.volumeMode`, `may not specify volumeMode other than Filesystem ${INLINE}`);
  if (isInline || absent(attributes)) return;
  if (attributes === '') complaints.required(`${path}.volumeAttributesClassName`, 'an empty string is disallowed');
  else complaints.form(`${path}.volumeAttributesClassName`, attributes, dns1123Subdomain);
  if (!isRec(spec['csi']))
    complaints.required(`${path}.csi`, 'has to be specified when using volumeAttributesClassName');
}

/**
 * The spec with what may change of its source put back: a driver that learns to expand volumes may be told its secret
 * later.
 */
function withAllowed(spec: Rec, before: Rec): Rec {
  const now = clone(spec);
  const csi = now['csi'];
  if (isRec(csi) && isRec(before['csi']) && absent(before['csi']['controllerExpandSecretRef']))
    delete csi['controllerExpandSecretRef'];
  return now;
}

const sameSources = (now: Rec, before: Rec): boolean =>
  [...new Set([...sourcesOf(now), ...sourcesOf(before)])].every((name) => same(now[name], before[name]));

const BETA_TO_STABLE: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

/** Labels of nodes that left beta are the same labels under new names. */
const withStableKeys = (affinity: unknown): unknown =>
  JSON.parse(JSON.stringify(affinity ?? null), (name, value: unknown) =>
    name === 'key' && typeof value === 'string' && Object.hasOwn(BETA_TO_STABLE, value) ? BETA_TO_STABLE[value] : value,
  ) as unknown;

function validateVolumeUpdate(complaints: Complaints, spec: Rec, before: Rec): void {
  const now = withAllowed(spec, before);
  if (!sameSources(now, before)) {
    const change = unifiedDiff(shownSources(before), shownSources(now));
    complaints.forbidden(
      'spec.persistentvolumesource',
      `spec.persistentvolumesource is immutable after creation\n${change}`,
    );
  }
  complaints.immutable('volumeMode', spec['volumeMode'], same(spec['volumeMode'], before['volumeMode']));
  const affinity = before['nodeAffinity'];
  if (isRec(affinity) && !same(withStableKeys(spec['nodeAffinity']), withStableKeys(affinity))) {
    complaints.invalid(
      'nodeAffinity',
      shownAffinity(spec['nodeAffinity']),
      `${IMMUTABLE}, except for updating from beta label to GA`,
    );
  }
  if (!absent(before['volumeAttributesClassName']) && absent(spec['volumeAttributesClassName'])) {
    complaints.forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden');
  }
}

export function validateVolume(volume: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    if (context?.subresource === 'status') return;
    const spec = isRec(volume['spec']) ? volume['spec'] : {};
    validateVolumeSpec(complaints, spec, { path: 'spec', name: str(at(volume, 'metadata', 'name')), isInline: false });
    const before = field(context?.old, 'spec');
    if (!isRec(before)) return;
    // Kubernetes looks at an update as at a new volume, and again before it compares.
    validateVolumeSpec(complaints, spec, { path: 'spec', name: str(at(volume, 'metadata', 'name')), isInline: false });
    validateVolumeUpdate(complaints, spec, before);
  });
}
