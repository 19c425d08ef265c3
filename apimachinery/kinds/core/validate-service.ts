/** Validation of Services (k8s.io/kubernetes/pkg/apis/core/validation). The order of complaints is Kubernetes' own. */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { addressForm, cidrForm, endpointAddress } from '../lib/addresses.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabels } from '../lib/label-validation.js';
import { absent, at, field, isRec, list, num, recs, str, strs, unset, type Rec } from '../lib/value.js';
import { validateLoadBalancerHost } from '../networking/validate-ingress.js';
import { validatePortRef } from '../pod/validate-probes.js';
import { validateClusterIPs, validateClusterIPsUpdate } from './validate-cluster-ips.js';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const AFFINITY_SECONDS_MAX = 86_400;
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const isHeadless = (spec: unknown): boolean =>
  list(field(spec, 'clusterIPs')).length === 1 && list(field(spec, 'clusterIPs'))[0] === 'None';

/** Traffic may come from outside the cluster. */
export const reachedFromOutside = (spec: Rec): boolean =>
  spec['type'] === 'LoadBalancer' ||
  spec['type'] === 'NodePort' ||
  (spec['type'] === 'ClusterIP' && list(spec['externalIPs']).length > 0);

const needsHealthCheck = (spec: unknown): boolean =>
  field(spec, 'type') === 'LoadBalancer' && field(spec, 'externalTrafficPolicy') === 'Local';

function validateType(complaints: Complaints, spec: Rec): void {
  const type = spec['type'];
  if (list(spec['ports']).length === 0 && !isHeadless(spec) && type !== 'ExternalName')
    complaints.required('spec.ports');
  if (type === 'LoadBalancer' || type === 'NodePort') {
    if (isHeadless(spec))
      complaints.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`);
  } else if (type === 'ExternalName') {
    for (const name of ['clusterIPs', 'ipFamilies'])
      if (list(spec[name]).length > 0) complaints.forbidden(`spec.${name}`, 'may not be set for ExternalName services');
    if (!absent(spec['ipFamilyPolicy']))
      complaints.forbidden('spec.ipFamilyPolicy', 'may not be set for ExternalName services');
    complaints.requiredForm('spec.externalName', str(spec['externalName']).replace(/\.$/, ''), dns1123Subdomain);
  }
}

function validatePort(
  complaints: Complaints,
  port: Rec,
  path: string,
  names: { readonly needed: boolean; readonly seen: Set<string> },
): void {
  const name = str(port['name']);
  if (name === '') {
    if (names.needed) complaints.required(`${path}.name`);
  } else {
    complaints.form(`${path}.name`, name, dns1123Label);
    if (names.seen.has(name)) complaints.duplicate(`${path}.name`, name);
    names.seen.add(name);
  }
  complaints.port(`${path}.port`, port['port'] ?? 0);
  complaints.oneOf(`${path}.protocol`, port['protocol'], PROTOCOLS, true);
  validatePortRef(complaints, port['targetPort'], `${path}.targetPort`);
  if (!absent(port['appProtocol'])) complaints.form(`${path}.appProtocol`, port['appProtocol'], qualifiedName);
}

function validateAffinity(complaints: Complaints, spec: Rec): void {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  const path = 'spec.sessionAffinityConfig';
  complaints.oneOf('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None'], true);
  if (sessionAffinity === 'None' && !absent(sessionAffinityConfig))
    complaints.forbidden(path, 'must not be set when session affinity is None');
  if (sessionAffinity !== 'ClientIP') return;
  if (absent(sessionAffinityConfig)) return complaints.required(path, 'when session affinity type is ClientIP');
  const clientIP = field(sessionAffinityConfig, 'clientIP');
  if (absent(clientIP)) return complaints.required(`${path}.clientIP`, 'when session affinity type is ClientIP');
  const seconds = field(clientIP, 'timeoutSeconds');
  if (absent(seconds))
    return complaints.required(`${path}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP');
  if (num(seconds) <= 0 || num(seconds) > AFFINITY_SECONDS_MAX) {
    complaints.invalid(
      `${path}.clientIP.timeoutSeconds`,
      seconds,
      `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`,
    );
  }
}

function validateExternalIPs(complaints: Complaints, spec: Rec, old: unknown): void {
  const known = new Set(strs(field(old, 'externalIPs')));
  const form = addressForm(known);
  for (const [index, ip] of strs(spec['externalIPs']).entries()) {
    const spelled = form(ip);
    const wrong = spelled.length > 0 ? spelled : endpointAddress(ip);
    if (wrong.length > 0) complaints.form(`spec.externalIPs[${index}]`, ip, () => wrong);
  }
}

/** Kubernetes shows its internal type, with all its fields. */
const shownPort = ({ protocol, port }: Rec): Rec => ({
  Name: '',
  Protocol: protocol,
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
});

function validatePortNumbers(complaints: Complaints, spec: Rec): void {
  const ports = recs(spec['ports']);
  const nodePorts = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, { nodePort }] of ports.entries()) {
    if (spec['type'] === 'ClusterIP' && num(nodePort) !== 0)
      complaints.forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'");
  }
  for (const [index, port] of ports.entries()) {
    if (num(port['nodePort']) === 0) continue;
    const key = `${str(port['protocol'])}/${num(port['nodePort'])}`;
    if (nodePorts.has(key)) complaints.duplicate(`spec.ports[${index}].nodePort`, port['nodePort']);
    nodePorts.add(key);
  }
  for (const [index, port] of ports.entries()) {
    const key = `${str(port['protocol'])}/${num(port['port'])}`;
    if (numbers.has(key)) complaints.duplicate(`spec.ports[${index}]`, shownPort(port));
    numbers.add(key);
  }
}

function validateSourceRanges(complaints: Complaints, service: Rec, spec: Rec, old: unknown): void {
  const only = "may only be used when `type` is 'LoadBalancer'";
  const ranges = strs(spec['loadBalancerSourceRanges']);
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges';
    if (spec['type'] !== 'LoadBalancer') complaints.forbidden(path, only);
    const known = new Set(strs(at(old, 'spec', 'loadBalancerSourceRanges')).map((range) => range.trim()));
    const form = cidrForm(known);
    for (const [index, range] of ranges.entries())
      if (form(range.trim()).length > 0) complaints.form(`${path}[${index}]`, range.trim(), form);
    return;
  }
  const annotation = at(service, 'metadata', 'annotations', SOURCE_RANGES);
  if (typeof annotation !== 'string') return;
  const path = `metadata.annotations[${SOURCE_RANGES}]`;
  if (spec['type'] !== 'LoadBalancer') complaints.forbidden(path, only);
  if (annotation.trim() === '' || annotation === at(old, 'metadata', 'annotations', SOURCE_RANGES)) return;
  for (const range of annotation.trim().split(',')) complaints.form(path, range.trim(), cidrForm());
}

function validateLoadBalancerClass(complaints: Complaints, spec: Rec): void {
  const path = 'spec.loadBalancerClass';
  if (absent(spec['loadBalancerClass'])) return;
  if (spec['type'] === 'LoadBalancer') complaints.form(path, spec['loadBalancerClass'], qualifiedName);
  else complaints.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
}

function validateLoadBalancer(complaints: Complaints, spec: Rec): void {
  const isBalancer = spec['type'] === 'LoadBalancer';
  const allocate = spec['allocateLoadBalancerNodePorts'];
  if (!isBalancer && !absent(allocate))
    complaints.forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'");
  if (isBalancer && absent(allocate)) complaints.required('allocateLoadBalancerNodePorts');
  validateLoadBalancerClass(complaints, spec);
}

function validateTraffic(complaints: Complaints, spec: Rec): void {
  const external = spec['externalTrafficPolicy'];
  if (reachedFromOutside(spec)) complaints.oneOf('spec.externalTrafficPolicy', external, POLICIES, true);
  else if (!unset(external))
    complaints.invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services');
  const check = spec['healthCheckNodePort'];
  if (needsHealthCheck(spec)) {
    if (num(check) === 0) complaints.required('spec.healthCheckNodePort');
    else complaints.port('spec.healthCheckNodePort', check);
  } else if (num(check) !== 0) {
    complaints.invalid(
      'spec.healthCheckNodePort',
      check,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
  }
  const internal = spec['internalTrafficPolicy'];
  if (absent(internal) && ['NodePort', 'LoadBalancer', 'ClusterIP'].includes(str(spec['type'])))
    complaints.required('spec.internalTrafficPolicy');
  complaints.enumerated('spec.internalTrafficPolicy', internal, POLICIES);
  complaints.enumerated('spec.trafficDistribution', spec['trafficDistribution'], DISTRIBUTIONS);
}

function validateSpec(complaints: Complaints, service: Rec, spec: Rec, old: unknown): void {
  const annotations = at(service, 'metadata', 'annotations');
  const [mode, hints] = [field(annotations, TOPOLOGY_MODE), field(annotations, TOPOLOGY_HINTS)];
  if (mode !== undefined && hints !== undefined && mode !== hints) {
    complaints.invalid(
      `metadata.annotations[${TOPOLOGY_MODE}]`,
      mode,
      `must match annotations[${TOPOLOGY_HINTS}] when both are specified`,
    );
  }
  validateType(complaints, spec);
  const ports = recs(spec['ports']);
  const names = { needed: ports.length > 1, seen: new Set<string>() };
  for (const [index, port] of ports.entries()) validatePort(complaints, port, `spec.ports[${index}]`, names);
  validateLabels(complaints, spec['selector'], 'spec.selector');
  validateAffinity(complaints, spec);
  validateClusterIPs(complaints, spec, field(old, 'spec'));
  validateExternalIPs(complaints, spec, field(old, 'spec'));
  complaints.oneOf('spec.type', spec['type'], TYPES, true);
  validatePortNumbers(complaints, spec);
  validateSourceRanges(complaints, service, spec, old);
  validateLoadBalancer(complaints, spec);
  validateTraffic(complaints, spec);
}

function validateChanges(complaints: Complaints, spec: Rec, before: Rec): void {
  validateClusterIPsUpdate(complaints, spec, before);
  const wasBalancer = before['type'] === 'LoadBalancer';
  if (
    wasBalancer &&
    spec['type'] === 'LoadBalancer' &&
    (spec['loadBalancerClass'] ?? null) !== (before['loadBalancerClass'] ?? null)
  ) {
    complaints.invalid('spec.loadBalancerClass', spec['loadBalancerClass'], 'may not change once set');
  }
  validateLoadBalancerClass(complaints, spec);
  if (
    needsHealthCheck(before) &&
    needsHealthCheck(spec) &&
    num(spec['healthCheckNodePort']) !== num(before['healthCheckNodePort'])
  ) {
    complaints.forbidden('spec.healthCheckNodePort', 'field is immutable');
  }
}

const INGRESS = 'status.loadBalancer.ingress';

function validateStatus(complaints: Complaints, service: Rec, old: unknown): void {
  const ingresses = recs(at(service, 'status', 'loadBalancer', 'ingress'));
  if (at(service, 'spec', 'type') !== 'LoadBalancer' && ingresses.length > 0)
    return complaints.forbidden(INGRESS, "may only be used when `spec.type` is 'LoadBalancer'");
  const known = new Set(recs(at(old, 'status', 'loadBalancer', 'ingress')).map(({ ip }) => str(ip)));
  for (const [index, { ip, ipMode, hostname }] of ingresses.entries()) {
    const path = `${INGRESS}[${index}]`;
    if (!unset(ip)) complaints.form(`${path}.ip`, ip, addressForm(known));
    if (absent(ipMode)) {
      if (!unset(ip)) complaints.required(`${path}.ipMode`, 'must be specified when `ip` is set');
    } else if (unset(ip)) {
      complaints.forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set');
    } else {
      complaints.enumerated(`${path}.ipMode`, ipMode, ['Proxy', 'VIP']);
    }
    validateLoadBalancerHost(complaints, hostname, `${path}.hostname`);
  }
}

export function validateService(service: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old;
    if (context?.subresource === 'status') return validateStatus(complaints, service, old);
    const spec = isRec(service['spec']) ? service['spec'] : {};
    const before = field(old, 'spec');
    if (isRec(before)) validateChanges(complaints, spec, before);
    validateSpec(complaints, service, spec, old);
  });
}
