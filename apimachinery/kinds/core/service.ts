/** Services: defaults and the consistency of cluster IPs (pkg/apis/core, pkg/registry/core/service). */
import { strategyOf } from '../lib/strategy.js';
import {
  absent,
  at,
  child,
  children,
  field,
  fill,
  fillZero,
  isRec,
  list,
  num,
  put,
  recs,
  same,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';
import { reachedFromOutside, validateService } from './validate-service.js';

const AFFINITY_SECONDS_DEFAULT = 10_800;

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
  if (reachedFromOutside(spec)) fillZero(spec, 'externalTrafficPolicy', 'Cluster');
  if (type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster');
  if (type !== 'LoadBalancer') return;
  fill(spec, 'allocateLoadBalancerNodePorts', true);
  for (const ingress of children(at(service, 'status', 'loadBalancer'), 'ingress'))
    if (!unset(ingress['ip'])) fill(ingress, 'ipMode', 'VIP');
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
  }
  if (
    !reachedFromOutside(spec) &&
    reachedFromOutside(before) &&
    spec['externalTrafficPolicy'] === before['externalTrafficPolicy']
  )
    delete spec['externalTrafficPolicy'];
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
    if (unset(spec['clusterIP'])) put(spec, 'clusterIP', before['clusterIP']);
    if (list(spec['clusterIPs']).length === 0) put(spec, 'clusterIPs', before['clusterIPs']);
    for (const name of ['ipFamilies', 'ipFamilyPolicy'])
      if (absent(spec[name]) && !absent(before[name])) spec[name] = before[name];
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

export const serviceStrategy = strategyOf({
  allowCreateOnUpdate: true,
  returnsDeleted: true,
  status: true,
  defaults: defaultService,
  create,
  update,
  validatesAll: true,
  validate: validateService,
});
