/** Services, endpoints, policies: what is ignored, old, or spelled in a way that not everybody reads alike. */
import { at, field, recs, str, strs, type Rec } from '../lib/value.js';
import {
  addressListWarnings,
  addressWarnings,
  cidrListWarnings,
  cidrWarnings,
  hasAnnotation,
  quoted,
} from './common.js';

const HINTS = 'service.kubernetes.io/topology-aware-hints';
const MODE = 'service.kubernetes.io/topology-mode';

export function serviceWarnings(service: Rec): string[] {
  const spec = field(service, 'spec');
  const [type, clusterIP, loadBalancerIP] = [
    str(field(spec, 'type')),
    str(field(spec, 'clusterIP')),
    str(field(spec, 'loadBalancerIP')),
  ];
  const external = strs(field(spec, 'externalIPs'));
  const headless = type === 'ClusterIP' && clusterIP === 'None';
  const isName = type === 'ExternalName';
  const when = (condition: boolean, text: string): string[] => (condition ? [text] : []);
  return [
    ...when(hasAnnotation(service, HINTS), `annotation ${HINTS} is deprecated, please use ${MODE} instead`),
    ...(clusterIP === '' || clusterIP === 'None'
      ? []
      : addressListWarnings(strs(field(spec, 'clusterIPs')), (index) => `spec.clusterIPs[${index}]`)),
    ...when(headless && loadBalancerIP !== '', 'spec.loadBalancerIP is ignored for headless services'),
    ...when(headless && external.length > 0, 'spec.externalIPs is ignored for headless services'),
    ...when(
      headless && str(field(spec, 'sessionAffinity')) !== 'None',
      'spec.SessionAffinity is ignored for headless services',
    ),
    ...addressListWarnings(external, (index) => `spec.externalIPs[${index}]`),
    ...when(
      external.length > 0 && !headless && !isName,
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
    ),
    ...(loadBalancerIP === '' ? [] : addressWarnings('spec.loadBalancerIP', loadBalancerIP)),
    ...cidrListWarnings(
      strs(field(spec, 'loadBalancerSourceRanges')).map((range) => range.trim()),
      (index) => `spec.loadBalancerSourceRanges[${index}]`,
    ),
    ...when(isName && external.length > 0, 'spec.externalIPs is ignored when spec.type is "ExternalName"'),
    ...when(
      !isName && str(field(spec, 'externalName')) !== '',
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ),
    ...when(
      field(spec, 'trafficDistribution') === 'PreferClose',
      `spec.trafficDistribution: ${quoted('PreferClose')} is deprecated; use ${quoted('PreferSameZone')}`,
    ),
  ];
}

export const ingressAddressWarnings = (object: Rec): string[] =>
  recs(at(object, 'status', 'loadBalancer', 'ingress')).flatMap((ingress, index) =>
    str(ingress['ip']) === '' ? [] : addressWarnings(`status.loadBalancer.ingress[${index}]`, str(ingress['ip'])),
  );

const CLASS = 'kubernetes.io/ingress.class';

export const ingressWarnings = (ingress: Rec): string[] =>
  hasAnnotation(ingress, CLASS) && at(ingress, 'spec', 'ingressClassName') === undefined
    ? [`annotation ${quoted(CLASS)} is deprecated, please use 'spec.ingressClassName' instead`]
    : [];

const managedBy = (object: Rec, label: string): string => str(at(object, 'metadata', 'labels', label));
const CONTROLLERS = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io']);

export function sliceWarnings(slice: Rec, old: Rec | undefined): string[] {
  const kind =
    old === undefined && slice['addressType'] === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  if (CONTROLLERS.has(managedBy(slice, 'endpointslice.kubernetes.io/managed-by'))) return kind;
  return [
    ...kind,
    ...recs(slice['endpoints']).flatMap((endpoint, index) =>
      addressListWarnings(strs(endpoint['addresses']), (at_) => `endpoints[${index}].addresses[${at_}]`),
    ),
  ];
}

export function endpointsWarnings(endpoints: Rec): string[] {
  if (managedBy(endpoints, 'endpoints.kubernetes.io/managed-by') === 'endpoint-controller') return [];
  return recs(endpoints['subsets']).flatMap((subset, index) =>
    ['addresses', 'notReadyAddresses'].flatMap((name) =>
      addressListWarnings(
        recs(subset[name]).map(({ ip }) => str(ip)),
        (at_) => `subsets[${index}].${name}[${at_}].ip`,
      ),
    ),
  );
}

export function policyWarnings(policy: Rec): string[] {
  const peers = (direction: string, side: string) =>
    recs(at(policy, 'spec', direction)).flatMap((rule, index) =>
      recs(rule[side]).flatMap((peer, at_) => {
        const block = field(peer, 'ipBlock');
        if (block === undefined) return [];
        const path = `spec.${direction}[${index}].${side}[${at_}].ipBlock`;
        return [
          ...cidrWarnings(`${path}.cidr`, str(field(block, 'cidr'))),
          ...cidrListWarnings(strs(field(block, 'except')), (place) => `${path}.except[${place}]`),
        ];
      }),
    );
  return [...peers('ingress', 'from'), ...peers('egress', 'to')];
}
