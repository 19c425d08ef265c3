/** Validation of a pod's volumes. */
import { SliceMeter } from '../../../platform/slices.js';
import type { Work } from '../../../platform/work.js';
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import { parseQuantity } from '../../quantity.js';
import type { Complaints } from '../lib/complaints.js';
import { validateClaimSpec } from '../storage/validate-claim.js';
import {
  azureDisk,
  disk,
  fc,
  flexVolume,
  flocker,
  hostPath,
  inlineIscsi,
  nfs,
  quobyte,
  requires,
  validateDriverName,
  type SourceCheck,
} from '../volumes/sources.js';
import { absent, field, isRec, num, optionalNum, recs, str, unset, type Rec } from '../lib/value.js';
import { PULL_POLICIES } from './validate-container.js';
import { validateFieldRef, validateResourceFieldRef } from './validate-env.js';
import { validateTemplateMeta } from './validate-template.js';
import type { Volumes } from './validate-mounts.js';
import { validateFilePath, validateLocalPath } from '../volumes/paths.js';

const DOWNWARD_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const MODE_MAX = 0o777;
const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;

function mode(complaints: Complaints, value: unknown, path: string): void {
  const known = optionalNum(value);
  if (known !== undefined && (known < 0 || known > MODE_MAX))
    complaints.invalid(path, known, 'must be a number between 0 and 0777 (octal), both inclusive');
}

function keysToPaths(complaints: Complaints, source: unknown, path: string): void {
  for (const [index, item] of recs(field(source, 'items')).entries()) {
    const here = `${path}.items[${index}]`;
    if (unset(item['key'])) complaints.required(`${here}.key`);
    if (unset(item['path'])) complaints.required(`${here}.path`);
    validateFilePath(complaints, `${here}.path`, str(item['path']));
    mode(complaints, item['mode'], `${here}.mode`);
  }
}

/** Kubernetes names the volume here, not the item, in what it says of a downward API volume. */
function downwardFile(complaints: Complaints, file: Rec, path: string): void {
  if (unset(file['path'])) complaints.required(`${path}.path`);
  validateFilePath(complaints, `${path}.path`, str(file['path']));
  const { fieldRef, resourceFieldRef } = file;
  if (isRec(fieldRef)) {
    validateFieldRef(complaints, fieldRef, `${path}.fieldRef`, DOWNWARD_FIELDS);
    if (!absent(resourceFieldRef))
      complaints.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
  } else if (isRec(resourceFieldRef)) {
    validateResourceFieldRef(complaints, resourceFieldRef, `${path}.resourceFieldRef`, true);
  } else {
    complaints.required(path, 'one of fieldRef and resourceFieldRef is required');
  }
  mode(complaints, file['mode'], `${path}.mode`);
}

/** Remembers the files of one projected volume: two sources cannot write the same one. */
class ProjectedFiles {
  readonly #complaints: Complaints;
  readonly #path: string;
  readonly #taken = new Set<string>();

  constructor(complaints: Complaints, path: string) {
    this.#complaints = complaints;
    this.#path = path;
  }

  add(file: unknown): void {
    const path = str(file);
    if (path === '') return;
    if (this.#taken.has(path)) this.#complaints.invalid(this.#path, path, 'conflicting duplicate paths');
    this.#taken.add(path);
  }
}

function projectedToken(
  complaints: Complaints,
  token: Rec,
  at: { readonly volume: string; readonly source: string },
): void {
  const expires = num(token['expirationSeconds']);
  if (expires < TOKEN_SECONDS_MIN)
    complaints.invalid(`${at.source}.expirationSeconds`, expires, 'may not specify a duration less than 10 minutes');
  if (expires > TOKEN_SECONDS_MAX)
    complaints.invalid(
      `${at.source}.expirationSeconds`,
      expires,
      'may not specify a duration larger than 2^32 seconds',
    );
  if (unset(token['path'])) complaints.required(`${at.volume}.path`);
  else validateFilePath(complaints, `${at.volume}.path`, str(token['path']));
}

const PROJECTED = ['secret', 'configMap', 'downwardAPI', 'serviceAccountToken', 'clusterTrustBundle', 'podCertificate'];

function projected(complaints: Complaints, source: Rec, path: string): void {
  mode(complaints, source['defaultMode'], `${path}.defaultMode`);
  const files = new ProjectedFiles(complaints, path);
  for (const [index, part] of recs(source['sources']).entries()) {
    const here = `${path}.sources[${index}]`;
    for (const name of ['secret', 'configMap']) {
      const named = part[name];
      if (!isRec(named)) continue;
      if (unset(named['name'])) complaints.required(`${here}.${name}.name`);
      keysToPaths(complaints, named, `${here}.${name}`);
      for (const item of recs(named['items'])) files.add(item['path']);
    }
    for (const file of recs(field(part['downwardAPI'], 'items'))) {
      downwardFile(complaints, file, `${here}.downwardAPI`);
      files.add(file['path']);
    }
    const token = part['serviceAccountToken'];
    if (isRec(token)) projectedToken(complaints, token, { volume: path, source: `${here}.serviceAccountToken` });
    if (PROJECTED.filter((name) => !absent(part[name])).length > 1)
      complaints.forbidden(here, 'may not specify more than 1 volume type per source');
  }
}

const namedFiles =
  (nameField: string): SourceCheck =>
  (complaints, source, path) => {
    requires(nameField)(complaints, source, path);
    mode(complaints, source['defaultMode'], `${path}.defaultMode`);
    keysToPaths(complaints, source, path);
  };

/** In the order in which Kubernetes looks at them: the first that is set is the volume's type. */
const SOURCES: readonly { readonly name: string; readonly check: SourceCheck; readonly saidAs?: string }[] = [
  {
    name: 'emptyDir',
    check: (complaints, source, path) => {
      if ((parseQuantity(source['sizeLimit'] ?? '0')?.nano ?? 0n) < 0n)
        complaints.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity');
    },
  },
  { name: 'hostPath', check: hostPath },
  // Cloning on the node ran users' hooks as root (CVE-2024-10220, CVE-2025-1767).
  {
    name: 'gitRepo',
    check: (complaints, source, path) => {
      requires('repository')(complaints, source, path);
      validateLocalPath(complaints, `${path}.directory`, str(source['directory']));
      complaints.forbidden(path, 'gitRepo volumes are not supported');
    },
  },
  {
    name: 'gcePersistentDisk',
    check: (complaints, source, path) =>
      disk('pdName')(complaints, source, path.replace('gcePersistentDisk', 'persistentDisk')),
  },
  { name: 'awsElasticBlockStore', check: disk('volumeID') },
  { name: 'secret', check: namedFiles('secretName') },
  { name: 'nfs', check: nfs },
  { name: 'iscsi', check: inlineIscsi },
  { name: 'glusterfs', check: requires('endpoints', 'path') },
  { name: 'flocker', check: flocker },
  { name: 'persistentVolumeClaim', check: requires('claimName') },
  { name: 'rbd', check: requires('monitors', 'image') },
  { name: 'cinder', check: requires('volumeID') },
  {
    name: 'cephfs',
    saidAs: 'cephFS',
    check: (complaints, source, said) => requires('monitors')(complaints, source, said.replace(/cephFS$/, 'cephfs')),
  },
  { name: 'quobyte', check: quobyte },
  // The typing error is Kubernetes' own, and tools match on paths.
  {
    name: 'downwardAPI',
    saidAs: 'downwarAPI',
    check: (complaints, source, said) => {
      const path = said.replace(/downwarAPI$/, 'downwardAPI');
      mode(complaints, source['defaultMode'], `${path}.defaultMode`);
      for (const file of recs(source['items'])) downwardFile(complaints, file, path);
    },
  },
  { name: 'fc', check: fc },
  { name: 'flexVolume', check: flexVolume },
  { name: 'configMap', check: namedFiles('name') },
  { name: 'azureFile', check: requires('secretName', 'shareName') },
  { name: 'vsphereVolume', check: requires('volumePath') },
  { name: 'photonPersistentDisk', check: requires('pdID') },
  { name: 'portworxVolume', check: requires('volumeID') },
  { name: 'azureDisk', check: azureDisk },
  { name: 'storageos', check: requires('volumeName') },
  { name: 'projected', check: projected },
  { name: 'scaleIO', check: requires('gateway', 'system', 'volumeName') },
  {
    name: 'csi',
    check: (complaints, source, path) => {
      validateDriverName(complaints, source['driver'], `${path}.driver`);
      const secret = source['nodePublishSecretRef'];
      if (!isRec(secret)) return;
      if (unset(secret['name'])) complaints.required(`${path}.nodePublishSecretRef.name`);
      else complaints.form(`${path}.name`, secret['name'], dns1123Subdomain);
    },
  },
  {
    name: 'ephemeral',
    check: (complaints, source, path) => {
      const template = source['volumeClaimTemplate'];
      if (!isRec(template)) return complaints.required(`${path}.volumeClaimTemplate`);
      validateTemplateMeta(complaints, template['metadata'], `${path}.volumeClaimTemplate.metadata`);
      validateClaimSpec(complaints, template['spec'], `${path}.volumeClaimTemplate.spec`);
    },
  },
  {
    name: 'image',
    check: (complaints, source, path) => {
      requires('reference')(complaints, source, path);
      complaints.oneOf(`${path}.pullPolicy`, source['pullPolicy'], PULL_POLICIES, true);
    },
  },
];

function validateSource(complaints: Complaints, volume: Rec, path: string): void {
  const given = SOURCES.filter(({ name }) => !absent(volume[name]));
  for (const [index, { name, check, saidAs }] of given.entries()) {
    const source = volume[name];
    if (index > 0) complaints.forbidden(`${path}.${saidAs ?? name}`, 'may not specify more than 1 volume type');
    else if (isRec(source)) check(complaints, source, `${path}.${saidAs ?? name}`);
  }
  if (given.length === 0) complaints.required(path, 'must specify a volume type');
}

/** Of one volume, in units of Work. */
const VOLUME_UNITS = 50;
const YIELD_UNITS = 2000;

/**
 * The good volumes by name, for mounts to refer to. `podName`: '' in a template; claims of ephemeral volumes are named
 * after the pod.
 */
export function* validateVolumes(complaints: Complaints, spec: unknown, path: string, podName: string): Work<Volumes> {
  const volumes = recs(field(spec, 'volumes'));
  const claims = new Set(
    podName === ''
      ? []
      : volumes.filter((volume) => !absent(volume['ephemeral'])).map((volume) => `${podName}-${str(volume['name'])}`),
  );
  const good = new Map<string, { readonly isClaim: boolean }>();
  const meter = new SliceMeter(YIELD_UNITS);
  for (const [index, volume] of volumes.entries()) {
    const here = `${path}.volumes[${index}]`;
    const name = str(volume['name']);
    const before = complaints.all.length;
    validateSource(complaints, volume, here);
    if (podName !== '' && name !== '' && !absent(volume['ephemeral'])) {
      for (const why of dns1123Subdomain(`${podName}-${name}`))
        complaints.invalid(`${here}.name`, name, `PVC name "${podName}-${name}": ${why}`);
    }
    complaints.requiredForm(`${here}.name`, name, dns1123Label);
    if (good.has(name)) complaints.duplicate(`${here}.name`, name);
    if (complaints.all.length === before)
      good.set(name, { isClaim: !absent(volume['persistentVolumeClaim']) || !absent(volume['ephemeral']) });
    const claim = str(field(volume['persistentVolumeClaim'], 'claimName'));
    if (claims.has(claim))
      complaints.invalid(
        `${here}.persistentVolumeClaim.claimName`,
        claim,
        'must not reference a PVC that gets created for an ephemeral volume',
      );
    if (meter.spend(VOLUME_UNITS)) yield YIELD_UNITS;
  }
  return good;
}
