/** Validation of a claim's spec: of claims, and of the templates of claims in StatefulSets and ephemeral volumes. */
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import { quantityNano } from '../../quantity.js';
import type { Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { at, field, isRec, same, str, strs, unset, type Rec } from '../lib/value.js';

export const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

export function validateAccessModes(complaints: Complaints, modes: readonly string[], path: string): void {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) complaints.unsupported(path, mode, ACCESS_MODES);
  const known = modes.filter((mode) => ACCESS_MODES.includes(mode));
  if (known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod')) {
    complaints.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

function validateDataSource(complaints: Complaints, source: Rec, path: string): void {
  const group = str(source['apiGroup']);
  for (const name of ['name', 'kind']) if (unset(source[name])) complaints.required(`${path}.${name}`);
  if (group === '' && source['kind'] !== 'PersistentVolumeClaim') {
    complaints.invalid(path, str(source['kind']), "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  }
  if (group !== '') complaints.form(`${path}.apiGroup`, group, dns1123Subdomain);
  if (!unset(source['namespace'])) complaints.form(`${path}.namespace`, source['namespace'], dns1123Label);
}

function validateDataSources(complaints: Complaints, spec: unknown, path: string): void {
  const source = field(spec, 'dataSource');
  const reference = field(spec, 'dataSourceRef');
  if (isRec(source)) validateDataSource(complaints, source, `${path}.dataSource`);
  if (isRec(reference)) validateDataSource(complaints, reference, `${path}.dataSourceRef`);
  if (!isRec(source) || !isRec(reference)) return;
  if (!unset(reference['namespace'])) complaints.invalid(path, `${path}.dataSource`, 'may not be specified when dataSourceRef.namespace is specified');
  else if (!['apiGroup', 'kind', 'name'].every((name) => same(source[name], reference[name]))) complaints.invalid(path, `${path}.dataSource`, 'must match dataSourceRef');
}

export function validateClaimSpec(complaints: Complaints, spec: unknown, path: string): void {
  const modes = strs(field(spec, 'accessModes'));
  if (modes.length === 0) complaints.required(`${path}.accessModes`, 'at least 1 access mode is required');
  validateLabelSelector(complaints, field(spec, 'selector'), `${path}.selector`);
  validateAccessModes(complaints, modes, `${path}.accessModes`);
  const storage = at(spec, 'resources', 'requests', 'storage');
  if (unset(storage)) complaints.required(`${path}.resources[storage]`);
  else if (quantityNano(storage) <= 0n) complaints.invalid(`${path}.resources[storage]`, storage, 'must be greater than zero');
  const storageClass = field(spec, 'storageClassName');
  if (!unset(storageClass)) complaints.form(`${path}.storageClassName`, storageClass, dns1123Subdomain);
  complaints.enumerated(`${path}.volumeMode`, field(spec, 'volumeMode'), VOLUME_MODES);
  validateDataSources(complaints, spec, path);
  const attributes = field(spec, 'volumeAttributesClassName');
  if (!unset(attributes)) complaints.form(`${path}.volumeAttributesClassName`, attributes, dns1123Subdomain);
}
