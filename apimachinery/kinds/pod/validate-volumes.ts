/** Validation of volumes and of the claims templates inside them. */
import { configMapKey, dns1123Label } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, optionalNum, recs, str, unset, type Rec } from '../lib/value.js';
import { validateLocalPath } from './validate-container.js';

const SOURCES = new Set([
  'emptyDir', 'hostPath', 'secret', 'configMap', 'downwardAPI', 'projected', 'persistentVolumeClaim', 'ephemeral', 'csi', 'nfs', 'iscsi',
  'fc', 'image', 'awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'flexVolume', 'flocker', 'gcePersistentDisk', 'gitRepo',
  'glusterfs', 'photonPersistentDisk', 'portworxVolume', 'quobyte', 'rbd', 'scaleIO', 'storageos', 'vsphereVolume',
]);
const HOST_PATH_TYPES = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const MODE_MAX = 0o777;

function mode(complaints: Complaints, value: unknown, path: string): void {
  const known = optionalNum(value);
  if (known !== undefined && (known < 0 || known > MODE_MAX)) complaints.invalid(path, known, 'must be a number between 0 and 0777 (octal), both inclusive');
}

function items(complaints: Complaints, source: unknown, path: string, keyed: boolean): void {
  for (const [index, item] of recs(field(source, 'items')).entries()) {
    const here = `${path}.items[${index}]`;
    if (keyed) complaints.requiredForm(`${here}.key`, item['key'], configMapKey);
    if (unset(item['path'])) complaints.required(`${here}.path`);
    else validateLocalPath(complaints, `${here}.path`, str(item['path']));
    mode(complaints, item['mode'], `${here}.mode`);
  }
}

function projected(complaints: Complaints, source: Rec, path: string): void {
  mode(complaints, source['defaultMode'], `${path}.defaultMode`);
  for (const [index, part] of recs(source['sources']).entries()) {
    const here = `${path}.sources[${index}]`;
    const given = Object.keys(part).filter((name) => !absent(part[name]));
    for (const name of given.slice(1)) complaints.forbidden(`${here}.${name}`, 'may not specify more than 1 volume type per source');
    for (const name of ['secret', 'configMap']) {
      if (!isRec(part[name])) continue;
      if (unset(field(part[name], 'name'))) complaints.required(`${here}.${name}.name`);
      items(complaints, part[name], `${here}.${name}`, true);
    }
    items(complaints, part['downwardAPI'], `${here}.downwardAPI`, false);
    const token = part['serviceAccountToken'];
    if (isRec(token)) {
      const expires = optionalNum(token['expirationSeconds']);
      if (expires !== undefined && expires < 600) complaints.invalid(`${here}.serviceAccountToken.expirationSeconds`, expires, 'may not specify a duration less than 10 minutes');
      if (unset(token['path'])) complaints.required(`${here}.serviceAccountToken.path`);
      else validateLocalPath(complaints, `${here}.serviceAccountToken.path`, str(token['path']));
    }
  }
}

const CHECKS: Readonly<Record<string, (complaints: Complaints, source: Rec, path: string) => void>> = {
  hostPath: (complaints, source, path) => {
    if (unset(source['path'])) complaints.required(`${path}.path`);
    else if (str(source['path']).split('/').includes('..')) complaints.invalid(`${path}.path`, source['path'], "must not contain '..'");
    if (!unset(source['type'])) complaints.oneOf(`${path}.type`, source['type'], HOST_PATH_TYPES);
  },
  emptyDir: (complaints, source, path) => complaints.quantity(`${path}.sizeLimit`, source['sizeLimit']),
  secret: (complaints, source, path) => {
    if (unset(source['secretName'])) complaints.required(`${path}.secretName`);
    mode(complaints, source['defaultMode'], `${path}.defaultMode`);
    items(complaints, source, path, true);
  },
  configMap: (complaints, source, path) => {
    if (unset(source['name'])) complaints.required(`${path}.name`);
    mode(complaints, source['defaultMode'], `${path}.defaultMode`);
    items(complaints, source, path, true);
  },
  downwardAPI: (complaints, source, path) => {
    mode(complaints, source['defaultMode'], `${path}.defaultMode`);
    items(complaints, source, path, false);
  },
  projected,
  persistentVolumeClaim: (complaints, source, path) => {
    if (unset(source['claimName'])) complaints.required(`${path}.claimName`);
  },
  csi: (complaints, source, path) => {
    if (unset(source['driver'])) complaints.required(`${path}.driver`);
  },
  nfs: (complaints, source, path) => {
    for (const name of ['server', 'path']) if (unset(source[name])) complaints.required(`${path}.${name}`);
  },
  ephemeral: (complaints, source, path) => {
    if (!isRec(source['volumeClaimTemplate'])) complaints.required(`${path}.volumeClaimTemplate`);
  },
  // Cloning on the node ran users' hooks as root (CVE-2024-10220, CVE-2025-1767).
  gitRepo: (complaints, _source, path) => complaints.forbidden(path, 'gitRepo volumes are not supported'),
};

/** Gives the names of the volumes, for mounts to refer to. */
export function validateVolumes(complaints: Complaints, spec: unknown, path: string): Set<string> {
  const names = new Set<string>();
  for (const [index, volume] of recs(field(spec, 'volumes')).entries()) {
    const here = `${path}.volumes[${index}]`;
    const name = str(volume['name']);
    const given = Object.keys(volume).filter((source) => SOURCES.has(source) && !absent(volume[source]));
    if (given.length === 0) complaints.required(here, 'must specify a volume type');
    for (const source of given.slice(1)) complaints.forbidden(`${here}.${source}`, 'may not specify more than 1 volume type');
    const [source] = given;
    if (source !== undefined && Object.hasOwn(CHECKS, source)) {
      const value = volume[source];
      if (isRec(value)) CHECKS[source]?.(complaints, value, `${here}.${source}`);
    }
    complaints.requiredForm(`${here}.name`, name, dns1123Label);
    if (name !== '' && names.has(name)) complaints.duplicate(`${here}.name`, name);
    names.add(name);
  }
  return names;
}
