/**
 * Validation of claims, and of the templates of claims in StatefulSets and ephemeral volumes. The order of complaints
 * is Kubernetes' own.
 */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../names.js';
import { quantityNano } from '../../quantity.js';
import type { FieldError } from '../../status.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { unifiedDiff } from '../lib/unified-diff.js';
import {
  absent,
  at,
  clone,
  entries,
  field,
  isRec,
  keysOf,
  list,
  put,
  rec,
  recs,
  same,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

export function validateAccessModes(complaints: Complaints, modes: readonly string[], path: string): void {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) complaints.unsupported(path, mode, ACCESS_MODES);
  const known = modes.filter((mode) => ACCESS_MODES.includes(mode));
  if (known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod')) {
    complaints.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

/** `anyGroup`: of a claim that was stored with a group; old ones were not checked. */
function validateDataSource(complaints: Complaints, source: Rec, path: string, anyGroup: boolean): void {
  const group = str(source['apiGroup']);
  for (const name of ['name', 'kind']) if (unset(source[name])) complaints.required(`${path}.${name}`);
  if (group === '' && source['kind'] !== 'PersistentVolumeClaim') {
    complaints.invalid(
      path,
      str(source['kind']),
      "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
    );
  }
  if (group !== '' && !anyGroup) complaints.form(`${path}.apiGroup`, group, dns1123Subdomain);
  if (!unset(source['namespace'])) complaints.form(`${path}.namespace`, source['namespace'], dns1123Label);
}

/** Kubernetes shows a path here, which has no fields that could be seen. */
const PATH = {};

function validateDataSources(complaints: Complaints, spec: unknown, path: string, anyGroup: boolean): void {
  const source = field(spec, 'dataSource');
  const reference = field(spec, 'dataSourceRef');
  if (isRec(source)) validateDataSource(complaints, source, `${path}.dataSource`, anyGroup);
  if (isRec(reference)) validateDataSource(complaints, reference, `${path}.dataSourceRef`, anyGroup);
  if (!isRec(source) || !isRec(reference)) return;
  if (!unset(reference['namespace']))
    complaints.invalid(path, PATH, 'may not be specified when dataSourceRef.namespace is specified');
  else if (!['apiGroup', 'kind', 'name'].every((name) => same(source[name], reference[name])))
    complaints.invalid(path, PATH, 'must match dataSourceRef');
}

export function validateClaimSpec(
  complaints: Complaints,
  spec: unknown,
  path: string,
  how: { readonly anyGroup: boolean } = { anyGroup: false },
): void {
  const modes = strs(field(spec, 'accessModes'));
  if (modes.length === 0) complaints.required(`${path}.accessModes`, 'at least 1 access mode is required');
  validateLabelSelector(complaints, field(spec, 'selector'), `${path}.selector`);
  validateAccessModes(complaints, modes, `${path}.accessModes`);
  const storage = at(spec, 'resources', 'requests', 'storage');
  if (unset(storage)) complaints.required(`${path}.resources[storage]`);
  else if (quantityNano(storage) <= 0n)
    complaints.invalid(`${path}.resources[storage]`, storage, 'must be greater than zero');
  const storageClass = field(spec, 'storageClassName');
  if (!unset(storageClass)) complaints.form(`${path}.storageClassName`, storageClass, dns1123Subdomain);
  complaints.enumerated(`${path}.volumeMode`, field(spec, 'volumeMode'), VOLUME_MODES);
  validateDataSources(complaints, spec, path, how.anyGroup);
  const attributes = field(spec, 'volumeAttributesClassName');
  if (!unset(attributes)) complaints.form(`${path}.volumeAttributesClassName`, attributes, dns1123Subdomain);
}

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** The class may be named where none was, and may move from the annotation that it had before it had a field. */
function mayNameClass(claim: Rec, old: unknown): boolean {
  const [now, before] = [at(claim, 'spec', 'storageClassName'), at(old, 'spec', 'storageClassName')];
  const annotation = at(old, 'metadata', 'annotations', CLASS_ANNOTATION);
  return !absent(now) && absent(before) && (annotation === undefined || annotation === now);
}

/** The spec as it may be: with what the update was allowed to change put back. */
function withAllowed(claim: Rec, spec: Rec, old: unknown): Rec {
  const before = field(old, 'spec');
  const munged = clone(spec);
  const restore = (target: Rec, name: string, source: unknown): void => put(target, name, clone(field(source, name)));
  if (unset(field(before, 'volumeName'))) restore(munged, 'volumeName', before);
  if (mayNameClass(claim, old)) restore(munged, 'storageClassName', before);
  if (at(old, 'status', 'phase') !== 'Bound') return munged;
  const requests = at(munged, 'resources', 'requests');
  if (isRec(requests)) restore(requests, 'storage', at(before, 'resources', 'requests'));
  restore(munged, 'volumeAttributesClassName', before);
  return munged;
}

function validateAttributesChange(complaints: Complaints, spec: Rec, old: unknown): void {
  const path = 'spec.volumeAttributesClassName';
  const now = spec['volumeAttributesClassName'];
  if (
    now === at(old, 'spec', 'volumeAttributesClassName') ||
    absent(at(old, 'status', 'currentVolumeAttributesClassName'))
  )
    return;
  if (absent(now))
    complaints.forbidden(path, 'update to nil is forbidden when status.currentVolumeAttributesClassName is not nil');
  else if (now === '')
    complaints.forbidden(
      path,
      'update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil',
    );
}

const sorted = (map: unknown): unknown =>
  keysOf(map).length === 0 ? null : Object.fromEntries([...entries(map)].sort(([a], [b]) => (a < b ? -1 : 1)));

const shownReference = (reference: unknown, isWide: boolean): unknown =>
  !isRec(reference)
    ? null
    : {
        APIGroup: reference['apiGroup'] ?? null,
        Kind: str(reference['kind']),
        Name: str(reference['name']),
        ...(isWide ? { Namespace: reference['namespace'] ?? null } : {}),
      };

function shownSelector(selector: unknown): unknown {
  if (!isRec(selector)) return null;
  const expressions = recs(selector['matchExpressions']).map(({ key, operator, values }) => ({
    key: str(key),
    operator: str(operator),
    ...(absent(values) ? {} : { values }),
  }));
  return {
    ...(keysOf(selector['matchLabels']).length === 0 ? {} : { matchLabels: sorted(selector['matchLabels']) }),
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
  };
}

/** The spec as Kubernetes' internal type prints it. */
const shown = (spec: Rec): Rec => ({
  AccessModes: list(spec['accessModes']).length === 0 ? null : spec['accessModes'],
  Selector: shownSelector(spec['selector']),
  Resources: { Limits: sorted(at(spec, 'resources', 'limits')), Requests: sorted(at(spec, 'resources', 'requests')) },
  VolumeName: str(spec['volumeName']),
  StorageClassName: spec['storageClassName'] ?? null,
  VolumeMode: spec['volumeMode'] ?? null,
  DataSource: shownReference(spec['dataSource'], false),
  DataSourceRef: shownReference(spec['dataSourceRef'], true),
  VolumeAttributesClassName: spec['volumeAttributesClassName'] ?? null,
});

/** A bound claim may grow, or go back to what it has; an unbound one may be bound or given a class. */
function validateClaimUpdate(complaints: Complaints, claim: Rec, old: unknown): void {
  const spec = rec(claim['spec']);
  const before = field(old, 'spec');
  const annotation = at(claim, 'metadata', 'annotations', CLASS_ANNOTATION);
  const oldAnnotation = at(old, 'metadata', 'annotations', CLASS_ANNOTATION);
  if ((annotation ?? '') !== (oldAnnotation ?? '') && !(annotation === undefined && mayNameClass(claim, old))) {
    complaints.invalid(`metadata.annotations[${CLASS_ANNOTATION}]`, annotation ?? '', IMMUTABLE);
  }
  const allowed = withAllowed(claim, spec, old);
  if (!same(allowed, before)) {
    const change = unifiedDiff(shown(rec(before)), shown(allowed));
    complaints.forbidden(
      'spec',
      `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${change}`,
    );
  }
  const now = quantityNano(at(spec, 'resources', 'requests', 'storage') ?? 0);
  if (
    now < quantityNano(at(before, 'resources', 'requests', 'storage') ?? 0) &&
    now <= quantityNano(at(old, 'status', 'capacity', 'storage') ?? 0)
  ) {
    complaints.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
  }
  complaints.immutable('volumeMode', spec['volumeMode'], same(spec['volumeMode'], field(before, 'volumeMode')));
  validateAttributesChange(complaints, spec, old);
}

const RESIZE_STATES = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

function validateResourceKey(complaints: Complaints, key: string, path: string): boolean {
  const wrong = qualifiedName(key);
  complaints.form(path, key, () => wrong);
  const isNative = !key.includes('/') || key.includes('kubernetes.io/');
  if (wrong.length === 0 && isNative && key !== 'storage') complaints.unsupported(path, key, ['storage']);
  return wrong.length === 0 && (!isNative || key === 'storage');
}

function validateClaimStatus(complaints: Complaints, status: unknown): void {
  const negative = (path: string, quantity: unknown): void => {
    const nano = quantityNano(quantity);
    if (nano < 0n) complaints.invalid(path, Number(nano / 1_000_000_000n), 'must be a valid resource quantity');
  };
  for (const [name, quantity] of entries(field(status, 'capacity'))) negative(`status.capacity[${name}]`, quantity);
  for (const [name, state] of entries(field(status, 'allocatedResourceStatuses'))) {
    validateResourceKey(complaints, name, 'status.allocatedResourceStatuses');
    // Kubernetes shows the resource here, not the state.
    if (!RESIZE_STATES.includes(str(state)))
      complaints.unsupported('status.allocatedResourceStatuses', name, RESIZE_STATES);
  }
  for (const [name, quantity] of entries(field(status, 'allocatedResources'))) {
    if (validateResourceKey(complaints, name, 'status.allocatedResources'))
      negative(`status.allocatedResources[${name}]`, quantity);
  }
}

export function validateClaim(claim: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    if (context?.subresource === 'status') return validateClaimStatus(complaints, claim['status']);
    const before = field(context?.old, 'spec');
    const anyGroup = ['dataSource', 'dataSourceRef'].some((name) => !absent(at(before, name, 'apiGroup')));
    validateClaimSpec(complaints, claim['spec'], 'spec', { anyGroup });
    if (context?.old !== undefined) validateClaimUpdate(complaints, claim, context.old);
  });
}
