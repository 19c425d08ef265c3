/** Services: defaults, the consistency of cluster IPs, validation (pkg/apis/core, pkg/registry/core/service). */
import { dns1123Label, dns1123Subdomain, portName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabels } from '../lib/label-validation.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, field, fill, fillZero, isRec, list, num, optionalNum, recs, same, str, strs, unset, type Rec } from '../lib/value.js';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITY_SECONDS_DEFAULT = 10_800;
const AFFINITY_SECONDS_MAX = 86_400;

const hasNodePorts = (type: unknown): boolean => type === 'NodePort' || type === 'LoadBalancer';

function defaultService(service: Rec): void {
  const spec = child(service, 'spec');
  if (spec === undefined) return;
  fillZero(spec, 'sessionAffinity', 'None');
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  if (spec['sessionAffinity'] === 'ClientIP') {
    const clientIP = child(child(spec, 'sessionAffinityConfig') ?? {}, 'clientIP');
    if (clientIP !== undefined) fill(clientIP, 'timeoutSeconds', AFFINITY_SECONDS_DEFAULT);
  }
  fillZero(spec, 'type', 'ClusterIP');
  for (const port of children(spec, 'ports')) {
    fillZero(port, 'protocol', 'TCP');
    fillZero(port, 'targetPort', port['port']);
  }
  const type = spec['type'];
  if (hasNodePorts(type) || (type === 'ClusterIP' && list(spec['externalIPs']).length > 0)) fillZero(spec, 'externalTrafficPolicy', 'Cluster');
  if (type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster');
  if (type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true);
}

/** `clusterIP` is `clusterIPs[0]`: who sets one of them sets both (NormalizeClusterIPs). */
function normalizeClusterIPs(spec: Rec, before: unknown): void {
  const ip = str(spec['clusterIP']);
  const ips = strs(spec['clusterIPs']);
  if (before === undefined) {
    if (ip !== '' && ips.length === 0) spec['clusterIPs'] = [ip];
    return;
  }
  const oldIP = str(field(before, 'clusterIP'));
  const unchangedList = same(ips, strs(field(before, 'clusterIPs')));
  if (ip === oldIP) return;
  if (oldIP !== '' && ip === '' && unchangedList) delete spec['clusterIPs'];
  else if (ip !== '' && (unchangedList || ips.length === 0)) spec['clusterIPs'] = [ip];
}

function create(service: Rec): void {
  const spec = field(service, 'spec');
  service['status'] = { loadBalancer: {} };
  if (!isRec(spec)) return;
  normalizeClusterIPs(spec, undefined);
}

/** Fields that only one type has are dropped when the type changes and the client did not touch them. */
function dropTypeDependent(spec: Rec, before: Rec): void {
  if (spec['type'] === 'ExternalName' && before['type'] !== 'ExternalName') {
    for (const name of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy']) {
      if (same(spec[name], before[name])) delete spec[name];
    }
  }
  if (!hasNodePorts(spec['type']) && hasNodePorts(before['type'])) {
    const old = recs(before['ports']);
    for (const [index, port] of children(spec, 'ports').entries()) {
      if (num(port['nodePort']) !== 0 && port['nodePort'] === old[index]?.['nodePort']) delete port['nodePort'];
    }
    if (list(spec['externalIPs']).length === 0) delete spec['externalTrafficPolicy'];
  }
  if (spec['type'] !== 'LoadBalancer' && before['type'] === 'LoadBalancer') {
    for (const name of ['allocateLoadBalancerNodePorts', 'loadBalancerClass', 'healthCheckNodePort']) {
      if (same(spec[name], before[name])) delete spec[name];
    }
  }
}

/** What the allocator gave stays, when the client sends the object without it. */
function update(service: Rec, old: Rec): void {
  const spec = field(service, 'spec');
  const before = field(old, 'spec');
  if (!isRec(spec) || !isRec(before)) return;
  if (spec['type'] !== 'ExternalName' && before['type'] !== 'ExternalName') {
    if (unset(spec['clusterIP']) && list(spec['clusterIPs']).length === 0) {
      for (const name of ['clusterIP', 'clusterIPs']) if (!absent(before[name])) spec[name] = before[name];
    }
    for (const name of ['ipFamilies', 'ipFamilyPolicy']) if (absent(spec[name]) && !absent(before[name])) spec[name] = before[name];
    keepNodePorts(spec, before);
  }
  normalizeClusterIPs(spec, before);
  dropTypeDependent(spec, before);
}

function keepNodePorts(spec: Rec, before: Rec): void {
  if (!hasNodePorts(spec['type']) || !hasNodePorts(before['type'])) return;
  const key = (port: Rec): string => `${str(port['protocol'])}/${num(port['port'])}`;
  const old = new Map(recs(before['ports']).map((port) => [key(port), port['nodePort']]));
  const used = new Set(recs(spec['ports']).map((port) => port['nodePort']));
  for (const port of children(spec, 'ports')) {
    const nodePort = old.get(key(port));
    if (num(port['nodePort']) === 0 && nodePort !== undefined && !used.has(nodePort)) port['nodePort'] = nodePort;
  }
}

function validatePorts(complaints: Complaints, spec: unknown): void {
  const ports = recs(field(spec, 'ports'));
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    const name = str(port['name']);
    if (name === '' && ports.length > 1) complaints.required(`${path}.name`);
    if (name !== '') {
      complaints.form(`${path}.name`, name, dns1123Label);
      if (names.has(name)) complaints.duplicate(`${path}.name`, name);
      names.add(name);
    }
    complaints.port(`${path}.port`, port['port']);
    complaints.oneOf(`${path}.protocol`, port['protocol'], PROTOCOLS, true);
    if (typeof port['targetPort'] === 'string') complaints.form(`${path}.targetPort`, port['targetPort'], portName);
    else if (!absent(port['targetPort'])) complaints.port(`${path}.targetPort`, port['targetPort']);
    const nodePort = num(port['nodePort']);
    if (nodePort !== 0 && !hasNodePorts(field(spec, 'type'))) {
      complaints.forbidden(`${path}.nodePort`, `may not be used when \`type\` is '${str(field(spec, 'type'))}'`);
    } else if (nodePort !== 0) {
      const key = `${str(port['protocol'])}/${nodePort}`;
      if (nodePorts.has(key)) complaints.duplicate(`${path}.nodePort`, nodePort);
      nodePorts.add(key);
    }
    const key = `${str(port['protocol'])}/${num(port['port'])}`;
    if (numbers.has(key)) complaints.duplicate(path, { protocol: port['protocol'], port: port['port'] });
    numbers.add(key);
  }
}

const DIGITS = /^\d{1,3}$/;

/** A dotted IPv4 address or something with colons; the allocator parses it in full. */
function looksLikeIP(value: string): boolean {
  const parts = value.split('.');
  return parts.length === 4 ? parts.every((part) => DIGITS.test(part) && Number(part) <= 255) : /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(value);
}

const BAD_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

function validateAddresses(complaints: Complaints, spec: unknown): void {
  const clusterIPs = strs(field(spec, 'clusterIPs'));
  const headless = clusterIPs[0] === 'None';
  for (const [index, ip] of clusterIPs.entries()) {
    if (ip === 'None' && clusterIPs.length > 1) complaints.invalid(`spec.clusterIPs[${index}]`, ip, 'must be unset when a headless service is requested');
    else if (ip !== 'None' && !looksLikeIP(ip)) complaints.invalid(`spec.clusterIPs[${index}]`, ip, BAD_IP);
  }
  if (headless && hasNodePorts(field(spec, 'type'))) {
    complaints.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${str(field(spec, 'type'))} services`);
  }
  const first = field(spec, 'clusterIP');
  if (!unset(first) && clusterIPs.length > 0 && clusterIPs[0] !== first) complaints.invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`');
  for (const [index, ip] of strs(field(spec, 'externalIPs')).entries()) {
    if (!looksLikeIP(ip)) complaints.invalid(`spec.externalIPs[${index}]`, ip, BAD_IP);
    else if (/^(127\.|169\.254\.|0\.0\.0\.0$|::1$)/.test(ip)) complaints.invalid(`spec.externalIPs[${index}]`, ip, 'may not be in the loopback, link-local or unspecified range');
  }
}

function validateService(service: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(service, 'spec');
    if (!isRec(spec)) {
      complaints.required('spec');
      return;
    }
    const type = spec['type'];
    if (type === 'ExternalName') {
      if (unset(spec['externalName'])) complaints.required('spec.externalName');
      else complaints.form('spec.externalName', str(spec['externalName']).replace(/\.$/, ''), dns1123Subdomain);
      if (!unset(spec['clusterIP'])) complaints.forbidden('spec.clusterIPs[0]', 'may not be set for ExternalName services');
    } else if (list(spec['ports']).length === 0 && spec['clusterIP'] !== 'None') {
      complaints.required('spec.ports');
    }
    validatePorts(complaints, spec);
    validateLabels(complaints, spec['selector'], 'spec.selector');
    complaints.oneOf('spec.sessionAffinity', spec['sessionAffinity'], ['ClientIP', 'None'], true);
    const timeout = optionalNum(at(spec, 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds'));
    if (timeout !== undefined && (timeout <= 0 || timeout > AFFINITY_SECONDS_MAX)) {
      complaints.invalid('spec.sessionAffinityConfig.clientIP.timeoutSeconds', timeout, `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`);
    }
    validateAddresses(complaints, spec);
    complaints.oneOf('spec.type', type, TYPES, true);
    complaints.oneOf('spec.externalTrafficPolicy', spec['externalTrafficPolicy'], ['Cluster', 'Local']);
    complaints.oneOf('spec.internalTrafficPolicy', spec['internalTrafficPolicy'], ['Cluster', 'Local']);
    complaints.oneOf('spec.ipFamilyPolicy', spec['ipFamilyPolicy'], ['PreferDualStack', 'RequireDualStack', 'SingleStack']);
    for (const [index, family] of strs(spec['ipFamilies']).entries()) complaints.oneOf(`spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6']);
  });
}

/** A cluster IP, once given, stays until the Service becomes an ExternalName. */
function validateServiceUpdate(service: Rec, old: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(service, 'spec');
    const before = field(old, 'spec');
    if (field(spec, 'type') === 'ExternalName' || field(before, 'type') === 'ExternalName') return;
    const was = list(field(before, 'clusterIPs'))[0] ?? field(before, 'clusterIP');
    const now = list(field(spec, 'clusterIPs'))[0] ?? field(spec, 'clusterIP');
    if (!unset(was) && was !== now) {
      complaints.invalid('spec.clusterIPs[0]', field(spec, 'clusterIPs') ?? null, 'may not change once set');
    }
  });
}

export const serviceStrategy = strategyOf({
  status: true, defaults: defaultService, create, update, validate: validateService, validateUpdate: validateServiceUpdate,
});
