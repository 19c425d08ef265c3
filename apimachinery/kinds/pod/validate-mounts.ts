/** Validation of what a container mounts and which block devices it uses. */
import type { Complaints } from '../lib/complaints.js';
import { absent, field, recs, str, unset, type Rec } from '../lib/value.js';
import { validateLocalPath } from '../volumes/paths.js';

/** The pod's good volumes by name; `isClaim`: one that may be a block device. */
export type Volumes = ReadonlyMap<string, { readonly isClaim: boolean }>;

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];
const RECURSIVE_READ_ONLY = ['Disabled', 'Enabled', 'IfPossible'];

function validatePropagation(complaints: Complaints, container: Rec, mode: unknown, path: string): void {
  if (absent(mode)) return;
  if (!PROPAGATIONS.includes(str(mode))) complaints.unsupported(path, mode, PROPAGATIONS);
  if (mode === 'Bidirectional' && field(container['securityContext'], 'privileged') !== true) {
    complaints.forbidden(path, 'Bidirectional mount propagation is available only to privileged containers');
  }
}

function validateRecursiveReadOnly(complaints: Complaints, mount: Rec, path: string): void {
  const mode = mount['recursiveReadOnly'];
  if (absent(mode) || mode === 'Disabled') return;
  if (!RECURSIVE_READ_ONLY.includes(str(mode))) return complaints.unsupported(path, mode, RECURSIVE_READ_ONLY);
  if (mount['readOnly'] !== true) complaints.forbidden(path, 'may only be specified when readOnly is true');
  const propagation = mount['mountPropagation'];
  if (!absent(propagation) && propagation !== 'None')
    complaints.forbidden(path, 'may only be specified when mountPropagation is None or not specified');
}

function validateVolumeMounts(complaints: Complaints, container: Rec, path: string, volumes: Volumes): void {
  const devices = recs(container['volumeDevices']);
  const paths = new Set<string>();
  for (const [index, mount] of recs(container['volumeMounts']).entries()) {
    const here = `${path}[${index}]`;
    const name = str(mount['name']);
    const mountPath = str(mount['mountPath']);
    if (name === '') complaints.required(`${here}.name`);
    if (!volumes.has(name)) complaints.notFound(`${here}.name`, name);
    if (mountPath === '') complaints.required(`${here}.mountPath`);
    if (paths.has(mountPath)) complaints.invalid(`${here}.mountPath`, mountPath, 'must be unique');
    paths.add(mountPath);
    if (devices.some((device) => device['name'] === name))
      complaints.invalid(`${here}.name`, name, 'must not already exist in volumeDevices');
    if (devices.some((device) => device['devicePath'] === mountPath))
      complaints.invalid(`${here}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices');
    // Kubernetes reports these without the index.
    if (!unset(mount['subPath'])) validateLocalPath(complaints, `${path}.subPath`, str(mount['subPath']));
    if (!unset(mount['subPathExpr'])) {
      if (!unset(mount['subPath']))
        complaints.invalid(
          `${here}.subPathExpr`,
          mount['subPathExpr'],
          'subPathExpr and subPath are mutually exclusive',
        );
      validateLocalPath(complaints, `${path}.subPathExpr`, str(mount['subPathExpr']));
    }
    validatePropagation(complaints, container, mount['mountPropagation'], `${path}.mountPropagation`);
    validateRecursiveReadOnly(complaints, mount, `${path}.recursiveReadOnly`);
  }
}

function validateVolumeDevices(complaints: Complaints, container: Rec, path: string, volumes: Volumes): void {
  const mounts = recs(container['volumeMounts']);
  const seen = { names: new Set<string>(), paths: new Set<string>() };
  for (const [index, device] of recs(container['volumeDevices']).entries()) {
    const here = `${path}[${index}]`;
    const name = str(device['name']);
    const devicePath = str(device['devicePath']);
    const volume = volumes.get(name);
    if (name === '') complaints.required(`${here}.name`);
    if (seen.names.has(name)) complaints.invalid(`${here}.name`, name, 'must be unique');
    if (volume?.isClaim === false)
      complaints.invalid(
        `${here}.name`,
        name,
        'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
      );
    if (volume === undefined) complaints.notFound(`${here}.name`, name);
    if (devicePath === '') complaints.required(`${here}.devicePath`);
    if (seen.paths.has(devicePath)) complaints.invalid(`${here}.devicePath`, devicePath, 'must be unique');
    if (devicePath.split('/').includes('..'))
      complaints.invalid(`${here}.devicePath`, devicePath, "can not contain backsteps ('..')");
    else seen.paths.add(devicePath);
    if (mounts.some((mount) => mount['name'] === name))
      complaints.invalid(`${here}.name`, name, 'must not already exist in volumeMounts');
    if (mounts.some((mount) => mount['mountPath'] === devicePath))
      complaints.invalid(`${here}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts');
    if (name !== '') seen.names.add(name);
  }
}

export function validateMounts(complaints: Complaints, container: Rec, path: string, volumes: Volumes): void {
  validateVolumeMounts(complaints, container, `${path}.volumeMounts`, volumes);
  validateVolumeDevices(complaints, container, `${path}.volumeDevices`, volumes);
}
