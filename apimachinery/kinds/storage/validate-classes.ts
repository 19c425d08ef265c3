/**
 * Validation of StorageClasses, VolumeAttributesClasses and VolumeAttachments
 * (k8s.io/kubernetes/pkg/apis/storage/validation).
 */
import type { StrategyContext } from '../../kind.js';
import { dns1123Subdomain, labelKey, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { optional } from '../lib/shown.js';
import { absent, at, entries, field, isRec, keysOf, num, recs, same, str, strs, type Rec } from '../lib/value.js';
import { shownVolumeSpec } from './shown.js';
import { validateVolumeSpec } from './validate-volume.js';
import { validateDriverName } from '../volumes/sources.js';

const PARAMETERS_MAX = 512;
const BYTES_MAX = 256 * 1024;
const ERROR_LENGTH_MAX = 1024;

const bytesOf = (map: unknown): number =>
  entries(map).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(str(value)), 0);

function validateProvisioner(complaints: Complaints, name: unknown, path: string): void {
  complaints.requiredForm(path, str(name).toLowerCase(), qualifiedName);
}

function validateParameters(complaints: Complaints, parameters: unknown, path: string): void {
  const names = keysOf(parameters);
  if (names.length > PARAMETERS_MAX) return complaints.tooLong(path, PARAMETERS_MAX);
  if (names.includes('')) complaints.invalid(path, '', 'field can not be empty.');
  if (bytesOf(parameters) > BYTES_MAX) complaints.tooLong(path, BYTES_MAX);
}

/** The requirement of each key, in a form that compares without order. */
function termText(term: Rec): string {
  const byKey = new Map(
    recs(term['matchLabelExpressions']).map(({ key, values }) => [str(key), [...new Set(strs(values))].sort()]),
  );
  return JSON.stringify([...byKey].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function validateTopologies(complaints: Complaints, topologies: unknown): void {
  const terms = recs(topologies);
  // Kubernetes compares with as many empty terms as there are terms, too.
  const seen = new Map([['[]', terms.length]]);
  for (const [index, term] of terms.entries()) {
    const path = `allowedTopologies[${index}].matchLabelExpressions`;
    const keys = new Set<string>();
    for (const [i, { key, values }] of recs(term['matchLabelExpressions']).entries()) {
      const allowed = strs(values);
      if (allowed.length === 0) complaints.required(`${path}[${i}].values`);
      const known = new Set<string>();
      for (const [n, value] of allowed.entries()) {
        if (known.has(value)) complaints.duplicate(`${path}[${i}].values[${n}]`, value);
        known.add(value);
      }
      complaints.form(`${path}[${i}].key`, key, labelKey);
      if (keys.has(str(key))) complaints.duplicate(`${path}[${i}].key`, str(key));
      keys.add(str(key));
    }
    const twins = seen.get(termText(term)) ?? 0;
    for (let i = 0; i < twins; i += 1) complaints.duplicate(path, '');
    seen.set(termText(term), twins + 1);
  }
}

const CLASS_FIXED = ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'];

export function validateStorageClass(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    validateProvisioner(complaints, object['provisioner'], 'provisioner');
    validateParameters(complaints, object['parameters'], 'parameters');
    complaints.oneOf('reclaimPolicy', object['reclaimPolicy'], ['Delete', 'Retain']);
    if (absent(object['volumeBindingMode'])) complaints.required('volumeBindingMode');
    else complaints.enumerated('volumeBindingMode', object['volumeBindingMode'], ['Immediate', 'WaitForFirstConsumer']);
    validateTopologies(complaints, object['allowedTopologies']);
    const old = context?.old;
    if (old === undefined) return;
    for (const name of CLASS_FIXED)
      complaints.immutable(name, object[name], same(object[name], field(old, name), name));
  });
}

export function validateAttributesClass(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old;
    if (old !== undefined) {
      for (const name of ['driverName', 'parameters'])
        if (!same(object[name], field(old, name), name))
          complaints.forbidden(name, `updates to ${name} are forbidden.`);
    }
    validateProvisioner(complaints, object['driverName'], 'driverName');
    validateParameters(complaints, object['parameters'], 'parameters');
    if (keysOf(object['parameters']).length === 0)
      complaints.required('parameters', 'must contain at least one key/value pair');
  });
}

function validateSource(complaints: Complaints, source: unknown, path: string): void {
  const inline = field(source, 'inlineVolumeSpec');
  const name = field(source, 'persistentVolumeName');
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (!isRec(inline) && absent(name)) complaints.required(path, one);
  else if (isRec(inline) && !absent(name)) complaints.forbidden(path, one);
  else if (isRec(inline))
    validateVolumeSpec(complaints, inline, { path: `${path}.inlineVolumeSpec`, name: '', isInline: true });
  else if (name === '')
    complaints.required(`${path}.persistentVolumeName`, 'must specify non empty persistentVolumeName');
}

function validateVolumeError(complaints: Complaints, error: unknown, path: string): void {
  // Kubernetes names the limit of the metadata here.
  if (str(field(error, 'message')).length > ERROR_LENGTH_MAX) complaints.tooLong(`${path}.message`, BYTES_MAX);
  if (num(field(error, 'errorCode')) < 0)
    complaints.invalid(`${path}.errorCode`, field(error, 'errorCode'), 'must be between 0 and 2147483647, inclusive');
}

/** Kubernetes shows its internal type, whose fields have other names. */
const shown = (spec: unknown): Rec => ({
  Attacher: str(field(spec, 'attacher')),
  Source: {
    PersistentVolumeName: at(spec, 'source', 'persistentVolumeName') ?? null,
    InlineVolumeSpec: optional(shownVolumeSpec)(at(spec, 'source', 'inlineVolumeSpec')),
  },
  NodeName: str(field(spec, 'nodeName')),
});

export function validateAttachment(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const { spec, status } = object;
    validateDriverName(complaints, field(spec, 'attacher'), 'spec.attacher');
    validateSource(complaints, field(spec, 'source'), 'spec.source');
    complaints.form('spec.nodeName', field(spec, 'nodeName'), dns1123Subdomain);
    if (bytesOf(field(status, 'attachmentMetadata')) > BYTES_MAX)
      complaints.tooLong('status.attachmentMetadata', BYTES_MAX);
    for (const name of ['attachError', 'detachError'])
      validateVolumeError(complaints, field(status, name), `status.${name}`);
    const volume = at(spec, 'source', 'persistentVolumeName');
    if (!absent(volume)) complaints.form('spec.source.persistentVolumeName', volume, dns1123Subdomain);
    if (context?.old !== undefined) complaints.immutable('spec', shown(spec), same(spec, field(context.old, 'spec')));
  });
}
