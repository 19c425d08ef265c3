/**
 * Validation of pod specs: of pods themselves and of the templates of workloads. The order of complaints is Kubernetes'
 * own.
 */
import { SliceMeter } from '../../../platform/slices.js';
import type { Work } from '../../../platform/work.js';
import { dns1123Label, dns1123Subdomain, ipAddress, underscoredSubdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsWork, type Complaints } from '../lib/complaints.js';
import { containersOf } from '../lib/containers.js';
import { validateLabels } from '../lib/label-validation.js';
import {
  absent,
  at,
  field,
  isRec,
  keysOf,
  list,
  num,
  optionalNum,
  recs,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';
import {
  validateEphemeralContainer,
  validateHostPorts,
  validateImageForm,
  validateInitContainer,
  validateRegularContainer,
  type ContainerContext,
} from './validate-container.js';
import { validateResources } from './validate-resources.js';
import {
  validateAffinity,
  validateGates,
  validateSpreadConstraints,
  validateTolerations,
} from './validate-scheduling.js';
import { validatePodSecurity } from './validate-security.js';
import { validateTemplateMetadata } from './validate-template.js';
import { validateVolumes } from './validate-volumes.js';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const ACTIVE_DEADLINE_MAX = 2_147_483_647;
const NAMESERVERS_MAX = 3;
const SEARCH_DOMAINS_MAX = 32;
const SEARCH_CHARS_MAX = 2048;
const HOSTNAME_MAX = 64;

/** What is checked of a pod and not of a template, whose pods get their names, and perhaps their images, later. */
interface PodSpecOptions {
  /** '' for a template. */
  readonly podName: string;
  readonly isPod: boolean;
}

const TEMPLATE: PodSpecOptions = { podName: '', isPod: false };

function* contextOf(complaints: Complaints, spec: Rec, path: string, options: PodSpecOptions): Work<ContainerContext> {
  return {
    volumes: yield* validateVolumes(complaints, spec, path, options.podName),
    claims: new Set(recs(spec['resourceClaims']).map((claim) => str(claim['name']))),
    gracePeriodSeconds: optionalNum(spec['terminationGracePeriodSeconds']),
    os: str(field(spec['os'], 'name')),
    hostUsers: spec['hostUsers'] !== false,
    restartPolicy: str(spec['restartPolicy']),
  };
}

function validateResourceClaims(complaints: Complaints, claims: unknown, path: string): void {
  const names = new Set<string>();
  for (const [index, claim] of recs(claims).entries()) {
    const here = `${path}[${index}]`;
    const name = str(claim['name']);
    if (name === '') complaints.required(`${here}.name`);
    else if (names.has(name)) complaints.duplicate(`${here}.name`, name);
    else complaints.form(`${here}.name`, name, dns1123Label);
    names.add(name);
    const sources = ['resourceClaimName', 'resourceClaimTemplateName'].filter((source) => !absent(claim[source]));
    // As Go's internal type is printed.
    const shown = {
      Name: name,
      ResourceClaimName: claim['resourceClaimName'] ?? null,
      ResourceClaimTemplateName: claim['resourceClaimTemplateName'] ?? null,
    };
    if (sources.length > 1)
      complaints.invalid(
        here,
        shown,
        'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified',
      );
    if (sources.length === 0)
      complaints.invalid(here, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    for (const source of sources) complaints.form(`${here}.${source}`, claim[source], dns1123Subdomain);
  }
}

/** Of one container, in units of Work. */
const CONTAINER_UNITS = 100;
const YIELD_UNITS = 2000;

function* validateContainers(complaints: Complaints, spec: Rec, path: string, options: PodSpecOptions): Work<void> {
  const context = yield* contextOf(complaints, spec, path, options);
  validateResourceClaims(complaints, spec['resourceClaims'], `${path}.resourceClaims`);
  const slots = [...containersOf(spec, path)];
  const ofRole = (role: string) => slots.filter((slot) => slot.role === role);
  const names = new Set<string>();
  const meter = new SliceMeter(YIELD_UNITS);
  if (ofRole('regular').length === 0) complaints.required(`${path}.containers`);
  for (const slot of ofRole('regular')) {
    validateRegularContainer(complaints, slot, context, names);
    if (meter.spend(CONTAINER_UNITS)) yield YIELD_UNITS;
  }
  validateHostPorts(complaints, ofRole('regular'), `${path}.containers`);
  for (const slot of ofRole('init')) {
    validateInitContainer(complaints, slot, context, names);
    if (meter.spend(CONTAINER_UNITS)) yield YIELD_UNITS;
  }
  const others = new Set(names);
  for (const slot of ofRole('ephemeral')) validateEphemeralContainer(complaints, slot, context, { all: names, others });
}

function validateDns(complaints: Complaints, spec: Rec, path: string): void {
  const config = spec['dnsConfig'];
  const servers = strs(field(config, 'nameservers'));
  if (spec['dnsPolicy'] === 'None') {
    if (!isRec(config)) return complaints.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
    if (servers.length === 0)
      return complaints.required(
        `${path}.nameservers`,
        'must provide at least one DNS nameserver when `dnsPolicy` is None',
      );
  }
  if (servers.length > NAMESERVERS_MAX)
    complaints.invalid(`${path}.nameservers`, servers, `must not have more than ${NAMESERVERS_MAX} nameservers`);
  for (const [index, server] of servers.entries()) complaints.form(`${path}.nameservers[${index}]`, server, ipAddress);
  const searches = strs(field(config, 'searches'));
  if (searches.length > SEARCH_DOMAINS_MAX)
    complaints.invalid(`${path}.searches`, searches, `must not have more than ${SEARCH_DOMAINS_MAX} search paths`);
  if (searches.join(' ').length > SEARCH_CHARS_MAX) {
    complaints.invalid(
      `${path}.searches`,
      searches,
      `must not have more than ${SEARCH_CHARS_MAX} characters (including spaces) in the search list`,
    );
  }
  for (const [index, search] of searches.entries()) {
    if (search !== '.') complaints.form(`${path}.searches[${index}]`, search.replace(/\.$/, ''), underscoredSubdomain);
  }
  for (const [index, option] of recs(field(config, 'options')).entries())
    if (unset(option['name'])) complaints.required(`${path}.options[${index}]`, 'must not be empty');
}

function validateHostNetwork(complaints: Complaints, spec: Rec, path: string, isPod: boolean): void {
  if (spec['hostNetwork'] !== true) return;
  for (const [at_, container] of recs(spec['containers']).entries()) {
    for (const [index, port] of recs(container['ports']).entries()) {
      const hostPort = num(port['hostPort']);
      if ((isPod || hostPort !== 0) && hostPort !== num(port['containerPort'])) {
        complaints.invalid(
          `${path}.containers[${at_}].ports[${index}].hostPort`,
          hostPort,
          'must match `containerPort` when `hostNetwork` is true',
        );
      }
    }
  }
}

function validateHostUsers(complaints: Complaints, spec: Rec, path: string): void {
  if (spec['hostUsers'] !== false) return;
  if (spec['hostNetwork'] === true) complaints.forbidden(`${path}.hostNetwork`, 'when `hostUsers` is false');
  if (spec['hostPID'] === true) complaints.forbidden(`${path}.HostPID`, 'when `hostUsers` is false');
  if (spec['hostIPC'] === true) complaints.forbidden(`${path}.HostIPC`, 'when `hostUsers` is false');
  for (const slot of containersOf(spec, path)) {
    if (list(slot.container['volumeDevices']).length > 0)
      complaints.forbidden(`${slot.path}.volumeDevices`, 'when `hostUsers` is false');
  }
}

function validateNames(complaints: Complaints, spec: Rec, path: string): void {
  const override = spec['hostnameOverride'];
  if (!absent(override)) {
    const here = `${path}.hostnameOverride`;
    if (spec['setHostnameAsFQDN'] === true)
      complaints.forbidden(here, 'may not be specified when setHostnameAsFQDN is true');
    if (spec['hostNetwork'] === true) complaints.forbidden(here, 'may not be specified when hostNetwork is true');
    if (str(override).length > HOSTNAME_MAX) complaints.tooLong(here, HOSTNAME_MAX);
    complaints.form(here, override, dns1123Subdomain);
  }
  for (const name of ['serviceAccountName', 'nodeName'])
    if (!unset(spec[name])) complaints.form(`${path}.${name}`, spec[name], dns1123Subdomain);
  const deadline = optionalNum(spec['activeDeadlineSeconds']);
  if (deadline !== undefined && (deadline < 1 || deadline > ACTIVE_DEADLINE_MAX)) {
    complaints.invalid(
      `${path}.activeDeadlineSeconds`,
      deadline,
      `must be between 1 and ${ACTIVE_DEADLINE_MAX}, inclusive`,
    );
  }
  for (const name of ['hostname', 'subdomain'])
    if (!unset(spec[name])) complaints.form(`${path}.${name}`, spec[name], dns1123Label);
}

function validateHostAliases(complaints: Complaints, aliases: unknown, path: string): void {
  for (const [index, alias] of recs(aliases).entries()) {
    complaints.form(`${path}[${index}].ip`, str(alias['ip']), ipAddress);
    for (const [j, name] of strs(alias['hostnames']).entries())
      complaints.form(`${path}[${index}].hostnames[${j}]`, name, dns1123Subdomain);
  }
}

const OPERATING_SYSTEMS = ['linux', 'windows'];

function validateOs(complaints: Complaints, spec: Rec, path: string): void {
  const os = spec['os'];
  if (!isRec(os)) return;
  const name = str(os['name']);
  if (name === '') complaints.required(`${path}.os.name`);
  else if (!OPERATING_SYSTEMS.includes(name)) complaints.unsupported(`${path}.os`, name, OPERATING_SYSTEMS);
  else if (name === 'linux') {
    if (!absent(at(spec, 'securityContext', 'windowsOptions')))
      complaints.forbidden(`${path}.securityContext.windowsOptions`, 'windows options cannot be set for a linux pod');
    for (const { container, path: here } of containersOf(spec, path)) {
      if (!absent(at(container, 'securityContext', 'windowsOptions')))
        complaints.forbidden(`${here}.securityContext.windowsOptions`, 'windows options cannot be set for a linux pod');
    }
  }
}

function validatePodResources(complaints: Complaints, spec: Rec, path: string): void {
  const resources = spec['resources'];
  if (!isRec(resources)) return;
  if (!absent(resources['claims']))
    complaints.forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level');
  validateResources(complaints, resources, path, { level: 'pod' });
}

/** A pod spec at `path`. */
function* validatePodSpec(
  complaints: Complaints,
  value: unknown,
  path: string,
  options: PodSpecOptions = TEMPLATE,
): Work<void> {
  const spec = isRec(value) ? value : {};
  if (absent(spec['terminationGracePeriodSeconds'])) complaints.required(`${path}.terminationGracePeriodSeconds`);
  yield* validateContainers(complaints, spec, path, options);
  validatePodResources(complaints, spec, `${path}.resources`);
  validateHostNetwork(complaints, spec, path, options.isPod);
  complaints.oneOf(`${path}.restartPolicy`, spec['restartPolicy'], RESTART_POLICIES, true);
  complaints.oneOf(`${path}.dnsPolicy`, spec['dnsPolicy'], DNS_POLICIES, true);
  validateLabels(complaints, spec['nodeSelector'], `${path}.nodeSelector`);
  validatePodSecurity(complaints, spec, `${path}.securityContext`);
  validateAffinity(complaints, spec['affinity'], `${path}.affinity`);
  validateDns(complaints, spec, `${path}.dnsConfig`);
  validateGates(complaints, spec, path);
  validateSpreadConstraints(complaints, spec['topologySpreadConstraints'], `${path}.topologySpreadConstraints`);
  validateHostUsers(complaints, spec, path);
  validateNames(complaints, spec, path);
  validateTolerations(complaints, spec['tolerations'], `${path}.tolerations`);
  validateHostAliases(complaints, spec['hostAliases'], `${path}.hostAliases`);
  if (!unset(spec['priorityClassName']))
    complaints.form(`${path}.priorityClassName`, spec['priorityClassName'], dns1123Subdomain);
  if (!absent(spec['runtimeClassName']))
    complaints.form(`${path}.runtimeClassName`, spec['runtimeClassName'], dns1123Subdomain);
  if (!absent(spec['preemptionPolicy']))
    complaints.oneOf(`${path}.preemptionPolicy`, spec['preemptionPolicy'], ['PreemptLowerPriority', 'Never'], true);
  if (keysOf(spec['overhead']).length > 0)
    validateResources(complaints, { limits: spec['overhead'] }, `${path}.overhead`);
  validateOs(complaints, spec, path);
  validateFileVolumes(complaints, spec, path);
}

/** Files that variables are read from lie in volumes that live as long as the pod. */
function validateFileVolumes(complaints: Complaints, spec: Rec, path: string): void {
  const volumes = new Map(recs(spec['volumes']).map((volume) => [str(volume['name']), volume]));
  for (const { container, path: here } of containersOf(spec, path)) {
    for (const [index, variable] of recs(container['env']).entries()) {
      const reference = field(variable['valueFrom'], 'fileKeyRef');
      if (!isRec(reference)) continue;
      const name = str(reference['volumeName']);
      const volume = volumes.get(name);
      const where = `${here}.env[${index}].valueFrom.fileKeyRef.volumeName`;
      if (volume === undefined) complaints.notFound(where, name);
      else if (absent(volume['emptyDir']))
        complaints.invalid(where, name, 'referenced volume must be of type emptyDir');
    }
  }
}

/** Pods may not come with ephemeral containers, nor bound and gated at once. */
export function validatePod(pod: unknown): Work<FieldError[]> {
  return complaintsWork(function* (complaints) {
    const spec = field(pod, 'spec');
    yield* validatePodSpec(complaints, spec, 'spec', {
      podName: str(field(field(pod, 'metadata'), 'name')),
      isPod: true,
    });
    for (const { role, container, path } of containersOf(spec)) {
      if (role !== 'ephemeral') validateImageForm(complaints, str(container['image']), `${path}.image`);
    }
    if (!unset(field(spec, 'nodeName')) && list(field(spec, 'schedulingGates')).length > 0) {
      complaints.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
    }
  });
}

export function* validatePodTemplate(complaints: Complaints, template: unknown, path: string): Work<void> {
  const spec = field(template, 'spec');
  validateTemplateMetadata(complaints, field(template, 'metadata'), path);
  yield* validatePodSpec(complaints, spec, `${path}.spec`);
  if (list(field(spec, 'ephemeralContainers')).length > 0)
    complaints.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template');
}
