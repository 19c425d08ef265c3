/**
 * The roles and bindings every cluster starts with: Kubernetes' default ones, all of them, and those of Navarch's own
 * components. Written at start-up where missing; rules that were taken away are put back unless the object carries
 * `rbac.authorization.kubernetes.io/autoupdate: "false"`.
 */
import type { KubeObject } from '../../../apimachinery/object.js';
import { BOOTSTRAP_ROLES } from './bootstrap-roles.js';
import { CONTROLLER_ROLES } from './controller-roles.js';
import type { PolicyRule, Subject } from './policy-rule.js';
import { rulesOf, type RuleLines } from './rule-lines.js';

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

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const KUBE_SYSTEM = 'kube-system';
const API_VERSION = `${RBAC_GROUP}/v1`;

/**
 * What kube-proxy, DNS and overlay of a worker read, and nothing else: pods, Secrets and ConfigMaps come by its
 * session.
 */
const WORKER_ROLE = 'navarch:node';
const WORKER_RULES = [
  'get,list,watch core nodes,services,endpoints,namespaces',
  'get,list,watch discovery.k8s.io endpointslices',
  'create,patch,update core,events.k8s.io events',
  'create certificates.k8s.io certificatesigningrequests',
];

/** Of a controller that is part of kube-apiserver itself with Kubernetes. */
const CRD_REGISTRATION_ROLE = 'navarch:crd-registration-controller';
const CRD_REGISTRATION_RULES = [
  'get,list,watch apiextensions.k8s.io customresourcedefinitions',
  'create,delete,get,list,update,watch apiregistration.k8s.io apiservices',
  'update apiregistration.k8s.io apiservices/status',
];

/** The roles that people are given, and the labels by which others add to them. */
const USER_ROLES = ['view', 'edit', 'admin'] as const;
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

const metadataOf = (name: string, labels: Record<string, string> = {}) => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});

const clusterRole = (name: string, rules: readonly PolicyRule[], labels?: Record<string, string>): ClusterRole => ({
  apiVersion: API_VERSION,
  kind: 'ClusterRole',
  metadata: metadataOf(name, labels),
  rules: [...rules],
});

function namedRoles(lines: RuleLines): ClusterRole[] {
  return Object.entries(lines).map(([name, rules]) => {
    const target = /^system:aggregate-to-(.+)$/.exec(name)?.[1];
    return clusterRole(name, rulesOf(rules), target === undefined ? {} : { [`${AGGREGATE}${target}`]: 'true' });
  });
}

/**
 * Each holds what the one before it holds. They are written whole, so that rights do not wait for the controller that
 * aggregates.
 */
function userRoles(): ClusterRole[] {
  const rules: PolicyRule[] = [];
  return USER_ROLES.map((name, i) => {
    rules.push(...rulesOf(BOOTSTRAP_ROLES[`system:aggregate-to-${name}`] ?? []));
    const next = USER_ROLES[i + 1];
    return {
      ...clusterRole(name, rules, next === undefined ? {} : { [`${AGGREGATE}${next}`]: 'true' }),
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE}${name}`]: 'true' } }] },
    };
  });
}

export function bootstrapClusterRoles(): ClusterRole[] {
  const own = { [WORKER_ROLE]: WORKER_RULES, [CRD_REGISTRATION_ROLE]: CRD_REGISTRATION_RULES };
  return [...namedRoles(BOOTSTRAP_ROLES), ...namedRoles(CONTROLLER_ROLES), ...userRoles(), ...namedRoles(own)];
}

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC_GROUP, name });
const user = (name: string): Subject => ({ kind: 'User', apiGroup: RBAC_GROUP, name });
const account = (name: string): Subject => ({ kind: 'ServiceAccount', namespace: KUBE_SYSTEM, name });

/**
 * By the name of the role, which is the binding's too. `system:node` is bound to nobody: a kubelet's rights are the
 * node authorizer's to give.
 */
const BINDINGS: Readonly<Record<string, readonly Subject[]>> = {
  'cluster-admin': [group('system:masters')],
  'system:monitoring': [group('system:monitoring')],
  'system:discovery': [group('system:authenticated')],
  'system:basic-user': [group('system:authenticated')],
  'system:public-info-viewer': [group('system:authenticated'), group('system:unauthenticated')],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-dns': [account('kube-dns')],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  'system:node': [],
  [WORKER_ROLE]: [group('system:nodes')],
  [CRD_REGISTRATION_ROLE]: [account('crd-registration-controller')],
  ...Object.fromEntries(
    Object.keys(CONTROLLER_ROLES).map((name) => [name, [account(name.slice('system:controller:'.length))]]),
  ),
};

export function bootstrapClusterRoleBindings(): ClusterRoleBinding[] {
  return Object.entries(BINDINGS).map(([name, subjects]) => ({
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: metadataOf(name),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
    ...(subjects.length === 0 ? {} : { subjects: [...subjects] }),
  }));
}

/**
 * What versions before bound and must be taken back before the roles grow: workers had `system:node`, which was theirs
 * alone.
 */
export const RETIRED_SUBJECTS: Readonly<Record<string, readonly Subject[]>> = {
  'system:node': [group('system:nodes')],
};

interface NamespacedRole {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly string[];
  readonly subjects: readonly Subject[];
  /** Of the binding; the role's when absent. */
  readonly binding?: string;
}

const LOCKS = [
  'create,get,list,update,watch coordination.k8s.io leases',
  'create,get,list,update,watch coordination.k8s.io leasecandidates',
];
const EVENTS = 'create,patch,update core,events.k8s.io events';

const NAMESPACED: readonly NamespacedRole[] = [
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    subjects: [account('bootstrap-signer')],
    rules: ['get,list,watch core configmaps', 'update core configmaps cluster-info', EVENTS],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'extension-apiserver-authentication-reader',
    binding: 'system::extension-apiserver-authentication-reader',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
    rules: ['get,list,watch core configmaps extension-apiserver-authentication'],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'system::leader-locking-kube-controller-manager',
    rules: LOCKS,
    subjects: [
      user('system:kube-controller-manager'),
      account('kube-controller-manager'),
      account('leader-election-controller'),
    ],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'system::leader-locking-kube-scheduler',
    rules: LOCKS,
    subjects: [user('system:kube-scheduler'), account('kube-scheduler')],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'system:controller:bootstrap-signer',
    rules: ['get,list,watch core secrets'],
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'system:controller:cloud-provider',
    rules: ['create,get,list,watch core configmaps'],
    subjects: [account('cloud-provider')],
  },
  {
    namespace: KUBE_SYSTEM,
    name: 'system:controller:token-cleaner',
    rules: ['delete,get,list,watch core secrets', EVENTS],
    subjects: [account('token-cleaner')],
  },
];

export function bootstrapRoles(): Role[] {
  return NAMESPACED.map(({ namespace, name, rules }) => ({
    apiVersion: API_VERSION,
    kind: 'Role',
    metadata: { ...metadataOf(name), namespace },
    rules: rulesOf(rules),
  }));
}

export function bootstrapRoleBindings(): RoleBinding[] {
  return NAMESPACED.map(({ namespace, name, binding = name, subjects }) => ({
    apiVersion: API_VERSION,
    kind: 'RoleBinding',
    metadata: { ...metadataOf(binding), namespace },
    roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name },
    subjects: [...subjects],
  }));
}
