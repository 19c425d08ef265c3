/**
 * The objects a cluster starts with: roles, namespaces, priority classes, flow schemas, APIServices, the Services
 * `kubernetes` and `kube-dns`. Written by every member at every start; what is there stays as it is.
 */
import { configMaps, namespaces, priorityClasses, services } from '../../../apimachinery/gen/resources.js';
import type { ConfigMap, Namespace, PriorityClass, Service } from '../../../apimachinery/gen/types.js';
import type { ObjectService } from '../../../apimachinery/object-service.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import { toTime } from '../../../platform/clock.js';
import type { StartPart, StartProgress } from '../../apiserver/rest/start-checks.js';
import { SYSTEM_PRIORITY_CLASSES } from '../../apiserver/admission/pod-defaults.js';
import { ensureBootstrapPolicy } from '../../apiserver/auth/ensure-policy.js';
import { ensureApiServices } from './api-services.js';
import { createUnlessThere } from './create-unless-there.js';
import { ensureFlowPolicy } from './flow-policy.js';
import { apiServiceAddress, dnsServiceAddress, type ClusterNetwork } from '../network.js';
import { ensureAddresses, ensureServiceCidr } from './service-addresses.js';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

function apiService(network: ClusterNetwork, apiPort: number): Service {
  return {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: apiServiceAddress(network),
      sessionAffinity: 'None',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiPort }],
    },
  };
}

/** No selector and no endpoints: the DNS server of each node answers on this address itself. */
function dnsService(network: ClusterNetwork): Service {
  return {
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: dnsServiceAddress(network),
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    },
  };
}

function systemClass(name: string, value: number): PriorityClass {
  const place =
    name === 'system-node-critical' ? 'and that must stay on their node' : 'and that may move to another node';
  return { metadata: { name }, value, description: `For pods that the cluster cannot do without, ${place}.` };
}

const KUBE_SYSTEM = 'kube-system';

/** By which servers of extensions verify client certificates. Written anew when the authority has changed. */
async function ensureAuthenticationInfo(service: ObjectService, clientAuthority: string): Promise<void> {
  const wanted: ConfigMap = {
    metadata: { name: 'extension-apiserver-authentication', namespace: KUBE_SYSTEM },
    data: { 'client-ca-file': clientAuthority },
  };
  await createUnlessThere(service, configMaps, wanted);
  const target = { resource: configMaps, namespace: KUBE_SYSTEM, name: wanted.metadata?.name ?? '' };
  const stored = (await service.get(target)).object as ConfigMap;
  if (stored.data?.['client-ca-file'] === clientAuthority) return;
  const object: ConfigMap = { ...stored, data: { ...stored.data, ...wanted.data } };
  await service.update({ ...target, object }).catch((error: unknown) => {
    if (!isApiError(error, 'Conflict')) throw error;
  });
}

/** Since when the use of tokens in Secrets is noted (KEP-2799). */
function tokenTracking(clock: Clock): ConfigMap {
  return {
    metadata: { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: KUBE_SYSTEM },
    data: { since: toTime(clock.now()).slice(0, 10) },
  };
}

export interface BootstrapOptions {
  readonly network: ClusterNetwork;
  readonly apiPort: number;
  /** PEM. */
  readonly clientAuthority: string;
  readonly clock: Clock;
  readonly progress: StartProgress;
  /** Groups and versions that are built in. */
  readonly served: readonly { readonly group: string; readonly version: string }[];
}

/** Fails with an ApiError when the store is not writable; safe on all members at once. */
export async function bootstrapCluster(service: ObjectService, options: BootstrapOptions): Promise<void> {
  const { network, apiPort, clientAuthority, clock, served, progress } = options;
  const steps: readonly (readonly [StartPart, () => Promise<unknown>])[] = [
    [
      'namespaces',
      () => inTurn(NAMESPACES, (name) => createUnlessThere<Namespace>(service, namespaces, { metadata: { name } })),
    ],
    ['roles', () => ensureBootstrapPolicy(service)],
    [
      'priority-classes',
      () =>
        inTurn(Object.entries(SYSTEM_PRIORITY_CLASSES), ([name, value]) =>
          createUnlessThere(service, priorityClasses, systemClass(name, value)),
        ),
    ],
    ['authentication', () => ensureAuthenticationInfo(service, clientAuthority)],
    ['token-tracking', () => createUnlessThere(service, configMaps, tokenTracking(clock))],
    ['service-cidr', () => ensureServiceCidr(service, network.serviceCidr, clock)],
    [
      'kubernetes-service',
      () =>
        inTurn([apiService(network, apiPort), dnsService(network)], (one) => createUnlessThere(service, services, one)),
    ],
    ['addresses', () => ensureAddresses(service)],
  ];
  const done = async (part: StartPart, step: () => Promise<unknown>): Promise<void> => {
    await step();
    progress.done(part);
  };
  await inTurn(steps, ([part, step]) => done(part, step));
  await Promise.all([
    done('flow-policy', () => ensureFlowPolicy(service, clock)),
    done('api-services', () => ensureApiServices(service, served, clock)),
  ]);
}

async function inTurn<T>(items: readonly T[], step: (item: T) => Promise<unknown>): Promise<void> {
  for (const item of items) await step(item);
}
