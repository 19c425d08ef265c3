/** Validation of a pod's status, as its node or a scheduler writes it. The order of complaints is Kubernetes' own. */
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { addressForm, parseAddress } from '../lib/addresses.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { containersOf, type ContainerRole } from '../lib/containers.js';
import { absent, at, entries, field, isRec, list, num, optionalNum, recs, str, unset, type Rec } from '../lib/value.js';

const NOT_NEGATIVE = 'must be a non-negative integer';
const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);
const STATUSES: readonly (readonly [string, ContainerRole])[] = [
  ['containerStatuses', 'regular'],
  ['initContainerStatuses', 'init'],
  ['ephemeralContainerStatuses', 'ephemeral'],
];
const HEALTH = ['Healthy', 'Unhealthy', 'Unknown'];
const HEALTH_MESSAGE_MAX = 1024;
const ID_MAX = 2_147_483_647;

const MIRROR = 'kubernetes.io/config.mirror';
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';

function validateAnnotations(complaints: Complaints, pod: Rec, old: unknown): void {
  const [now, before] = [at(pod, 'metadata', 'annotations'), at(old, 'metadata', 'annotations')];
  for (const [key, value] of entries(before)) {
    if (field(now, key) === value) continue;
    if (key.startsWith(APPARMOR))
      complaints.forbidden(`metadata.annotations[${key}]`, 'may not remove or update AppArmor annotations');
    if (key === MIRROR)
      complaints.forbidden(`metadata.annotations[${key}]`, 'may not remove or update mirror pod annotation');
  }
  for (const [key] of entries(now)) {
    if (field(before, key) !== undefined) continue;
    if (key.startsWith(APPARMOR))
      complaints.forbidden(`metadata.annotations[${key}]`, 'may not add AppArmor annotations');
    if (key === MIRROR) complaints.forbidden(`metadata.annotations[${key}]`, 'may not add mirror pod annotation');
  }
}

function validatePodConditions(complaints: Complaints, conditions: unknown): void {
  for (const [index, { type, observedGeneration }] of recs(conditions).entries()) {
    const path = `status.conditions[${index}]`;
    if (num(observedGeneration) < 0) complaints.invalid(`${path}.observedGeneration`, observedGeneration, NOT_NEGATIVE);
    if (!SYSTEM_CONDITIONS.has(str(type))) complaints.form(`${path}.Type`, str(type), qualifiedName);
  }
}

function validateNomination(complaints: Complaints, pod: Rec, old: unknown): void {
  const path = 'status.nominatedNodeName';
  const name = at(pod, 'status', 'nominatedNodeName');
  if (unset(name) || name === at(old, 'status', 'nominatedNodeName')) return;
  complaints.form(path, name, dns1123Subdomain);
  if (!unset(at(old, 'spec', 'nodeName')))
    complaints.forbidden(path, 'may not be set on pods that are already bound to a node');
}

const matchesRule = (rule: Rec, exitCode: number): boolean => {
  const codes = rule['exitCodes'];
  const isListed = list(field(codes, 'values')).includes(exitCode);
  return field(codes, 'operator') === 'In' ? isListed : field(codes, 'operator') === 'NotIn' && !isListed;
};

/** Whether a container that ended so is started again, by its own rules, its own policy or the pod's. */
function mayRestart(container: Rec, podPolicy: unknown, exitCode: number): boolean {
  const isOwn = !absent(container['restartPolicy']);
  if (isOwn && recs(container['restartPolicyRules']).some((rule) => matchesRule(rule, exitCode))) return true;
  switch (isOwn ? container['restartPolicy'] : podPolicy) {
    case 'OnFailure':
      return exitCode !== 0;
    case 'Never':
      return false;
    default:
      return true;
  }
}

/** What has ended and is not started again stays ended. */
function validateTransitions(complaints: Complaints, pod: Rec, old: unknown): void {
  const slots = [...containersOf(field(old, 'spec'))];
  const restartsAll = slots.some(
    ({ role, container }) =>
      role !== 'ephemeral' &&
      recs(container['restartPolicyRules']).some(({ action }) => action === 'RestartAllContainers'),
  );
  for (const [name, role] of STATUSES) {
    if (restartsAll && role !== 'ephemeral') continue;
    const now = recs(at(pod, 'status', name));
    for (const [index, before] of recs(at(old, 'status', name)).entries()) {
      const ended = at(before, 'state', 'terminated');
      const status = now.find((one) => one['name'] === before['name']);
      if (!isRec(ended) || status === undefined || isRec(at(status, 'state', 'terminated'))) continue;
      const slot = slots.find((one) => one.role === role && one.container['name'] === before['name']);
      if (
        role !== 'ephemeral' &&
        slot !== undefined &&
        mayRestart(slot.container, at(old, 'spec', 'restartPolicy'), num(ended['exitCode']))
      )
        continue;
      complaints.forbidden(`status.${name}[${index}].state`, 'may not be transitioned to non-terminated state');
    }
  }
}

function validateClaimStatuses(complaints: Complaints, pod: Rec): void {
  const known = new Set(recs(at(pod, 'spec', 'resourceClaims')).map(({ name }) => str(name)));
  const seen = new Set<string>();
  for (const [index, status] of recs(at(pod, 'status', 'resourceClaimStatuses')).entries()) {
    const path = `status.resourceClaimStatuses[${index}]`;
    const name = str(status['name']);
    if (!known.has(name))
      complaints.invalid(`${path}.name`, name, 'must match the name of an entry in `spec.resourceClaims`');
    if (seen.has(name)) complaints.duplicate(`${path}.name`, name);
    seen.add(name);
    if (!absent(status['resourceClaimName']))
      complaints.form(`${path}.resourceClaimName`, status['resourceClaimName'], dns1123Subdomain);
  }
}

/** A claim made for the extended resources of containers (KEP-5004). */
function validateExtendedClaim(complaints: Complaints, pod: Rec): void {
  const path = 'status.extendedResourceClaimStatus';
  const claim = at(pod, 'status', 'extendedResourceClaimStatus');
  if (!isRec(claim)) return;
  const mappings = recs(claim['requestMappings']);
  if (mappings.length === 0) complaints.required(`${path}.requestMappings`, 'at least one request mapping is required');
  const slots = [...containersOf(field(pod, 'spec'))].filter(({ role }) => role !== 'ephemeral');
  const seen = new Set<string>();
  for (const [index, mapping] of mappings.entries()) {
    const here = `${path}.requestMappings[${index}]`;
    const [container, resource, request] = ['containerName', 'resourceName', 'requestName'].map((name) =>
      str(mapping[name]),
    ) as [string, string, string];
    const slot = slots.findLast((one) => one.container['name'] === container);
    if (slot === undefined)
      complaints.invalid(
        `${here}.containerName`,
        container,
        'must match the name of an entry in spec.initContainers.name or spec.containers.name',
      );
    else if (absent(field(at(slot.container, 'resources', 'requests'), resource))) {
      complaints.invalid(
        `${here}.resourceName`,
        resource,
        'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
      );
    }
    complaints.form(`${path}.requestName`, request, dns1123Label);
    const key = JSON.stringify([container, resource, request]);
    if (seen.has(key))
      for (const name of ['containerName', 'resourceName', 'requestName'])
        complaints.duplicate(`${here}.${name}`, str(mapping[name]));
    seen.add(key);
  }
  complaints.requiredForm(`${path}.resourceClaimName`, claim['resourceClaimName'], dns1123Subdomain);
}

/** One address of each family, at most. `shown`: as Go's internal type is printed. */
function validateAddresses(complaints: Complaints, name: 'podIPs' | 'hostIPs', pod: Rec, old: unknown): void {
  const path = `status.${name}`;
  const known = new Set(recs(at(old, 'status', name)).map(({ ip }) => str(ip)));
  const addresses = recs(at(pod, 'status', name)).map(({ ip }) => str(ip));
  for (const [index, address] of addresses.entries()) complaints.form(`${path}[${index}]`, address, addressForm(known));
  if (addresses.length < 2) return;
  const parsed = addresses.map(parseAddress);
  const broken = addresses.find((_address, index) => parsed[index] === undefined);
  if (broken !== undefined) {
    complaints.add([
      {
        type: 'InternalError',
        field: path,
        detail: `Internal error: failed to check for dual stack with error:invalid IP[${addresses.indexOf(broken)}]: ${broken}`,
      },
    ]);
  }
  const isDual = broken === undefined && new Set(parsed.map((address) => address?.family)).size === 2;
  if (!isDual || addresses.length > 2)
    complaints.invalid(
      path,
      addresses.map((IP) => ({ IP })),
      'may specify no more than one IP for each IP family',
    );
}

function validateHostAddresses(complaints: Complaints, pod: Rec, old: unknown): void {
  const [first] = recs(at(pod, 'status', 'hostIPs'));
  if (first === undefined) return;
  if (str(at(pod, 'status', 'hostIP')) !== str(first['ip']))
    complaints.invalid('status.hostIPs[0].ip', str(first['ip']), 'must be equal to `hostIP`');
  validateAddresses(complaints, 'hostIPs', pod, old);
}

function validateUsers(complaints: Complaints, pod: Rec): void {
  const isWindows = at(pod, 'spec', 'os', 'name') === 'windows';
  const id = (path: string, value: unknown): void => {
    const number = optionalNum(value) ?? 0;
    if (number < 0 || number > ID_MAX) complaints.invalid(path, number, `must be between 0 and ${ID_MAX}, inclusive`);
  };
  for (const [name] of STATUSES) {
    for (const [index, status] of recs(at(pod, 'status', name)).entries()) {
      const path = `status.${name}[${index}].user.linux`;
      const user = at(status, 'user', 'linux');
      if (!isRec(user)) continue;
      if (isWindows) complaints.forbidden(path, 'cannot be set for a windows pod');
      if (isWindows) continue;
      for (const part of ['uid', 'gid']) id(`${path}.${part}`, user[part]);
      for (const [place, group] of list(user['supplementalGroups']).entries())
        id(`${path}.supplementalGroups[${place}]`, group);
    }
  }
}

const NOT_A_CLAIM =
  "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";

function validateAllocatedName(complaints: Complaints, name: string, path: string, container: Rec | undefined): void {
  if (container === undefined) return;
  const isClaim = name.startsWith('claim:');
  const names = isClaim
    ? recs(at(container, 'resources', 'claims')).map(
        (claim) => `claim:${str(claim['name'])}${unset(claim['request']) ? '' : `/${str(claim['request'])}`}`,
      )
    : entries(at(container, 'resources', 'requests')).map(([resource]) => resource);
  if (!names.includes(name))
    complaints.invalid(path, name, isClaim ? NOT_A_CLAIM : "must match one of the container's resource requests");
}

function validateHealth(complaints: Complaints, resources: unknown, path: string): void {
  const seen = new Set<string>();
  for (const [index, { health, message, resourceID }] of recs(resources).entries()) {
    const here = `${path}[${index}]`;
    if (!HEALTH.includes(str(health))) complaints.unsupported(`${here}.health`, health ?? '', HEALTH);
    if (message === '') complaints.required(`${here}.message`, 'must be non-empty if specified');
    else if (str(message).length > HEALTH_MESSAGE_MAX) complaints.tooLong(`${here}.message`, HEALTH_MESSAGE_MAX);
    if (seen.has(str(resourceID))) complaints.duplicate(`${here}.resourceID`, str(resourceID));
    seen.add(str(resourceID));
  }
}

function validateAllocated(complaints: Complaints, pod: Rec): void {
  const slots = [...containersOf(field(pod, 'spec'))];
  for (const [name, role] of STATUSES) {
    for (const [index, status] of recs(at(pod, 'status', name)).entries()) {
      const path = `status.${name}[${index}].allocatedResourcesStatus`;
      const allocated = recs(status['allocatedResourcesStatus']);
      if (role === 'ephemeral') {
        if (allocated.length > 0) complaints.forbidden(path, 'must not be specified in container status');
        continue;
      }
      const slot = slots.find((one) => one.role === role && one.container['name'] === status['name']);
      for (const [place, resource] of allocated.entries()) {
        validateAllocatedName(complaints, str(resource['name']), `${path}[${place}].name`, slot?.container);
        validateHealth(complaints, resource['resources'], `${path}[${place}].resources`);
      }
    }
  }
}

export function validatePodStatus(pod: Rec, old: unknown): FieldError[] {
  return complaintsOf((complaints) => {
    const status = field(pod, 'status');
    validateAnnotations(complaints, pod, old);
    validatePodConditions(complaints, field(status, 'conditions'));
    validateNomination(complaints, pod, old);
    if (num(field(status, 'observedGeneration')) < 0)
      complaints.invalid('status.observedGeneration', field(status, 'observedGeneration'), NOT_NEGATIVE);
    complaints.immutable(
      'status.qosClass',
      field(status, 'qosClass'),
      str(field(status, 'qosClass')) === str(at(old, 'status', 'qosClass')),
    );
    validateTransitions(complaints, pod, old);
    validateClaimStatuses(complaints, pod);
    validateExtendedClaim(complaints, pod);
    validateAddresses(complaints, 'podIPs', pod, old);
    validateHostAddresses(complaints, pod, old);
    validateUsers(complaints, pod);
    validateAllocated(complaints, pod);
  });
}
