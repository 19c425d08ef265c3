/** Validation of security contexts: of containers and of pods. */
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, list, optionalNum, recs, str, strs, unset, type Rec } from '../lib/value.js';
import { validateLocalPath } from '../volumes/paths.js';

const ID_MAX = 2_147_483_647;
const APPARMOR_PROFILE_BYTES_MAX = 4095;
const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function validateId(complaints: Complaints, value: unknown, path: string): void {
  const id = optionalNum(value);
  if (id !== undefined && (id < 0 || id > ID_MAX))
    complaints.invalid(path, id, `must be between 0 and ${ID_MAX}, inclusive`);
}

function validateSeccomp(complaints: Complaints, profile: unknown, path: string): void {
  if (!isRec(profile)) return;
  const type = str(profile['type']);
  const local = profile['localhostProfile'];
  if (type === '') complaints.required(`${path}.type`, 'type is required when seccompProfile is set');
  else if (!PROFILE_TYPES.includes(type)) complaints.unsupported(`${path}.type`, type, PROFILE_TYPES);
  if (type === 'Localhost') {
    if (absent(local)) complaints.required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost');
    else validateLocalPath(complaints, `${path}.localhostProfile`, str(local));
  } else if (!absent(local)) {
    complaints.invalid(
      `${path}.localhostProfile`,
      { Type: type, LocalhostProfile: local },
      'can only be set when seccomp type is Localhost',
    );
  }
}

function validateAppArmor(complaints: Complaints, profile: unknown, path: string): void {
  if (!isRec(profile)) return;
  const type = str(profile['type']);
  const local = profile['localhostProfile'];
  if (type === '') complaints.required(`${path}.type`, 'type is required when appArmorProfile is set');
  else if (!PROFILE_TYPES.includes(type)) complaints.unsupported(`${path}.type`, type, PROFILE_TYPES);
  else if (type !== 'Localhost') {
    if (!absent(local))
      complaints.invalid(`${path}.localhostProfile`, local, 'can only be set when AppArmor type is Localhost');
  } else if (unset(local)) {
    complaints.required(`${path}.localhostProfile`, 'must be set when AppArmor type is Localhost');
  } else {
    if (str(local) !== str(local).trim())
      complaints.invalid(`${path}.localhostProfile`, local, 'must not be padded with whitespace');
    if (str(local).length > APPARMOR_PROFILE_BYTES_MAX)
      complaints.tooLong(`${path}.localhostProfile`, APPARMOR_PROFILE_BYTES_MAX);
  }
}

/** `hostUsers`: the pod has no user namespace of its own. */
export function validateContainerSecurity(
  complaints: Complaints,
  security: unknown,
  path: string,
  hostUsers: boolean,
): void {
  if (!isRec(security)) return;
  for (const name of ['runAsUser', 'runAsGroup']) validateId(complaints, security[name], `${path}.${name}`);
  const procMount = security['procMount'];
  if (!absent(procMount)) {
    if (!['Default', 'Unmasked'].includes(str(procMount)))
      complaints.unsupported(`${path}.procMount`, procMount, ['Default', 'Unmasked']);
    if (hostUsers && procMount === 'Unmasked')
      complaints.invalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`');
  }
  validateSeccomp(complaints, security['seccompProfile'], `${path}.seccompProfile`);
  if (security['allowPrivilegeEscalation'] === false) {
    if (security['privileged'] === true)
      complaints.invalid(path, security, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
    if (strs(field(security['capabilities'], 'add')).includes('CAP_SYS_ADMIN')) {
      complaints.invalid(
        path,
        security,
        'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
      );
    }
  }
  validateAppArmor(complaints, security['appArmorProfile'], `${path}.appArmorProfile`);
}

const SYSCTL_MAX = 253;
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TEXT = String.raw`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`;

/** Those of a namespace that the pod shares with its node would change the node. */
function validateHostSysctl(complaints: Complaints, name: string, path: string, spec: Rec): void {
  const dotted = name.replaceAll('/', '.');
  if (spec['hostNetwork'] === true && dotted.startsWith('net.'))
    complaints.invalid(path, name, "may not be specified when 'hostNetwork' is true");
  const ipc =
    dotted.startsWith('kernel.shm') ||
    dotted.startsWith('kernel.msg') ||
    dotted === 'kernel.sem' ||
    dotted.startsWith('fs.mqueue.');
  if (spec['hostIPC'] === true && ipc) complaints.invalid(path, name, "may not be specified when 'hostIPC' is true");
}

function validateSysctls(complaints: Complaints, sysctls: unknown, path: string, spec: Rec): void {
  const names = new Set<string>();
  for (const [index, sysctl] of recs(sysctls).entries()) {
    const here = `${path}[${index}].name`;
    const name = str(sysctl['name']);
    if (name === '') complaints.required(here);
    else if (name.length > SYSCTL_MAX || !SYSCTL.test(name))
      complaints.invalid(here, name, `must have at most ${SYSCTL_MAX} characters and match regex ${SYSCTL_TEXT}`);
    else if (names.has(name)) complaints.duplicate(here, name);
    validateHostSysctl(complaints, name, here, spec);
    names.add(name);
  }
}

const POLICIES: Readonly<Record<string, readonly string[]>> = {
  supplementalGroupsPolicy: ['Merge', 'Strict'],
  seLinuxChangePolicy: ['Recursive'],
};

export function validatePodSecurity(complaints: Complaints, spec: Rec, path: string): void {
  const security = spec['securityContext'];
  const shares = spec['shareProcessNamespace'] === true && spec['hostPID'] === true;
  if (isRec(security))
    for (const name of ['fsGroup', 'runAsUser', 'runAsGroup'])
      validateId(complaints, security[name], `${path}.${name}`);
  for (const [index, group] of list(field(security, 'supplementalGroups')).entries())
    validateId(complaints, group, `${path}.supplementalGroups[${index}]`);
  if (shares)
    complaints.invalid(
      `${path}.shareProcessNamespace`,
      true,
      'ShareProcessNamespace and HostPID cannot both be enabled',
    );
  if (!isRec(security)) return;
  validateSysctls(complaints, security['sysctls'], `${path}.sysctls`, spec);
  complaints.enumerated(`${path}.fsGroupChangePolicy`, security['fsGroupChangePolicy'], ['Always', 'OnRootMismatch']);
  validateSeccomp(complaints, security['seccompProfile'], `${path}.seccompProfile`);
  validateAppArmor(complaints, security['appArmorProfile'], `${path}.appArmorProfile`);
  for (const [name, values] of Object.entries(POLICIES))
    complaints.enumerated(`${path}.${name}`, security[name], values);
}
