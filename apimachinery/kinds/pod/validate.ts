/** Validation of pod specs: of pods themselves and of the templates of workloads. */
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { validateAnnotations } from '../metadata.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { containersOf } from '../lib/containers.js';
import { validateLabels } from '../lib/label-validation.js';
import { absent, field, isRec, list, num, optionalNum, recs, str, unset } from '../lib/value.js';
import { validateContainer, validateResources } from './validate-container.js';
import { validateAffinity, validateSpreadConstraints, validateTolerations } from './validate-scheduling.js';
import { validateVolumes } from './validate-volumes.js';

export const RESTART_POLICIES = ['Always', 'Never', 'OnFailure'];
const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const ACTIVE_DEADLINE_MAX = 2_147_483_647;

function validateContainers(complaints: Complaints, spec: unknown, path: string): void {
  const volumes = validateVolumes(complaints, spec, path);
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  if (list(field(spec, 'containers')).length === 0) complaints.required(`${path}.containers`);
  for (const slot of containersOf(spec, path)) {
    validateContainer(complaints, slot, volumes);
    const name = str(slot.container['name']);
    if (name !== '' && names.has(name)) complaints.duplicate(`${slot.path}.name`, name);
    names.add(name);
    if (!unset(slot.container['restartPolicy']) && slot.role === 'init' && slot.container['restartPolicy'] !== 'Always') {
      complaints.oneOf(`${slot.path}.restartPolicy`, slot.container['restartPolicy'], RESTART_POLICIES);
    }
    if (slot.role !== 'regular') continue;
    for (const [index, port] of recs(slot.container['ports']).entries()) {
      if (num(port['hostPort']) === 0) continue;
      const key = `${str(port['protocol'])}/${str(port['hostIP'])}/${num(port['hostPort'])}`;
      if (hostPorts.has(key)) complaints.duplicate(`${slot.path}.ports[${index}].hostPort`, key);
      hostPorts.add(key);
    }
  }
}

function validateDns(complaints: Complaints, spec: unknown, path: string): void {
  complaints.oneOf(`${path}.dnsPolicy`, field(spec, 'dnsPolicy'), DNS_POLICIES, true);
  const config = field(spec, 'dnsConfig');
  const servers = list(field(config, 'nameservers'));
  if (field(spec, 'dnsPolicy') === 'None' && servers.length === 0) {
    complaints.required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None');
  }
  if (servers.length > 3) complaints.invalid(`${path}.dnsConfig.nameservers`, servers, 'must not have more than 3 nameservers');
}

function validateHostNetwork(complaints: Complaints, spec: unknown, path: string): void {
  if (field(spec, 'hostNetwork') !== true) return;
  for (const { container, path: here } of containersOf(spec, path)) {
    for (const [index, port] of recs(container['ports']).entries()) {
      if (num(port['hostPort']) !== num(port['containerPort'])) {
        complaints.invalid(`${here}.ports[${index}].hostPort`, num(port['hostPort']), 'must match `containerPort` when `hostNetwork` is true');
      }
    }
  }
}

function validatePodSecurity(complaints: Complaints, spec: unknown, path: string): void {
  const security = field(spec, 'securityContext');
  for (const name of ['runAsUser', 'runAsGroup', 'fsGroup']) {
    const id = optionalNum(field(security, name));
    if (id !== undefined && (id < 0 || id > 2_147_483_647)) complaints.invalid(`${path}.securityContext.${name}`, id, 'must be between 0 and 2147483647, inclusive');
  }
}

function validateGates(complaints: Complaints, spec: unknown, path: string): void {
  for (const [index, gate] of recs(field(spec, 'readinessGates')).entries()) {
    complaints.form(`${path}.readinessGates[${index}].conditionType`, gate['conditionType'], qualifiedName);
  }
  const seen = new Set<string>();
  for (const [index, gate] of recs(field(spec, 'schedulingGates')).entries()) {
    const name = str(gate['name']);
    complaints.form(`${path}.schedulingGates[${index}]`, name, qualifiedName);
    if (seen.has(name)) complaints.duplicate(`${path}.schedulingGates[${index}]`, name);
    seen.add(name);
  }
}

/** A pod spec at `path`; the order of complaints is Kubernetes' own. */
export function validatePodSpec(complaints: Complaints, spec: unknown, path: string): void {
  if (!isRec(spec)) {
    complaints.required(path);
    return;
  }
  validateContainers(complaints, spec, path);
  complaints.oneOf(`${path}.restartPolicy`, spec['restartPolicy'], RESTART_POLICIES, true);
  validateDns(complaints, spec, path);
  validateLabels(complaints, spec['nodeSelector'], `${path}.nodeSelector`);
  validateHostNetwork(complaints, spec, path);
  validatePodSecurity(complaints, spec, path);
  validateGates(complaints, spec, path);
  for (const [index, secret] of recs(spec['imagePullSecrets']).entries()) {
    if (unset(secret['name'])) complaints.required(`${path}.imagePullSecrets[${index}].name`);
  }
  validateAffinity(complaints, spec['affinity'], `${path}.affinity`);
  validateSpreadConstraints(complaints, spec['topologySpreadConstraints'], `${path}.topologySpreadConstraints`);
  validateTolerations(complaints, spec['tolerations'], `${path}.tolerations`);
  for (const name of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const) {
    if (!unset(spec[name])) complaints.form(`${path}.${name}`, spec[name], dns1123Subdomain);
  }
  for (const name of ['hostname', 'subdomain']) if (!unset(spec[name])) complaints.form(`${path}.${name}`, spec[name], dns1123Label);
  complaints.requiredForm(`${path}.schedulerName`, spec['schedulerName'], qualifiedName);
  const deadline = optionalNum(spec['activeDeadlineSeconds']);
  if (deadline !== undefined && (deadline < 1 || deadline > ACTIVE_DEADLINE_MAX)) {
    complaints.invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${ACTIVE_DEADLINE_MAX}, inclusive`);
  }
  complaints.atLeast(`${path}.terminationGracePeriodSeconds`, spec['terminationGracePeriodSeconds']);
  if (isRec(spec['resources'])) validateResources(complaints, spec['resources'], `${path}.resources`);
}

/** Pods may not come with ephemeral containers, nor bound and gated at once. */
export function validatePod(pod: unknown): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(pod, 'spec');
    validatePodSpec(complaints, spec, 'spec');
    if (!unset(field(spec, 'nodeName')) && list(field(spec, 'schedulingGates')).length > 0) {
      complaints.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
    }
  });
}

export function validateTemplateMetadata(complaints: Complaints, template: unknown, path: string): void {
  const metadata = field(template, 'metadata');
  validateLabels(complaints, field(metadata, 'labels'), `${path}.labels`);
  validateAnnotations(complaints, field(metadata, 'annotations'), `${path}.annotations`);
}

export function validatePodTemplate(complaints: Complaints, template: unknown, path: string): void {
  if (absent(template)) {
    complaints.required(path);
    return;
  }
  validateTemplateMetadata(complaints, template, path);
  validatePodSpec(complaints, field(template, 'spec'), `${path}.spec`);
  if (list(field(field(template, 'spec'), 'ephemeralContainers')).length > 0) {
    complaints.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template');
  }
}
