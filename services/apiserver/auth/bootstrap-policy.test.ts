import { beforeEach, describe, expect, it } from 'vitest';
import {
  clusterRoleBindings,
  clusterRoles,
  namespaces,
  roleBindings,
  roles,
} from '../../../apimachinery/gen/resources.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { startRegistry } from '../registry/testing.js';
import { MapReader } from '../testing-reader.js';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
  type ClusterRoleBinding,
} from './bootstrap-policy.js';
import { ensureBootstrapPolicy } from './ensure-policy.js';
import { RbacAuthorizer } from './rbac-authorizer.js';
import { rulesOf } from './rule-lines.js';

const nameOf = ({ metadata }: KubeObject) => metadata?.name ?? '';
const byUser = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });

/** kube-apiserver v1.36.0's controllers: `kubectl get clusterroles -o name | grep system:controller`. */
const CONTROLLERS = [
  'attachdetach-controller',
  'certificate-controller',
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'daemon-set-controller',
  'deployment-controller',
  'disruption-controller',
  'endpoint-controller',
  'endpointslice-controller',
  'endpointslicemirroring-controller',
  'ephemeral-volume-controller',
  'expand-controller',
  'generic-garbage-collector',
  'horizontal-pod-autoscaler',
  'job-controller',
  'legacy-service-account-token-cleaner',
  'namespace-controller',
  'node-controller',
  'persistent-volume-binder',
  'pod-garbage-collector',
  'pv-protection-controller',
  'pvc-protection-controller',
  'replicaset-controller',
  'replication-controller',
  'resource-claim-controller',
  'resourcequota-controller',
  'root-ca-cert-publisher',
  'route-controller',
  'selinux-warning-controller',
  'service-account-controller',
  'service-cidrs-controller',
  'service-controller',
  'statefulset-controller',
  'ttl-after-finished-controller',
  'ttl-controller',
  'validatingadmissionpolicy-status-controller',
  'volumeattributesclass-protection-controller',
];

let rbac: RbacAuthorizer;
beforeEach(() => {
  const reader = new MapReader();
  for (const role of bootstrapClusterRoles()) reader.put('clusterroles', role);
  for (const binding of bootstrapClusterRoleBindings()) reader.put('clusterrolebindings', binding);
  for (const role of bootstrapRoles()) reader.put('roles', role);
  for (const binding of bootstrapRoleBindings()) reader.put('rolebindings', binding);
  rbac = new RbacAuthorizer(reader);
});

/** `verb group/resource[/sub]` in a namespace; the core group is `core`. */
async function may(user: UserInfo, what: string, namespace = 'kube-system', name = ''): Promise<boolean> {
  const [verb = '', path = ''] = what.split(' ');
  if (path.startsWith('/')) return (await rbac.authorize({ kind: 'nonResource', user, verb, path })).allowed;
  const [group = '', resource = '', subresource = ''] = path.split('/');
  return (
    await rbac.authorize({
      kind: 'resource',
      user,
      verb,
      group: group === 'core' ? '' : group,
      version: 'v1',
      resource,
      subresource,
      namespace,
      name,
    })
  ).allowed;
}

describe('the roles and bindings that Kubernetes v1.36 starts with', () => {
  it('are there, each with its rules', () => {
    const names = bootstrapClusterRoles().map(nameOf);
    expect([names.length, new Set(names).size]).toEqual([71, 71]);
    expect(names).toEqual(expect.arrayContaining(CONTROLLERS.map((name) => `system:controller:${name}`)));
    expect(names).toEqual(
      expect.arrayContaining([
        'admin',
        'edit',
        'view',
        'cluster-admin',
        'system:kubelet-api-admin',
        'system:kube-aggregator',
        'system:node-problem-detector',
        'system:persistent-volume-provisioner',
        ...[
          'certificatesigningrequests:nodeclient',
          'certificatesigningrequests:selfnodeclient',
          'kube-apiserver-client-approver',
          'kube-apiserver-client-kubelet-approver',
          'kubelet-serving-approver',
          'legacy-unknown-approver',
        ].map((name) => `system:certificates.k8s.io:${name}`),
      ]),
    );
    for (const role of bootstrapClusterRoles())
      expect([nameOf(role), (role.rules ?? []).length > 0]).toEqual([nameOf(role), true]);
    expect(bootstrapRoles().map(({ metadata }) => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`)).toHaveLength(
      7,
    );
    for (const { roleRef } of bootstrapClusterRoleBindings()) expect(names).toContain(roleRef.name);
  });

  it.each<[UserInfo, string, boolean]>([
    [byUser('system:serviceaccount:kube-system:deployment-controller'), 'update apps/deployments/status', true],
    [byUser('system:serviceaccount:kube-system:deployment-controller'), 'delete core/secrets', false],
    [byUser('system:serviceaccount:default:deployment-controller'), 'update apps/deployments/status', false],
    [
      byUser('system:serviceaccount:kube-system:disruption-controller'),
      'update policy/poddisruptionbudgets/status',
      true,
    ],
    [byUser('system:serviceaccount:kube-system:generic-garbage-collector'), 'delete example.org/things', true],
    [byUser('system:serviceaccount:kube-system:job-controller'), 'create events.k8s.io/events', true],
    [byUser('system:kube-controller-manager'), 'update coordination.k8s.io/leases', true],
    [byUser('system:kube-controller-manager'), 'list example.org/things', true],
    [byUser('system:kube-scheduler'), 'update coordination.k8s.io/leases', true],
    [byUser('system:kube-scheduler'), 'create core/pods/binding', true],
    [byUser('system:kube-scheduler'), 'delete core/nodes', false],
    [byUser('system:serviceaccount:default:any', 'system:serviceaccounts'), 'get /openid/v1/jwks', true],
    [byUser('somebody'), 'get /openid/v1/jwks', false],
    [byUser('somebody'), 'create authorization.k8s.io/selfsubjectaccessreviews', true],
    // The worker's own role: what its proxy, DNS and overlay read. Not a kubelet's rights, which nobody has here.
    [byUser('system:node:w1', 'system:nodes'), 'watch discovery.k8s.io/endpointslices', true],
    [byUser('system:node:w1', 'system:nodes'), 'create core/events', true],
    [byUser('system:node:w1', 'system:nodes'), 'get core/secrets', false],
    [byUser('system:node:w1', 'system:nodes'), 'list core/pods', false],
    [byUser('system:node:w1', 'system:nodes'), 'patch core/nodes', false],
  ])('%o may %s: %s', async (user, what, allowed) => {
    expect(await may(user, what)).toBe(allowed);
  });

  it('locks, and the information on authentication, are those of kube-system alone', async () => {
    const manager = byUser('system:kube-controller-manager');
    expect([
      await may(manager, 'get core/configmaps', 'kube-system', 'extension-apiserver-authentication'),
      await may(byUser('system:kube-scheduler'), 'get coordination.k8s.io/leasecandidates'),
      await may(
        byUser('system:kube-scheduler'),
        'get core/configmaps',
        'default',
        'extension-apiserver-authentication',
      ),
    ]).toEqual([true, true, false]);
  });
});

it('view, edit and admin hold each what the one before holds, say what aggregates to them, and view shows no Secret', () => {
  const roleOf = (name: string) => bootstrapClusterRoles().find((role) => nameOf(role) === name);
  const [view, edit, admin] = ['view', 'edit', 'admin'].map((name) => roleOf(name)?.rules ?? []);
  expect([edit?.slice(0, view?.length), admin?.slice(0, edit?.length)]).toEqual([view, edit]);
  expect(
    ['view', 'edit', 'admin'].map((name) => roleOf(name)?.aggregationRule?.clusterRoleSelectors[0]?.matchLabels),
  ).toEqual(['view', 'edit', 'admin'].map((name) => ({ [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' })));
  expect(
    [roleOf('view'), roleOf('edit'), roleOf('system:aggregate-to-view')].map((role) =>
      Object.keys(role?.metadata?.labels ?? {}).filter((label) => label.includes('aggregate')),
    ),
  ).toEqual(['edit', 'admin', 'view'].map((name) => [`rbac.authorization.k8s.io/aggregate-to-${name}`]));
  expect(view?.some((rule) => rule.resources?.includes('secrets') === true)).toBe(false);
  expect(
    view?.some(
      (rule) => rule.apiGroups?.includes('events.k8s.io') === true && rule.resources?.includes('events') === true,
    ),
  ).toBe(true);
});

it('rules are read from lines', () => {
  expect(
    rulesOf([
      'get,list core,apps pods,deployments/scale',
      'update core configmaps a,b',
      'get /healthz,/livez/*',
      '* * *',
      '* *',
    ]),
  ).toEqual([
    { verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['pods', 'deployments/scale'] },
    { verbs: ['update'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['a', 'b'] },
    { verbs: ['get'], nonResourceURLs: ['/healthz', '/livez/*'] },
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]);
});

describe('at every start', () => {
  it('what is missing is written, and workers lose the role that was theirs before it grew', async () => {
    await using test = await startRegistry({});
    const { service } = test;
    for (const name of ['kube-system', 'kube-public'])
      await service.create({ resource: namespaces, object: { metadata: { name } } });
    const old: ClusterRoleBinding = {
      metadata: { name: 'system:node' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node' },
      subjects: [
        { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:nodes' },
        { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'mine' },
      ],
    };
    await service.create({ resource: clusterRoleBindings, object: old });
    await ensureBootstrapPolicy(service);
    await ensureBootstrapPolicy(service);
    const counts = await Promise.all(
      [clusterRoles, clusterRoleBindings, roles, roleBindings].map(
        async (resource) => (await service.list({ resource })).items.length,
      ),
    );
    expect(counts).toEqual([71, 52, 7, 7]);
    expect(
      (
        (await service.get({ resource: clusterRoleBindings, name: 'system:node' })).object as ClusterRoleBinding
      ).subjects?.map(({ name }) => name),
    ).toEqual(['mine']);
    expect(
      (
        await service.get({
          resource: roleBindings,
          namespace: 'kube-system',
          name: 'system::extension-apiserver-authentication-reader',
        })
      ).object,
    ).toMatchObject({ roleRef: { kind: 'Role', name: 'extension-apiserver-authentication-reader' } });
  });
});
