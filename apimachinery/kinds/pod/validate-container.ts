/** Validation of containers: names, images, ports, environment, mounts, resources, probes, hooks. */
import { configMapKey, dns1123Label, envVarName, portName, qualifiedName } from '../../names.js';
import { compareQuantities, parseQuantity } from '../../quantity.js';
import { NOT_NEGATIVE, type Complaints } from '../lib/complaints.js';
import { isRestartableInit, type ContainerSlot } from '../lib/containers.js';
import { absent, entries, field, isRec, list, num, optionalNum, recs, str, unset, type Rec } from '../lib/value.js';

/** Names of the pod's volumes -> whether the volume is a block device claim; mounts and devices refer to them. */
export type VolumeNames = ReadonlySet<string>;

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const STANDARD_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage', 'pods']);
/** Extended resources and huge pages are whole and cannot be overcommitted. */
const isExact = (name: string): boolean => name.includes('/') || name.startsWith('hugepages-');
const NANO = 1_000_000_000n;

export function validatePortRef(complaints: Complaints, value: unknown, path: string): void {
  if (typeof value === 'string') complaints.form(path, value, portName);
  else complaints.port(path, value);
}

export function validateContainerPorts(complaints: Complaints, ports: unknown, path: string): void {
  const names = new Set<string>();
  for (const [index, port] of recs(ports).entries()) {
    const here = `${path}[${index}]`;
    const name = str(port['name']);
    if (name !== '') {
      const complaintCount = complaints.all.length;
      complaints.form(`${here}.name`, name, portName);
      if (complaints.all.length === complaintCount && names.has(name)) complaints.duplicate(`${here}.name`, name);
      names.add(name);
    }
    if (num(port['containerPort']) === 0) complaints.required(`${here}.containerPort`);
    else complaints.port(`${here}.containerPort`, port['containerPort']);
    if (num(port['hostPort']) !== 0) complaints.port(`${here}.hostPort`, port['hostPort']);
    complaints.oneOf(`${here}.protocol`, port['protocol'], PROTOCOLS, true);
  }
}

const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'];
const ENV_FIELDS = new Set([
  'metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP', 'status.podIP',
  'status.hostIPs', 'status.podIPs',
]);
const KEYED_FIELD = /^metadata\.(labels|annotations)\['(.+)'\]$/;

function validateEnvSource(complaints: Complaints, variable: Rec, path: string): void {
  const source = variable['valueFrom'];
  if (!isRec(source)) return;
  const given = ENV_SOURCES.filter((name) => !absent(field(source, name)));
  if (given.length === 0) complaints.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`');
  else if (!unset(variable['value'])) complaints.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (given.length > 1) complaints.invalid(path, '', 'may not have more than one field specified at a time');
  const reference = field(source, 'fieldRef');
  if (isRec(reference)) {
    const fieldPath = str(reference['fieldPath']);
    if (fieldPath === '') complaints.required(`${path}.fieldRef.fieldPath`);
    else if (!ENV_FIELDS.has(fieldPath) && !KEYED_FIELD.test(fieldPath)) {
      complaints.unsupported(`${path}.fieldRef.fieldPath`, fieldPath, [...ENV_FIELDS].sort());
    }
  }
  for (const name of ['configMapKeyRef', 'secretKeyRef']) {
    const keyRef = field(source, name);
    if (isRec(keyRef)) complaints.requiredForm(`${path}.${name}.key`, keyRef['key'], configMapKey);
  }
  const resource = field(source, 'resourceFieldRef');
  if (isRec(resource) && unset(resource['resource'])) complaints.required(`${path}.resourceFieldRef.resource`);
}

function validateEnv(complaints: Complaints, container: Rec, path: string): void {
  for (const [index, variable] of recs(container['env']).entries()) {
    const here = `${path}.env[${index}]`;
    complaints.requiredForm(`${here}.name`, variable['name'], envVarName);
    validateEnvSource(complaints, variable, `${here}.valueFrom`);
  }
  for (const [index, source] of recs(container['envFrom']).entries()) {
    const here = `${path}.envFrom[${index}]`;
    const given = ['configMapRef', 'secretRef'].filter((name) => !absent(source[name]));
    if (!unset(source['prefix'])) complaints.form(`${here}.prefix`, source['prefix'], envVarName);
    for (const name of given) if (unset(field(source[name], 'name'))) complaints.required(`${here}.${name}.name`);
    if (given.length === 0) complaints.invalid(here, '', 'must specify one of: `configMapRef` or `secretRef`');
    if (given.length > 1) complaints.invalid(here, '', 'may not have more than one field specified at a time');
  }
}

function validateMounts(complaints: Complaints, container: Rec, path: string, volumes: VolumeNames): void {
  const paths = new Set<string>();
  for (const [index, mount] of recs(container['volumeMounts']).entries()) {
    const here = `${path}.volumeMounts[${index}]`;
    const name = str(mount['name']);
    if (name === '') complaints.required(`${here}.name`);
    else if (!volumes.has(name)) complaints.notFound(`${here}.name`, name);
    const mountPath = str(mount['mountPath']);
    if (mountPath === '') complaints.required(`${here}.mountPath`);
    else if (paths.has(mountPath)) complaints.invalid(`${here}.mountPath`, mountPath, 'must be unique');
    paths.add(mountPath);
    for (const sub of ['subPath', 'subPathExpr']) if (!unset(mount[sub])) validateLocalPath(complaints, `${here}.${sub}`, str(mount[sub]));
    if (!unset(mount['subPath']) && !unset(mount['subPathExpr'])) complaints.invalid(`${here}.subPathExpr`, mount['subPathExpr'], 'subPathExpr and subPath are mutually exclusive');
    complaints.oneOf(`${here}.mountPropagation`, mount['mountPropagation'], ['Bidirectional', 'HostToContainer', 'None']);
  }
  for (const [index, device] of recs(container['volumeDevices']).entries()) {
    const here = `${path}.volumeDevices[${index}]`;
    const name = str(device['name']);
    if (name === '') complaints.required(`${here}.name`);
    else if (!volumes.has(name)) complaints.notFound(`${here}.name`, name);
    if (unset(device['devicePath'])) complaints.required(`${here}.devicePath`);
    else if (paths.has(str(device['devicePath']))) complaints.invalid(`${here}.devicePath`, device['devicePath'], 'must not already exist as a path in volumeMounts');
  }
}

/** A path inside a volume may not lead out of it. */
export function validateLocalPath(complaints: Complaints, path: string, value: string): void {
  if (value.startsWith('/')) complaints.invalid(path, value, 'must be a relative path');
  if (value.split('/').includes('..')) complaints.invalid(path, value, "must not contain '..'");
}

function validateResourceName(complaints: Complaints, name: string, path: string): void {
  for (const why of qualifiedName(name)) complaints.invalid(path, name, why);
  if (qualifiedName(name).length === 0 && !name.includes('/') && !STANDARD_RESOURCES.has(name) && !name.startsWith('hugepages-')) {
    complaints.invalid(path, name, 'must be a standard resource type or fully qualified');
  }
}

/** Limits and requests: names, signs, and that nothing is requested beyond its limit. */
export function validateResources(complaints: Complaints, resources: unknown, path: string): void {
  const limits = field(resources, 'limits');
  for (const side of ['limits', 'requests']) {
    for (const [name, quantity] of entries(field(resources, side))) {
      validateResourceName(complaints, name, `${path}.${side}`);
      complaints.quantity(`${path}.${side}[${name}]`, quantity);
      if (name.includes('/') && (parseQuantity(quantity)?.nano ?? 0n) % NANO !== 0n) {
        complaints.invalid(`${path}.${side}[${name}]`, quantity, 'must be an integer');
      }
    }
  }
  for (const [name, request] of entries(field(resources, 'requests'))) {
    const limit = field(limits, name);
    if (absent(limit)) {
      if (isExact(name)) complaints.required(`${path}.limits`, `Limit must be set for non overcommitable resources`);
    } else if (isExact(name) && compareQuantities(request, limit) !== 0) {
      complaints.invalid(`${path}.requests`, request, `must be equal to ${name} limit of ${String(limit as string)}`);
    } else if (compareQuantities(request, limit) > 0) {
      complaints.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${String(limit as string)}`);
    }
  }
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'];

function validateHandler(complaints: Complaints, handler: Rec, path: string): void {
  const given = HANDLERS.filter((name) => !absent(handler[name]));
  if (given.length === 0) complaints.required(path, 'must specify a handler type');
  for (const [index, name] of given.entries()) {
    if (index > 0) complaints.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type');
    const action = field(handler, name);
    if (name === 'exec' && list(field(action, 'command')).length === 0) complaints.required(`${path}.exec.command`);
    if (name === 'httpGet') {
      if (unset(field(action, 'path'))) complaints.required(`${path}.httpGet.path`);
      validatePortRef(complaints, field(action, 'port'), `${path}.httpGet.port`);
      complaints.oneOf(`${path}.httpGet.scheme`, field(action, 'scheme'), ['HTTP', 'HTTPS']);
    }
    if (name === 'tcpSocket') validatePortRef(complaints, field(action, 'port'), `${path}.tcpSocket.port`);
    if (name === 'grpc') complaints.port(`${path}.grpc.port`, field(action, 'port'));
    if (name === 'sleep') complaints.atLeast(`${path}.sleep.seconds`, field(action, 'seconds'));
  }
}

function validateProbe(complaints: Complaints, container: Rec, name: string, path: string): void {
  const probe = field(container, name);
  if (!isRec(probe)) return;
  validateHandler(complaints, probe, `${path}.${name}`);
  for (const number of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']) {
    const value = optionalNum(probe[number]);
    if (value !== undefined && value < 0) complaints.invalid(`${path}.${name}.${number}`, value, NOT_NEGATIVE);
  }
  const grace = optionalNum(probe['terminationGracePeriodSeconds']);
  if (grace !== undefined && grace <= 0) complaints.invalid(`${path}.${name}.terminationGracePeriodSeconds`, grace, 'must be greater than 0');
  if (name !== 'readinessProbe' && num(probe['successThreshold'], 1) !== 1) complaints.invalid(`${path}.${name}.successThreshold`, probe['successThreshold'], 'must be 1');
}

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

function forbidBehaviour(complaints: Complaints, slot: ContainerSlot): void {
  const { container, path, role } = slot;
  if (role === 'regular' || (role === 'init' && isRestartableInit(container))) return;
  const why = role === 'init' ? 'may not be set for init containers without restartPolicy=Always' : 'cannot be set for an Ephemeral Container';
  for (const name of ['lifecycle', ...PROBES]) if (!absent(container[name])) complaints.forbidden(`${path}.${name}`, why);
  if (role !== 'ephemeral') return;
  for (const name of ['ports', 'resources']) {
    const value = container[name];
    const empty = absent(value) || (Array.isArray(value) && value.length === 0) || (isRec(value) && Object.keys(value).length === 0);
    if (!empty) complaints.forbidden(`${path}.${name}`, why);
  }
}

function validateSecurity(complaints: Complaints, container: Rec, path: string): void {
  const security = field(container, 'securityContext');
  if (!isRec(security)) return;
  for (const name of ['runAsUser', 'runAsGroup']) {
    const id = optionalNum(security[name]);
    if (id !== undefined && (id < 0 || id > 2_147_483_647)) complaints.invalid(`${path}.securityContext.${name}`, id, 'must be between 0 and 2147483647, inclusive');
  }
  if (security['allowPrivilegeEscalation'] === false && security['privileged'] === true) {
    complaints.invalid(`${path}.securityContext`, security, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
  }
}

/** One container of any role. Its name's uniqueness is the pod's matter. */
export function validateContainer(complaints: Complaints, slot: ContainerSlot, volumes: VolumeNames): void {
  const { container, path, role } = slot;
  complaints.requiredForm(`${path}.name`, container['name'], dns1123Label);
  const image = str(container['image']);
  if (image === '') complaints.required(`${path}.image`);
  else if (image !== image.trim()) complaints.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace');
  complaints.oneOf(`${path}.imagePullPolicy`, container['imagePullPolicy'], ['Always', 'IfNotPresent', 'Never'], true);
  complaints.oneOf(`${path}.terminationMessagePolicy`, container['terminationMessagePolicy'], ['FallbackToLogsOnError', 'File']);
  if (role !== 'ephemeral') validateContainerPorts(complaints, container['ports'], `${path}.ports`);
  validateEnv(complaints, container, path);
  validateMounts(complaints, container, path, volumes);
  validateSecurity(complaints, container, path);
  forbidBehaviour(complaints, slot);
  if (role === 'ephemeral') return;
  validateResources(complaints, container['resources'], `${path}.resources`);
  for (const name of PROBES) validateProbe(complaints, container, name, path);
  const lifecycle = field(container, 'lifecycle');
  for (const hook of ['postStart', 'preStop']) {
    const handler = field(lifecycle, hook);
    if (isRec(handler)) validateHandler(complaints, handler, `${path}.lifecycle.${hook}`);
  }
}
