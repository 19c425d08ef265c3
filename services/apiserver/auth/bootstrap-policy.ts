/**
 * The roles and bindings every cluster starts with: names and rights of Kubernetes' default roles as far as Navarch has
 * the resources, plus the roles of Navarch's own workers. Written at start-up where missing; rules that were taken away are put
 * back unless the object carries `rbac.authorization.kubernetes.io/autoupdate: "false"`.
 */
import type { KubeObject } from '../../../apimachinery/object.js';
import type { PolicyRule, Subject } from './rbac-rules.js';

export interface ClusterRole extends KubeObject {
  rules?: PolicyRule[];
  aggregationRule?: { clusterRoleSelectors: { matchLabels: Record<string, string> }[] };
}

export interface ClusterRoleBinding extends KubeObject {
  roleRef: { apiGroup: string; kind: string; name: string };
  subjects?: Subject[];
}

export interface Role extends KubeObject {
  rules?: PolicyRule[];
}

export interface RoleBinding extends KubeObject {
  roleRef: { apiGroup: string; kind: string; name: string };
  subjects?: Subject[];
}

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const ALL = [...READ, ...WRITE];

const rule = (verbs: readonly string[], group: string | readonly string[], resources: readonly string[]): PolicyRule => ({
  verbs, apiGroups: typeof group === 'string' ? [group] : group, resources,
});

const RBAC_GROUP = 'rbac.authorization.k8s.io';

const CORE_READ = [
  'bindings', 'configmaps', 'endpoints', 'events', 'limitranges', 'namespaces', 'namespaces/status',
  'persistentvolumeclaims', 'persistentvolumeclaims/status', 'pods', 'pods/log', 'pods/status', 'replicationcontrollers',
  'replicationcontrollers/scale', 'replicationcontrollers/status', 'resourcequotas', 'resourcequotas/status',
  'serviceaccounts', 'services', 'services/status',
];
const CORE_EDIT = [
  'configmaps', 'events', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'replicationcontrollers/scale',
  'secrets', 'serviceaccounts', 'services',
];
const POD_CONNECT = ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy', 'secrets'];
const APPS = ['daemonsets', 'deployments', 'deployments/scale', 'replicasets', 'replicasets/scale', 'statefulsets', 'statefulsets/scale'];
const APPS_STATUS = ['controllerrevisions', 'daemonsets/status', 'deployments/status', 'replicasets/status', 'statefulsets/status'];

const VIEW_RULES: readonly PolicyRule[] = [
  rule(READ, '', CORE_READ),
  rule(READ, 'discovery.k8s.io', ['endpointslices']),
  rule(READ, 'apps', [...APPS, ...APPS_STATUS]),
  rule(READ, 'autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status']),
  rule(READ, 'batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status']),
  rule(READ, 'networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies']),
  rule(READ, 'policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status']),
  rule(READ, 'metrics.k8s.io', ['pods', 'nodes']),
];

const EDIT_RULES: readonly PolicyRule[] = [
  rule(READ, '', POD_CONNECT),
  rule(['impersonate'], '', ['serviceaccounts']),
  rule(WRITE, '', CORE_EDIT),
  rule(WRITE, '', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy']),
  rule(['create'], '', ['pods/eviction', 'serviceaccounts/token']),
  rule(WRITE, 'apps', [...APPS, 'deployments/rollback']),
  rule(WRITE, 'autoscaling', ['horizontalpodautoscalers']),
  rule(WRITE, 'batch', ['cronjobs', 'jobs']),
  rule(WRITE, 'networking.k8s.io', ['ingresses', 'networkpolicies']),
  rule(WRITE, 'policy', ['poddisruptionbudgets']),
  rule(ALL, 'coordination.k8s.io', ['leases']),
];

const ADMIN_RULES: readonly PolicyRule[] = [
  rule(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews']),
  rule(ALL, RBAC_GROUP, ['rolebindings', 'roles']),
];

const DISCOVERY_PATHS = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version', '/version/'];

/** What kube-proxy, DNS and overlay of a worker read, and nothing else: pods, Secrets and ConfigMaps come by its session. */
const WORKER_RULES: readonly PolicyRule[] = [
  rule(READ, '', ['nodes', 'services', 'endpoints', 'namespaces']),
  rule(READ, 'discovery.k8s.io', ['endpointslices']),
  rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], ['events']),
  rule(['create'], 'certificates.k8s.io', ['certificatesigningrequests']),
];

const SYSTEM_ROLES: Readonly<Record<string, readonly PolicyRule[]>> = {
  'cluster-admin': [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }],
  'system:discovery': [{ verbs: ['get'], nonResourceURLs: DISCOVERY_PATHS }],
  'system:public-info-viewer': [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] }],
  'system:monitoring': [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*'] }],
  'system:basic-user': [
    rule(['create'], 'authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews']),
    rule(['create'], 'authentication.k8s.io', ['selfsubjectreviews']),
  ],
  'system:auth-delegator': [
    rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
    rule(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
  ],
  'system:service-account-issuer-discovery': [
    { verbs: ['get'], nonResourceURLs: ['/.well-known/openid-configuration', '/.well-known/openid-configuration/', '/openid/v1/jwks', '/openid/v1/jwks/'] },
  ],
  'system:heapster': [
    rule(READ, '', ['events', 'namespaces', 'nodes', 'pods']),
    rule(READ, 'extensions', ['deployments']),
  ],
  'system:node-proxier': [
    rule(READ, '', ['endpoints', 'nodes', 'services']),
    rule(READ, 'discovery.k8s.io', ['endpointslices']),
    rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], ['events']),
  ],
  'system:kube-dns': [
    rule(READ, '', ['endpoints', 'services']),
    rule(READ, 'discovery.k8s.io', ['endpointslices']),
  ],
  'system:node': WORKER_RULES,
  'system:node-bootstrapper': [rule(['create', 'get', 'list', 'watch'], 'certificates.k8s.io', ['certificatesigningrequests'])],
  'system:kube-scheduler': [
    rule(READ, '', ['nodes', 'namespaces', 'pods', 'persistentvolumeclaims', 'persistentvolumes', 'replicationcontrollers', 'services']),
    rule(['delete'], '', ['pods']),
    rule(['create'], '', ['bindings', 'pods/binding']),
    rule(['patch', 'update'], '', ['pods/status']),
    rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], ['events']),
    rule(READ, 'apps', ['replicasets', 'statefulsets']),
    rule(READ, 'policy', ['poddisruptionbudgets']),
    rule(READ, 'storage.k8s.io', ['csidrivers', 'csinodes', 'csistoragecapacities', 'storageclasses']),
    rule(['create', 'get', 'list', 'watch', 'update'], 'coordination.k8s.io', ['leases']),
  ],
  'system:volume-scheduler': [
    rule([...READ, 'patch', 'update'], '', ['persistentvolumes', 'persistentvolumeclaims']),
    rule(READ, 'storage.k8s.io', ['storageclasses']),
  ],
  'system:kube-controller-manager': [
    rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], ['events']),
    rule(['create', 'get', 'update'], 'coordination.k8s.io', ['leases']),
    rule(['create', 'get'], '', ['secrets', 'serviceaccounts']),
    rule(['create'], '', ['serviceaccounts/token']),
    rule(['delete'], '', ['secrets']),
    rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
    rule(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
    rule(['list', 'watch'], '*', ['*']),
  ],
};

const metadataOf = (name: string, labels: Record<string, string> = {}) => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});

const API_VERSION = `${RBAC_GROUP}/v1`;

const clusterRole = (name: string, rules: readonly PolicyRule[], labels?: Record<string, string>): ClusterRole => ({
  apiVersion: API_VERSION, kind: 'ClusterRole', metadata: metadataOf(name, labels), rules: [...rules],
});

const aggregated = (name: string, rules: readonly PolicyRule[], label: string, labels?: Record<string, string>): ClusterRole => ({
  ...clusterRole(name, rules, labels),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`rbac.authorization.k8s.io/${label}`]: 'true' } }] },
});

export function bootstrapClusterRoles(): ClusterRole[] {
  const aggregateTo = (...to: string[]) => Object.fromEntries(to.map((t) => [`rbac.authorization.k8s.io/aggregate-to-${t}`, 'true']));
  return [
    ...Object.entries(SYSTEM_ROLES).map(([name, rules]) => clusterRole(name, rules)),
    clusterRole('system:aggregate-to-view', VIEW_RULES, aggregateTo('view')),
    clusterRole('system:aggregate-to-edit', EDIT_RULES, aggregateTo('edit')),
    clusterRole('system:aggregate-to-admin', ADMIN_RULES, aggregateTo('admin')),
    // The aggregation controller keeps these rules; they are written whole, so that rights do not wait for it.
    aggregated('view', VIEW_RULES, 'aggregate-to-view', aggregateTo('edit')),
    aggregated('edit', [...VIEW_RULES, ...EDIT_RULES], 'aggregate-to-edit', aggregateTo('admin')),
    aggregated('admin', [...VIEW_RULES, ...EDIT_RULES, ...ADMIN_RULES], 'aggregate-to-admin'),
  ];
}

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC_GROUP, name });
const user = (name: string): Subject => ({ kind: 'User', apiGroup: RBAC_GROUP, name });

const clusterRoleBinding = (name: string, role: string, subjects: Subject[]): ClusterRoleBinding => ({
  apiVersion: API_VERSION, kind: 'ClusterRoleBinding', metadata: metadataOf(name),
  roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: role }, subjects,
});

export function bootstrapClusterRoleBindings(): ClusterRoleBinding[] {
  return [
    clusterRoleBinding('cluster-admin', 'cluster-admin', [group('system:masters')]),
    clusterRoleBinding('system:monitoring', 'system:monitoring', [group('system:monitoring')]),
    clusterRoleBinding('system:discovery', 'system:discovery', [group('system:authenticated')]),
    clusterRoleBinding('system:basic-user', 'system:basic-user', [group('system:authenticated')]),
    clusterRoleBinding('system:public-info-viewer', 'system:public-info-viewer', [group('system:authenticated'), group('system:unauthenticated')]),
    clusterRoleBinding('system:service-account-issuer-discovery', 'system:service-account-issuer-discovery', [group('system:serviceaccounts')]),
    clusterRoleBinding('system:node-proxier', 'system:node-proxier', [user('system:kube-proxy')]),
    clusterRoleBinding('system:kube-scheduler', 'system:kube-scheduler', [user('system:kube-scheduler')]),
    clusterRoleBinding('system:volume-scheduler', 'system:volume-scheduler', [user('system:kube-scheduler')]),
    clusterRoleBinding('system:kube-controller-manager', 'system:kube-controller-manager', [user('system:kube-controller-manager')]),
    clusterRoleBinding('system:node', 'system:node', [group('system:nodes')]),
  ];
}
