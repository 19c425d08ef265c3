import { beforeEach, describe, expect, it } from 'vitest';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { systemClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from '../auth/bootstrap-policy.js';
import { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import { missingWork, showRights } from './missing-rights.js';
import type { AdmissionAttributes, AdmissionOperation } from '../ports.js';
import { MapReader } from '../testing-reader.js';
import { createAdmission, type AdmissionOptions } from './index.js';
import { TOKEN_MOUNT_PATH } from './service-account.js';

let reader: MapReader;

beforeEach(() => {
  reader = new MapReader();
  for (const role of bootstrapClusterRoles()) reader.put('clusterroles', role);
  for (const binding of bootstrapClusterRoleBindings()) reader.put('clusterrolebindings', binding);
  reader.put('namespaces', { metadata: { name: 'a' } });
  reader.put('namespaces', { metadata: { name: 'going', deletionTimestamp: '2026-01-01T00:00:00Z' } });
  reader.put('serviceaccounts', { metadata: { name: 'default', namespace: 'a' } });
});

const admission = (options?: AdmissionOptions) =>
  createAdmission(
    { reader, clock: systemClock, random: seededRandom(1) } as never,
    new RbacAuthorizer(reader),
    options,
  );

function attributes(
  operation: AdmissionOperation,
  kind: Partial<Kind>,
  object: unknown,
  more: Partial<AdmissionAttributes> = {},
): AdmissionAttributes {
  return {
    kind: { group: '', namespaced: true, ...kind } as Kind,
    objectKind: { group: '', version: 'v1', kind: '' },
    operation,
    name: 'x',
    object: object as KubeObject,
    oldObject: undefined,
    user: { name: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
    options: {},
    warn: () => undefined,
    ...more,
  };
}

const pod = (spec: object = {}) => ({
  metadata: { name: 'x', namespace: 'a' },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const createPod = (object: unknown) => attributes('CREATE', { resource: 'pods' }, object, { namespace: 'a' });

describe('admission', () => {
  it('gives a pod its account, a token volume, tolerations and a priority, once', async () => {
    const object = pod();
    await admission().mutate(createPod(object));
    const once = structuredClone(object);
    await admission().mutate(createPod(object));
    expect(object).toEqual(once);
    expect(object.spec).toMatchObject({
      serviceAccountName: 'default',
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
      containers: [{ volumeMounts: [{ mountPath: TOKEN_MOUNT_PATH, readOnly: true }] }],
      tolerations: [{ key: 'node.kubernetes.io/not-ready' }, { key: 'node.kubernetes.io/unreachable' }],
    });
  });

  it.each([
    ['persistentvolumeclaims', 'kubernetes.io/pvc-protection', ''],
    ['persistentvolumes', 'kubernetes.io/pv-protection', ''],
    ['volumeattributesclasses', 'kubernetes.io/vac-protection', 'storage.k8s.io'],
  ])('protects new %s while they are in use', async (resource, finalizer, group) => {
    const object: KubeObject = { metadata: { name: 'x', finalizers: ['mine/own'] } };
    for (let i = 0; i < 2; i++)
      await admission().mutate(attributes('CREATE', { group, resource }, object, { namespace: 'a' }));
    expect(object.metadata?.finalizers).toEqual(['mine/own', finalizer]);
    const untouched: KubeObject = { metadata: { name: 'x' } };
    await admission().mutate(attributes('UPDATE', { group, resource }, untouched, { namespace: 'a' }));
    expect(untouched.metadata?.finalizers).toBeUndefined();
  });

  it('puts back on an update what it gave and the update leaves out: a patch may name only the toleration that it adds', async () => {
    const old = pod({ priority: 7, preemptionPolicy: 'Never' });
    const object = pod({ tolerations: [{ key: 'q', operator: 'Exists' }] });
    await admission().mutate(
      attributes('UPDATE', { resource: 'pods' }, object, { namespace: 'a', oldObject: old as KubeObject }),
    );
    expect(object.spec).toMatchObject({
      priority: 7,
      preemptionPolicy: 'Never',
      tolerations: [
        { key: 'q' },
        { key: 'node.kubernetes.io/not-ready', tolerationSeconds: 300 },
        { key: 'node.kubernetes.io/unreachable', tolerationSeconds: 300 },
      ],
    });
  });

  it('mounts no token where pod or account say so', async () => {
    reader.put('serviceaccounts', {
      metadata: { name: 'shy', namespace: 'a' },
      automountServiceAccountToken: false,
    } as KubeObject);
    const shy = pod({ serviceAccountName: 'shy' });
    const own = pod({ automountServiceAccountToken: false });
    for (const object of [shy, own]) {
      await admission().mutate(createPod(object));
      expect(object.spec).not.toHaveProperty('volumes');
    }
  });

  it('refuses a pod whose account or priority class does not exist, with 403', async () => {
    await expect(admission().mutate(createPod(pod({ serviceAccountName: 'none' })))).rejects.toMatchObject({
      status: {
        code: 403,
        message: 'pods "x" is forbidden: error looking up service account a/none: serviceaccount "none" not found',
      },
    });
    await expect(admission().mutate(createPod(pod({ priorityClassName: 'constructor' })))).rejects.toThrow(
      'no PriorityClass with name constructor was found',
    );
    await expect(admission().mutate(createPod(pod({ priority: 7 })))).rejects.toThrow('must not be provided');
  });

  it('creates nothing in a namespace that is missing or going', async () => {
    const create = (namespace: string) =>
      admission().mutate(attributes('CREATE', { resource: 'configmaps' }, {}, { namespace }));
    await expect(create('a')).resolves.toBeUndefined();
    await expect(create('nowhere')).rejects.toMatchObject({
      status: { code: 404, message: 'namespaces "nowhere" not found' },
    });
    await expect(create('going')).rejects.toMatchObject({
      status: { code: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    });
    const remove = attributes('DELETE', { resource: 'namespaces', namespaced: false }, undefined, {
      name: 'kube-system',
    });
    await expect(admission().mutate(remove)).rejects.toThrow('may not be deleted');
  });

  it('taints a new node', async () => {
    const node = { metadata: { name: 'w' } };
    await admission().mutate(attributes('CREATE', { resource: 'nodes', namespaced: false }, node));
    expect(node).toMatchObject({ spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] } });
  });

  describe('aggregationRule (issue 6, row 7; upstream: clusterrole/policybased)', () => {
    const aggregating = {
      metadata: { name: 'x' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
      rules: [],
    };
    const plain = { metadata: { name: 'x' }, rules: [] };
    const holder = (...rules: object[]) => {
      reader.put('clusterroles', { metadata: { name: 'held' }, rules } as KubeObject);
      reader.put('clusterrolebindings', {
        metadata: { name: 'held' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'held' },
        subjects: [{ kind: 'User', name: 'jane' }],
      } as KubeObject);
    };
    const write = (object: object, oldObject?: object) =>
      admission().validate(
        attributes(
          oldObject === undefined ? 'CREATE' : 'UPDATE',
          { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespaced: false },
          object,
          { oldObject: oldObject as KubeObject | undefined },
        ),
      );
    const everything = [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ];
    const writer = {
      verbs: ['*'],
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['clusterroles'],
      resourceNames: ['y'],
    };

    it.each<[string, object[], object, object | undefined, boolean]>([
      ['may not be created by one who may write roles', [writer], aggregating, undefined, false],
      ['may not be added', [writer], aggregating, plain, false],
      ['may not be taken away', [writer], plain, aggregating, false],
      [
        'may not be kept with another label',
        [writer],
        { ...aggregating, metadata: { name: 'x', labels: { l: '1' } } },
        aggregating,
        false,
      ],
      [
        'may be kept by the garbage collector',
        [writer],
        { ...aggregating, metadata: { name: 'x', finalizers: ['f'] } },
        aggregating,
        true,
      ],
      ['may be created by one who may do everything', everything, aggregating, undefined, true],
      [
        'may be created by one who may escalate',
        [{ verbs: ['escalate'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'] }],
        aggregating,
        undefined,
        true,
      ],
      [
        'is none when it is empty',
        [writer],
        { ...plain, aggregationRule: { clusterRoleSelectors: [] } },
        undefined,
        true,
      ],
    ])('%s', async (_what, rules, object, oldObject, isAllowed) => {
      holder(...rules);
      if (isAllowed) await expect(write(object, oldObject)).resolves.toBeUndefined();
      else
        await expect(write(object, oldObject)).rejects.toThrow(
          'must have cluster-admin privileges to use the aggregationRule',
        );
    });

    it('a role whose rules its author does not hold cannot be given a label, by which others would gather it', async () => {
      holder(writer);
      const secret = { metadata: { name: 'x' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }] };
      await expect(
        write(
          { ...secret, metadata: { name: 'x', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } } },
          secret,
        ),
      ).rejects.toThrow('attempting to grant RBAC permissions');
    });
  });

  it('lets nobody grant more than they hold', async () => {
    const role = (verbs: string[]) => ({ rules: [{ verbs, apiGroups: [''], resources: ['secrets'] }] });
    const create = (object: object, groups: string[]) =>
      admission().validate(
        attributes(
          'CREATE',
          { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespaced: false },
          object,
          { user: { name: 'jane', groups } },
        ),
      );
    await expect(create(role(['get']), ['system:authenticated'])).rejects.toThrow(
      'attempting to grant RBAC permissions not currently held',
    );
    await expect(create(role(['get']), ['system:masters'])).resolves.toBeUndefined();
    const binding = { roleRef: { kind: 'ClusterRole', name: 'cluster-admin', apiGroup: '' }, subjects: [] };
    const bind = admission().validate(
      attributes(
        'CREATE',
        { group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings', namespaced: false },
        binding,
      ),
    );
    await expect(bind).rejects.toThrow('attempting to grant');
  });

  it.each([
    [
      [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }],
      ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'],
    ],
    [
      [
        { verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['secrets', 'pods'], resourceNames: ['x'] },
        { verbs: ['get'], nonResourceURLs: ['/x'] },
      ],
      [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["pods"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["secrets"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
      ],
    ],
    [
      [{ verbs: ['get', 'delete', 'bind'], apiGroups: [''], resources: ['configmaps', 'secrets'] }],
      [
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["bind"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete" "bind"]}',
      ],
    ],
    [[{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}']],
  ])('says which rights are missing, one by one, as kube-apiserver writes them (row 42): %j', (rules, lines) => {
    const held = [{ verbs: ['get', 'delete'], apiGroups: [''], resources: ['configmaps'] }];
    const work = missingWork(held, rules);
    let step = work.next();
    while (step.done !== true) step = work.next();
    expect(showRights(step.value).split('\n')).toEqual(lines);
  });

  it('a rule that is not covered is refused, however many rights it has', () => {
    const many = (prefix: string) => Array.from({ length: 100 }, (_, i) => `${prefix}${i}`);
    const held = [{ verbs: many('v').slice(0, 99), apiGroups: many('g'), resources: many('r') }];
    const work = missingWork(held, [{ verbs: many('v'), apiGroups: many('g'), resources: many('r') }]);
    let step = work.next();
    while (step.done !== true) step = work.next();
    expect(step.value.length).toBeGreaterThan(0);
    expect(showRights(step.value).length).toBeLessThan(20_000);
  });

  // "Accepted and not enforced": what has no effect says so, what has one does not.
  it.each<[string, string, object, string | undefined]>([
    ['', 'resourcequotas', {}, 'this X is stored and has no effect yet: it is not enforced'],
    [
      'networking.k8s.io',
      'networkpolicies',
      {},
      'this X is stored and has no effect yet: it is not enforced, all traffic is allowed',
    ],
    [
      'admissionregistration.k8s.io',
      'validatingwebhookconfigurations',
      {},
      'this X is stored and has no effect yet: its webhooks are not called, whatever their failurePolicy',
    ],
    ['', 'services', { spec: { type: 'LoadBalancer' } }, 'Services of type LoadBalancer get no external address'],
    ['', 'services', { spec: { type: 'ClusterIP' } }, undefined],
    [
      'apiextensions.k8s.io',
      'customresourcedefinitions',
      { spec: { conversion: { strategy: 'Webhook' } } },
      'conversion webhooks are not called yet: objects are served in the version that is stored, and refused in others',
    ],
    ['apiextensions.k8s.io', 'customresourcedefinitions', { spec: { conversion: { strategy: 'None' } } }, undefined],
    ['apps', 'deployments', {}, undefined],
    ['example.com', 'constructor', {}, undefined],
  ])('says of %s/%s that it has no effect, or nothing', async (group, resource, object, expected) => {
    const warnings: string[] = [];
    await admission().validate(
      attributes('CREATE', { group, resource, kind: 'X' }, object, {
        namespace: 'a',
        warn: (message) => warnings.push(message),
      }),
    );
    expect(warnings).toEqual(expected === undefined ? [] : [expected]);
  });

  it('is silent of a kind once a controller has registered for it', async () => {
    const warnings: string[] = [];
    const hasController = ({ group, resource }: { group: string; resource: string }) =>
      group === 'batch' && resource === 'jobs';
    for (const options of [{}, { hasController }]) {
      for (const resource of ['jobs', 'cronjobs']) {
        const more = { namespace: 'a', warn: (message: string) => void warnings.push(message) };
        await admission(options).validate(attributes('CREATE', { group: 'batch', resource, kind: resource }, {}, more));
      }
    }
    const warning = (kind: string) => `this ${kind} is stored and has no effect yet: no controller acts on it`;
    expect(warnings).toEqual([warning('jobs'), warning('cronjobs'), warning('cronjobs')]);
  });
});
