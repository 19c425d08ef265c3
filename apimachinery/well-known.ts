/**
 * Labels and taints by which rooms that do not know each other agree (k8s.io/api/*: well_known_labels.go,
 * well_known_taints.go).
 */

/** By which an EndpointSlice names its Service (KEP-0752). */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Who writes an EndpointSlice; others leave it alone. */
export const SLICE_MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by';

/** A node's name among its labels. */
export const HOSTNAME_LABEL = 'kubernetes.io/hostname';
export const OS_LABEL = 'kubernetes.io/os';
/** The keys under which a worker holds its node's name (docs/ports-and-trust.md). */
export const WORKER_KEYS_ANNOTATION = 'navarch.dev/worker-keys';
/** A Node's condition once a part of its worker failed and was contained. True: within the last minutes. */
export const FAULTS_CONDITION = 'ContainedFaults';

/** Of a node that says itself that it is not ready. */
export const NOT_READY_TAINT = 'node.kubernetes.io/not-ready';
/** Of a node that says nothing any more. */
export const UNREACHABLE_TAINT = 'node.kubernetes.io/unreachable';
/** Of a node that was cordoned. */
export const UNSCHEDULABLE_TAINT = 'node.kubernetes.io/unschedulable';

/** Finalizers of claims, volumes and their attributes' classes that may be in use (StorageObjectInUseProtection). */
export const PVC_PROTECTION = 'kubernetes.io/pvc-protection';
export const PV_PROTECTION = 'kubernetes.io/pv-protection';
export const VAC_PROTECTION = 'kubernetes.io/vac-protection';

/** Users that components of the control plane are. */
export const COMPONENT_USERS = {
  apiserver: 'system:apiserver',
  controllers: 'system:kube-controller-manager',
} as const;
/** Accounts of kube-system whose controllers say where a Service's endpoints are. */
export const ENDPOINT_ACCOUNTS = [
  'endpoint-controller',
  'endpointslice-controller',
  'endpointslicemirroring-controller',
] as const;
