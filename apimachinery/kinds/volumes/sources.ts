/**
 * What a volume may be made of, as far as PersistentVolumes say it (k8s.io/kubernetes/pkg/apis/core/validation). Pods
 * share most of these.
 */
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, keysOf, list, num, str, unset, type Rec } from '../lib/value.js';
import { noBacksteps } from './paths.js';

export type SourceCheck = (complaints: Complaints, source: Rec, path: string) => void;

const DRIVER_NAME_MAX = 63;
const TENANT_MAX = 64;
const PORTAL_MAX = 64;
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** CSI drivers are named like domains, in any case. */
export function validateDriverName(complaints: Complaints, name: unknown, path: string): void {
  const driver = str(name);
  if (driver === '') return complaints.required(path);
  if (driver.length > DRIVER_NAME_MAX) complaints.tooLong(path, DRIVER_NAME_MAX);
  for (const why of dns1123Subdomain(driver.toLowerCase())) complaints.invalid(path, driver, why);
}

export const requires =
  (...names: readonly string[]): SourceCheck =>
  (complaints, source, path) => {
    for (const name of names)
      if (unset(source[name]) || (Array.isArray(source[name]) && source[name].length === 0))
        complaints.required(`${path}.${name}`);
  };

function inRange(complaints: Complaints, value: unknown, path: string, first: number): void {
  if (num(value) < 0 || num(value) > 255)
    complaints.invalid(path, value, `must be between ${first} and 255, inclusive`);
}

export const disk =
  (name: string): SourceCheck =>
  (complaints, source, path) => {
    requires(name)(complaints, source, path);
    inRange(complaints, source['partition'], `${path}.partition`, 1);
  };

export const hostPath: SourceCheck = (complaints, source, path) => {
  if (unset(source['path'])) return complaints.required(`${path}.path`);
  noBacksteps(complaints, `${path}.path`, str(source['path']));
  complaints.enumerated(`${path}.type`, source['type'], HOST_PATH_TYPES);
};

/** The name and namespace of a Secret, where both must be there. */
const namedSecret: SourceCheck = (complaints, source, path) => {
  if (isRec(source['secretRef'])) requires('name', 'namespace')(complaints, source['secretRef'], `${path}.secretRef`);
};

const glusterfs: SourceCheck = (complaints, source, path) => {
  requires('endpoints', 'path')(complaints, source, path);
  const namespace = source['endpointsNamespace'];
  if (namespace === '')
    complaints.invalid(
      `${path}.endpointsNamespace`,
      '',
      'if the endpointnamespace is set, it must be a valid namespace name',
    );
  else if (!absent(namespace)) complaints.form(`${path}.endpointsNamespace`, namespace, dns1123Label);
};

export const flocker: SourceCheck = (complaints, { datasetName, datasetUUID }, path) => {
  if (unset(datasetName) && unset(datasetUUID))
    complaints.required(path, 'one of datasetName and datasetUUID is required');
  if (!unset(datasetName) && !unset(datasetUUID))
    complaints.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously');
  if (str(datasetName).includes('/')) complaints.invalid(`${path}.datasetName`, datasetName, "must not contain '/'");
};

export const nfs: SourceCheck = (complaints, source, path) => {
  requires('server', 'path')(complaints, source, path);
  if (!str(source['path']).startsWith('/'))
    complaints.invalid(`${path}.path`, str(source['path']), 'must be an absolute path');
};

const HOST_PORT = 'must be a host:port pair or multiple pairs separated by commas';

export const quobyte: SourceCheck = (complaints, source, path) => {
  const registry = str(source['registry']);
  if (registry === '') complaints.required(`${path}.registry`, HOST_PORT);
  else if (str(source['tenant']).length > TENANT_MAX)
    complaints.required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters');
  else
    for (const pair of registry.split(','))
      if (!/^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/.test(pair)) complaints.invalid(`${path}.registry`, registry, HOST_PORT);
  requires('volume')(complaints, source, path);
};

const INITIATORS: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

const isInitiator = (name: string): boolean => INITIATORS[name.slice(0, 3)]?.test(name) ?? false;

/** What is wrong with the name of an initiator; of names without a known head only in pods. */
const initiatorFault = (name: string): string | undefined => {
  if (!Object.hasOwn(INITIATORS, name.slice(0, 3))) return 'must be valid format starting with iqn, eui, or naa';
  return isInitiator(name) ? undefined : 'must be valid format';
};

/** The volume of a pod: less is known of it than of a PersistentVolume. */
export const inlineIscsi: SourceCheck = (complaints, source, path) => {
  const { iqn, initiatorName, secretRef } = source;
  requires('targetPortal', 'iqn')(complaints, source, path);
  const fault = unset(iqn) ? undefined : initiatorFault(str(iqn));
  if (fault !== undefined) complaints.invalid(`${path}.iqn`, iqn, fault);
  inRange(complaints, source['lun'], `${path}.lun`, 0);
  if ((source['chapAuthDiscovery'] === true || source['chapAuthSession'] === true) && !isRec(secretRef))
    complaints.required(`${path}.secretRef`);
  const ofInitiator = absent(initiatorName) ? undefined : initiatorFault(str(initiatorName));
  if (ofInitiator !== undefined) complaints.invalid(`${path}.initiatorname`, initiatorName, ofInitiator);
};

const iscsi =
  (volumeName: string): SourceCheck =>
  (complaints, source, path) => {
    const { targetPortal, iqn, initiatorName, secretRef } = source;
    requires('targetPortal')(complaints, source, path);
    if (!absent(initiatorName) && `${volumeName}:${str(targetPortal)}`.length > PORTAL_MAX) {
      complaints.invalid(
        `${path}.targetportal`,
        targetPortal,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      );
    }
    if (unset(iqn)) complaints.required(`${path}.iqn`);
    else if (!isInitiator(str(iqn))) complaints.invalid(`${path}.iqn`, iqn, 'must be valid format');
    inRange(complaints, source['lun'], `${path}.lun`, 0);
    if ((source['chapAuthDiscovery'] === true || source['chapAuthSession'] === true) && !isRec(secretRef))
      complaints.required(`${path}.secretRef`);
    if (isRec(secretRef) && unset(secretRef['name'])) complaints.required(`${path}.secretRef.name`);
    if (!absent(initiatorName) && !isInitiator(str(initiatorName)))
      complaints.invalid(`${path}.initiatorname`, initiatorName, 'must be valid format');
  };

export const fc: SourceCheck = (complaints, source, path) => {
  const worldWide = list(source['targetWWNs']).length;
  const wwids = list(source['wwids']).length;
  if (worldWide + wwids === 0)
    complaints.required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both');
  if (worldWide > 0 && wwids > 0)
    complaints.invalid(
      `${path}.targetWWNs`,
      source['targetWWNs'],
      'targetWWNs and wwids can not be specified simultaneously',
    );
  if (worldWide === 0) return;
  if (absent(source['lun'])) complaints.required(`${path}.lun`, 'lun is required if targetWWNs is specified');
  else inRange(complaints, source['lun'], `${path}.lun`, 0);
};

export const flexVolume: SourceCheck = (complaints, source, path) => {
  requires('driver')(complaints, source, path);
  for (const key of keysOf(source['options'])) {
    const domain = `.${(key.includes('/') ? key.slice(0, key.indexOf('/')) : key).toLowerCase()}`;
    if (domain.endsWith('.kubernetes.io') || domain.endsWith('.k8s.io'))
      complaints.invalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved');
  }
};

const azureFile: SourceCheck = (complaints, source, path) => {
  requires('secretName', 'shareName')(complaints, source, path);
  if (source['secretNamespace'] === '') complaints.required(`${path}.secretNamespace`);
};

const MANAGED_DISK = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_DISK = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export const azureDisk: SourceCheck = (complaints, source, path) => {
  const uri = str(source['diskURI']);
  requires('diskName', 'diskURI')(complaints, source, path);
  complaints.enumerated(`${path}.cachingMode`, source['cachingMode'], ['None', 'ReadOnly', 'ReadWrite']);
  complaints.enumerated(`${path}.kind`, source['kind'], ['Dedicated', 'Managed', 'Shared']);
  if (absent(source['kind'])) return;
  const isManaged = source['kind'] === 'Managed';
  if (!uri.startsWith(isManaged ? '/subscriptions/' : 'https://'))
    complaints.unsupported(`${path}.diskURI`, uri, [isManaged ? MANAGED_DISK : BLOB_DISK]);
};

const local: SourceCheck = (complaints, source, path) => {
  if (unset(source['path'])) return complaints.required(`${path}.path`);
  noBacksteps(complaints, `${path}.path`, str(source['path']));
};

const storageos: SourceCheck = (complaints, source, path) => {
  complaints.requiredForm(`${path}.volumeName`, source['volumeName'], dns1123Label);
  if (!unset(source['volumeNamespace']))
    complaints.form(`${path}.volumeNamespace`, source['volumeNamespace'], dns1123Label);
  namedSecret(complaints, source, path);
};

const cinder: SourceCheck = (complaints, source, path) => {
  requires('volumeID')(complaints, source, path);
  namedSecret(complaints, source, path);
};

const CSI_SECRETS = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
];

const csi: SourceCheck = (complaints, source, path) => {
  validateDriverName(complaints, source['driver'], `${path}.driver`);
  requires('volumeHandle')(complaints, source, path);
  for (const name of CSI_SECRETS) {
    const secret = source[name];
    if (!isRec(secret)) continue;
    complaints.requiredForm(`${path}.${name}.name`, secret['name'], dns1123Subdomain);
    complaints.requiredForm(`${path}.${name}.namespace`, secret['namespace'], dns1123Label);
  }
};

export interface VolumeSource {
  readonly name: string;
  readonly check: SourceCheck;
  /**
   * What stands in the path of a complaint about its fields, or about its being there, where Kubernetes has other names
   * than its own.
   */
  readonly fieldsAs?: string;
  readonly extraAs?: string;
}

/** In the order in which Kubernetes looks at them: the first that is set is the volume's type. */
export const volumeSources = (volumeName: string): readonly VolumeSource[] => [
  { name: 'hostPath', check: hostPath },
  { name: 'gcePersistentDisk', check: disk('pdName'), fieldsAs: 'persistentDisk' },
  { name: 'awsElasticBlockStore', check: disk('volumeID') },
  { name: 'glusterfs', check: glusterfs },
  { name: 'flocker', check: flocker },
  { name: 'nfs', check: nfs },
  { name: 'rbd', check: requires('monitors', 'image') },
  { name: 'quobyte', check: quobyte },
  { name: 'cephfs', check: requires('monitors'), extraAs: 'cephFS' },
  { name: 'iscsi', check: iscsi(volumeName) },
  { name: 'cinder', check: cinder },
  { name: 'fc', check: fc },
  { name: 'flexVolume', check: flexVolume },
  { name: 'azureFile', check: azureFile },
  { name: 'vsphereVolume', check: requires('volumePath') },
  { name: 'photonPersistentDisk', check: requires('pdID') },
  { name: 'portworxVolume', check: requires('volumeID') },
  { name: 'azureDisk', check: azureDisk },
  { name: 'scaleIO', check: requires('gateway', 'system', 'volumeName') },
  { name: 'local', check: local },
  { name: 'storageos', check: storageos },
  { name: 'csi', check: csi },
];

const ALL = volumeSources('').map(({ name }) => name);

/** The sources that a spec names. */
export const sourcesOf = (spec: unknown): readonly string[] => ALL.filter((name) => !absent(field(spec, name)));
