/**
 * The objects a cluster starts with: roles, namespaces, priority classes, the Services `kubernetes` and `kube-dns`. Written by every
 * member at every start; what is there stays as it is.
 */
import { namespaces, priorityClasses, services } from '../../apimachinery/gen/resources.js';
import type { Namespace, PriorityClass, Service } from '../../apimachinery/gen/types.js';
import type { ObjectService } from '../../apimachinery/object-service.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import { isApiError } from '../../apimachinery/status.js';
import { SYSTEM_PRIORITY_CLASSES } from '../../services/apiserver/admission/pod-defaults.js';
import { ensureBootstrapPolicy } from '../../services/apiserver/auth/ensure-policy.js';
import { apiServiceAddress, dnsServiceAddress, type ClusterNetwork } from './network.js';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

async function createUnlessThere<T extends KubeObject>(service: ObjectService, resource: Resource<T>, object: T): Promise<void> {
  const { name = '', namespace } = object.metadata ?? {};
  const target = { resource, name, ...(namespace === undefined ? {} : { namespace }) };
  try {
    await service.get({ ...target, resourceVersion: '0' });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
    await service.create({ ...(namespace === undefined ? { resource } : { resource, namespace }), object }).catch((refused: unknown) => {
      // Another member was faster.
      if (!isApiError(refused, 'AlreadyExists') && !(isApiError(refused, 'Invalid') && refused.message.includes('already allocated'))) throw refused;
    });
  }
}

function apiService(network: ClusterNetwork, apiPort: number): Service {
  return {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP', clusterIP: apiServiceAddress(network), sessionAffinity: 'None',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiPort }],
    },
  };
}

/** No selector and no endpoints: the DNS server of each node answers on this address itself. */
function dnsService(network: ClusterNetwork): Service {
  return {
    metadata: {
      name: 'kube-dns', namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      type: 'ClusterIP', clusterIP: dnsServiceAddress(network),
      ports: [{ name: 'dns', port: 53, protocol: 'UDP' }, { name: 'dns-tcp', port: 53, protocol: 'TCP' }],
    },
  };
}

function systemClass(name: string, value: number): PriorityClass {
  return { metadata: { name }, value, description: 'Used for system critical pods that must run in the cluster.' };
}

/** Fails with an ApiError when the store is not writable; safe on all members at once. */
export async function bootstrapCluster(service: ObjectService, network: ClusterNetwork, apiPort: number): Promise<void> {
  for (const name of NAMESPACES) await createUnlessThere<Namespace>(service, namespaces, { metadata: { name } });
  await ensureBootstrapPolicy(service);
  for (const [name, value] of Object.entries(SYSTEM_PRIORITY_CLASSES)) {
    await createUnlessThere(service, priorityClasses, systemClass(name, value));
  }
  await createUnlessThere(service, services, apiService(network, apiPort));
  await createUnlessThere(service, services, dnsService(network));
}
