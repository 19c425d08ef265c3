/** Validation of containers: names, images, ports, and what the files beside this one check. */
import { dns1123Label, portName } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { isRestartableInit, type ContainerSlot } from '../lib/containers.js';
import { absent, field, isRec, list, num, recs, str, unset, type Rec } from '../lib/value.js';
import { validateEnv } from './validate-env.js';
import { validateMounts, type Volumes } from './validate-mounts.js';
import { PROBES, validateLifecycle, validateProbe, type PodFacts } from './validate-probes.js';
import { validateResources } from './validate-resources.js';
import { validateContainerSecurity } from './validate-security.js';

/** What the checks of one container must know of its pod. */
export interface ContainerContext extends PodFacts {
  readonly volumes: Volumes;
  /** Names in the pod's `resourceClaims`. */
  readonly claims: ReadonlySet<string>;
  readonly hostUsers: boolean;
  readonly restartPolicy: string;
}

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
export const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const RESTART_POLICIES = ['Always', 'Never', 'OnFailure'];
const RESTART_RULES_MAX = 20;
const EXIT_CODES_MAX = 255;

function validateContainerPorts(complaints: Complaints, ports: unknown, path: string): void {
  const names = new Set<string>();
  for (const [index, port] of recs(ports).entries()) {
    const here = `${path}[${index}]`;
    const name = str(port['name']);
    if (name !== '') {
      const complaintsOfName = portName(name);
      for (const why of complaintsOfName) complaints.invalid(`${here}.name`, name, why);
      if (complaintsOfName.length === 0 && names.has(name)) complaints.duplicate(`${here}.name`, name);
      if (complaintsOfName.length === 0) names.add(name);
    }
    if (num(port['containerPort']) === 0) complaints.required(`${here}.containerPort`);
    else complaints.port(`${here}.containerPort`, port['containerPort']);
    if (num(port['hostPort']) !== 0) complaints.port(`${here}.hostPort`, port['hostPort']);
    complaints.oneOf(`${here}.protocol`, port['protocol'], PROTOCOLS, true);
  }
}

function validateResizePolicy(complaints: Complaints, policies: unknown, path: string, podRestartPolicy: string): void {
  const seen = new Set<string>();
  for (const [index, policy] of recs(policies).entries()) {
    const resource = str(policy['resourceName']);
    const restart = str(policy['restartPolicy']);
    if (seen.has(resource)) complaints.duplicate(`${path}[${index}]`, resource);
    seen.add(resource);
    complaints.oneOf(path, resource, ['cpu', 'memory'], true);
    complaints.oneOf(path, restart, ['NotRequired', 'RestartContainer'], true);
    if (podRestartPolicy === 'Never' && restart !== 'NotRequired')
      complaints.invalid(path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
  }
}

const RESTART_ACTIONS = ['Restart', 'RestartAllContainers'];

/** KEP-5307: a container's own restart policy, with rules by exit code. */
function validateRestartPolicy(complaints: Complaints, container: Rec, path: string): void {
  const policy = container['restartPolicy'];
  const rules = recs(container['restartPolicyRules']);
  if (absent(policy) && rules.length > 0)
    complaints.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used');
  complaints.enumerated(`${path}.restartPolicy`, policy, RESTART_POLICIES);
  if (rules.length > RESTART_RULES_MAX)
    complaints.tooMany(`${path}.restartPolicyRules`, rules.length, RESTART_RULES_MAX);
  for (const [index, rule] of rules.entries()) {
    const here = `${path}.restartPolicyRules[${index}]`;
    if (!RESTART_ACTIONS.includes(str(rule['action'])))
      complaints.unsupported(`${here}.action`, rule['action'] ?? '', RESTART_ACTIONS);
    const codes = rule['exitCodes'];
    if (!isRec(codes)) {
      complaints.required(`${here}.exitCodes`, 'must be specified');
      continue;
    }
    if (!['In', 'NotIn'].includes(str(codes['operator'])))
      complaints.unsupported(`${here}.exitCodes.operator`, codes['operator'] ?? '', ['In', 'NotIn']);
    const count = list(codes['values']).length;
    if (count > EXIT_CODES_MAX) complaints.tooMany(`${here}.exitCodes.values`, count, EXIT_CODES_MAX);
  }
}

/** What containers of every role have in common. */
function validateCommon(complaints: Complaints, { container, path }: ContainerSlot, context: ContainerContext): void {
  complaints.requiredForm(`${path}.name`, container['name'], dns1123Label);
  if (unset(container['image'])) complaints.required(`${path}.image`);
  complaints.oneOf(
    `${path}.terminationMessagePolicy`,
    container['terminationMessagePolicy'],
    ['File', 'FallbackToLogsOnError'],
    true,
  );
  validateContainerPorts(complaints, container['ports'], `${path}.ports`);
  validateEnv(complaints, container, path);
  validateMounts(complaints, container, path, context.volumes);
  complaints.oneOf(`${path}.imagePullPolicy`, container['imagePullPolicy'], PULL_POLICIES, true);
  validateResources(complaints, container['resources'], `${path}.resources`, {
    level: 'container',
    claims: context.claims,
  });
  validateResizePolicy(complaints, container['resizePolicy'], `${path}.resizePolicy`, context.restartPolicy);
  validateContainerSecurity(complaints, container['securityContext'], `${path}.securityContext`, context.hostUsers);
}

function validateLife(complaints: Complaints, { container, path }: ContainerSlot, context: ContainerContext): void {
  validateLifecycle(complaints, container['lifecycle'], `${path}.lifecycle`, context);
  for (const name of PROBES) validateProbe(complaints, container[name], `${path}.${name}`, { ...context, name });
}

/** A pod, unlike a template, is run as it is. */
export function validateImageForm(complaints: Complaints, image: string, path: string): void {
  if (image.trim() !== image) complaints.invalid(path, image, 'must not have leading or trailing whitespace');
}

export function validateRegularContainer(
  complaints: Complaints,
  slot: ContainerSlot,
  context: ContainerContext,
  names: Set<string>,
): void {
  validateCommon(complaints, slot, context);
  const name = str(slot.container['name']);
  if (names.has(name)) complaints.duplicate(`${slot.path}.name`, name);
  names.add(name);
  validateLife(complaints, slot, context);
  validateRestartPolicy(complaints, slot.container, slot.path);
}

export function validateInitContainer(
  complaints: Complaints,
  slot: ContainerSlot,
  context: ContainerContext,
  names: Set<string>,
): void {
  const { container, path } = slot;
  validateCommon(complaints, slot, context);
  const restarts = isRestartableInit(container);
  if (!absent(container['restartPolicy'])) validateRestartPolicy(complaints, container, path);
  else if (list(container['restartPolicyRules']).length > 0)
    complaints.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used');
  const name = str(container['name']);
  if (names.has(name)) complaints.duplicate(`${path}.name`, name);
  else if (name !== '') names.add(name);
  validateHostPorts(complaints, [slot], path.slice(0, path.lastIndexOf('[')));
  if (restarts) return validateLife(complaints, slot, context);
  for (const field_ of ['lifecycle', ...PROBES]) {
    if (!absent(container[field_]))
      complaints.forbidden(`${path}.${field_}`, 'may not be set for init containers without restartPolicy=Always');
  }
  for (const [index, policy] of recs(container['resizePolicy']).entries()) {
    if (policy['restartPolicy'] === 'RestartContainer') {
      complaints.invalid(
        `${path}.resizePolicy[${index}].restartPolicy`,
        'RestartContainer',
        "must not be set to 'RestartContainer' for non-sidecar initContainers",
      );
    }
  }
}

/** Two containers of one pod cannot listen on the same port of the node. */
export function validateHostPorts(complaints: Complaints, slots: readonly ContainerSlot[], path: string): void {
  const taken = new Set<string>();
  for (const [at, slot] of slots.entries()) {
    for (const [index, port] of recs(slot.container['ports']).entries()) {
      if (num(port['hostPort']) === 0) continue;
      const key = `${str(port['protocol'])}/${str(port['hostIP'])}/${num(port['hostPort'])}`;
      if (taken.has(key)) complaints.duplicate(`${path}[${at}].ports[${index}].hostPort`, key);
      taken.add(key);
    }
  }
}

/** An ephemeral container may carry nothing that the pod would come to depend on. */
const EPHEMERAL_FORBIDDEN = [
  'ports',
  'lifecycle',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
];

const isEmpty = (value: unknown): boolean =>
  absent(value) || (Array.isArray(value) && value.length === 0) || (isRec(value) && Object.keys(value).length === 0);

export function validateEphemeralContainer(
  complaints: Complaints,
  slot: ContainerSlot,
  context: ContainerContext,
  names: { readonly all: Set<string>; readonly others: ReadonlySet<string> },
): void {
  const { container, path } = slot;
  validateCommon(complaints, slot, context);
  validateImageForm(complaints, str(container['image']), `${path}.image`);
  const name = str(container['name']);
  if (names.all.has(name)) complaints.duplicate(`${path}.name`, name);
  names.all.add(name);
  const target = str(container['targetContainerName']);
  if (target !== '' && !names.others.has(target)) complaints.notFound(`${path}.targetContainerName`, target);
  for (const field_ of EPHEMERAL_FORBIDDEN)
    if (!isEmpty(container[field_]))
      complaints.forbidden(`${path}.${field_}`, 'cannot be set for an Ephemeral Container');
  for (const [index, mount] of recs(field(container, 'volumeMounts')).entries()) {
    for (const sub of ['subPath', 'subPathExpr'])
      if (!unset(mount[sub]))
        complaints.forbidden(`${path}.volumeMounts[${index}].${sub}`, 'cannot be set for an Ephemeral Container');
  }
}
