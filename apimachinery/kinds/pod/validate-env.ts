/**
 * Validation of a container's environment, and of references to fields of the pod and to resources of its containers.
 */
import { configMapKey, dns1123Label, dns1123Subdomain, printableName, qualifiedName } from '../../names.js';
import { parseQuantity, formatQuantity } from '../../quantity.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, recs, str, unset, type Rec } from '../lib/value.js';
import { noBacksteps } from '../volumes/paths.js';

const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** What the conversion of a field's label knows at all; anything else is no field of a pod. */
const KNOWN_FIELDS = new Set([
  ...ENV_FIELDS,
  'metadata.annotations',
  'metadata.labels',
  'status.phase',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.hostNetwork',
  'spec.host',
]);
const SUBSCRIPT = /^(.+)\['(.*)'\]$/s;

/** `fields`: what may be named without a subscript. Labels and annotations take one. */
export function validateFieldRef(
  complaints: Complaints,
  reference: Rec,
  path: string,
  fields: readonly string[] = ENV_FIELDS,
): void {
  if (unset(reference['apiVersion'])) return complaints.required(`${path}.apiVersion`);
  const fieldPath = str(reference['fieldPath']);
  if (fieldPath === '') return complaints.required(`${path}.fieldPath`);
  if (reference['apiVersion'] !== 'v1') {
    return complaints.invalid(
      `${path}.fieldPath`,
      fieldPath,
      `error converting fieldPath: unsupported pod version: ${str(reference['apiVersion'])}`,
    );
  }
  const [, map, key] = SUBSCRIPT.exec(fieldPath) ?? [];
  if (map !== undefined && key !== undefined) {
    if (map === 'metadata.annotations') return complaints.form(path, key.toLowerCase(), qualifiedName);
    if (map === 'metadata.labels') return complaints.form(path, key, qualifiedName);
    return complaints.invalid(
      `${path}.fieldPath`,
      fieldPath,
      `error converting fieldPath: field label does not support subscript: ${fieldPath}`,
    );
  }
  if (!KNOWN_FIELDS.has(fieldPath))
    return complaints.invalid(
      `${path}.fieldPath`,
      fieldPath,
      `error converting fieldPath: field label not supported: ${fieldPath}`,
    );
  if (!fields.includes(fieldPath)) complaints.unsupported(`${path}.fieldPath`, fieldPath, [...fields].sort());
}

const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const HUGE_PAGES = /^(requests|limits)\.hugepages-/;
const CPU_DIVISORS = new Set(['1m', '1']);
const BYTE_DIVISORS = new Set(['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']);
const BYTE_DIVISORS_TEXT = [...BYTE_DIVISORS].join(', ');

function validateDivisor(complaints: Complaints, resource: string, divisor: unknown, path: string): void {
  const parsed = parseQuantity(divisor);
  if (parsed === undefined || parsed.nano === 0n) return;
  const text = formatQuantity(parsed);
  const refuse = (values: string, what: string): void =>
    complaints.invalid(
      `${path}.divisor`,
      resource,
      `only divisor's values ${values} are supported with the ${what} resource`,
    );
  const [, name = ''] = resource.split('.', 2);
  if (name === 'cpu' && !CPU_DIVISORS.has(text)) refuse('1m and 1', 'cpu');
  if (name === 'memory' && !BYTE_DIVISORS.has(text)) refuse(BYTE_DIVISORS_TEXT, 'memory');
  if (name === 'ephemeral-storage' && !BYTE_DIVISORS.has(text)) refuse(BYTE_DIVISORS_TEXT, 'local ephemeral storage');
  if (HUGE_PAGES.test(resource) && !BYTE_DIVISORS.has(text)) refuse(BYTE_DIVISORS_TEXT, 'hugepages');
}

/** In a volume the container must be named: a volume belongs to none. */
export function validateResourceFieldRef(complaints: Complaints, reference: Rec, path: string, inVolume = false): void {
  const resource = str(reference['resource']);
  if (inVolume && unset(reference['containerName'])) complaints.required(`${path}.containerName`);
  else if (resource === '') complaints.required(`${path}.resource`);
  else if (!RESOURCES.includes(resource) && !HUGE_PAGES.test(resource))
    complaints.unsupported(`${path}.resource`, resource, RESOURCES);
  validateDivisor(complaints, resource, reference['divisor'], path);
}

function validateKeyRef(complaints: Complaints, reference: Rec, path: string): void {
  complaints.form(`${path}.name`, str(reference['name']), dns1123Subdomain);
  complaints.requiredForm(`${path}.key`, reference['key'], configMapKey);
}

function validateFileKeyRef(complaints: Complaints, reference: Rec, path: string): void {
  complaints.requiredForm(`${path}.key`, reference['key'], printableName);
  complaints.requiredForm(`${path}.volumeName`, reference['volumeName'], dns1123Label);
  if (unset(reference['path'])) complaints.required(`${path}.path`);
  else noBacksteps(complaints, `${path}.path`, str(reference['path']));
}

const ENV_SOURCES: Readonly<Record<string, (complaints: Complaints, reference: Rec, path: string) => void>> = {
  fieldRef: (complaints, reference, path) => validateFieldRef(complaints, reference, path),
  resourceFieldRef: (complaints, reference, path) => validateResourceFieldRef(complaints, reference, path),
  configMapKeyRef: validateKeyRef,
  secretKeyRef: validateKeyRef,
  fileKeyRef: validateFileKeyRef,
};

function validateEnvSource(complaints: Complaints, variable: Rec, path: string): void {
  const source = variable['valueFrom'];
  if (!isRec(source)) return;
  const given = Object.keys(ENV_SOURCES).filter((name) => !absent(field(source, name)));
  for (const name of given) {
    const reference = field(source, name);
    if (isRec(reference)) ENV_SOURCES[name]?.(complaints, reference, `${path}.${name}`);
  }
  if (given.length === 0)
    complaints.invalid(
      path,
      '',
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
    );
  else if (!unset(variable['value'])) complaints.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (given.length > 1) complaints.invalid(path, '', 'may not have more than one field specified at a time');
}

export function validateEnv(complaints: Complaints, container: Rec, path: string): void {
  for (const [index, variable] of recs(container['env']).entries()) {
    const here = `${path}.env[${index}]`;
    complaints.requiredForm(`${here}.name`, variable['name'], printableName);
    validateEnvSource(complaints, variable, `${here}.valueFrom`);
  }
  for (const [index, source] of recs(container['envFrom']).entries()) {
    const here = `${path}.envFrom[${index}]`;
    if (!unset(source['prefix'])) complaints.form(`${here}.prefix`, source['prefix'], printableName);
    const given = ['configMapRef', 'secretRef'].filter((name) => !absent(source[name]));
    for (const name of given)
      complaints.requiredForm(`${here}.${name}.name`, field(source[name], 'name'), dns1123Subdomain);
    if (given.length === 0)
      complaints.invalid(`${path}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`');
    if (given.length > 1)
      complaints.invalid(`${path}.envFrom`, '', 'may not have more than one field specified at a time');
  }
}
