import { describe, expect, it } from 'vitest';
import type { StrategyContext } from '../kind.js';
import type { KubeObject } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';
import { kindExtras, type ExtrasKey } from './index.js';
import { at, same, type Rec } from './lib/value.js';

const context = (subresource?: string): StrategyContext => ({
  user: { name: 'alice', groups: ['dev'] },
  now_ms: 0,
  uuid: () => 'uid',
  ...(subresource === undefined ? {} : { subresource }),
});
const strategyOf = (key: ExtrasKey) => kindExtras[key]?.strategy ?? {};

function created(key: ExtrasKey, object: object): KubeObject & Rec {
  const draft = structuredClone({ metadata: { name: 'x', namespace: 'd' }, ...object }) as KubeObject & Rec;
  strategyOf(key).setDefaults?.(draft);
  strategyOf(key).prepareForCreate?.(draft, context());
  return draft;
}

const texts = (errors: readonly { field: string; detail: string }[] = []): string[] =>
  errors.map((e) => `${e.field}: ${e.detail}`);
const complaints = (key: ExtrasKey, object: object): string[] =>
  texts(strategyOf(key).validate?.(created(key, object), context()));

function updated(
  key: ExtrasKey,
  old: KubeObject & Rec,
  change: object,
  subresource?: string,
): { draft: KubeObject & Rec; errors: string[] } {
  const draft = structuredClone({ ...old, ...change });
  strategyOf(key).setDefaults?.(draft);
  strategyOf(key).prepareForUpdate?.(draft, old, context(subresource));
  const found = [
    strategyOf(key).validate?.(draft, { ...context(subresource), old }),
    strategyOf(key).validateUpdate?.(draft, old, context(subresource)),
  ];
  return { draft, errors: found.flatMap(texts) };
}

it('speaks only of kinds that exist', () => {
  const kinds = builtInScheme().kinds();
  const known = new Set(
    kinds.flatMap((kind) => [`${kind.group}/${kind.resource}`, `${kind.group}/${kind.version}/${kind.resource}`]),
  );
  expect(Object.keys(kindExtras).filter((key) => !known.has(key))).toEqual([]);
});

it('gives each resource a prefix of its own; events of both groups are one', () => {
  const owners = new Map<string, Set<string>>();
  for (const kind of builtInScheme().kinds()) {
    if (!kind.verbs.includes('list')) continue;
    owners.set(kind.storagePrefix, (owners.get(kind.storagePrefix) ?? new Set()).add(`${kind.group}/${kind.resource}`));
  }
  expect([...owners].filter(([, names]) => names.size > 1).map(([prefix]) => prefix)).toEqual(['events']);
  // A list reads a prefix with its slash: none may lie inside another (CVE-2022-3162).
  const prefixes = [...owners.keys()];
  expect(
    prefixes.filter((prefix) => prefixes.some((other) => other !== prefix && prefix.startsWith(`${other}/`))),
  ).toEqual([]);
});

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
const selector = { matchLabels: { app: 'a' } };

describe('workloads', () => {
  const deployment = created('apps/deployments', { spec: { selector, template }, status: { replicas: 9 } });

  it('defaults a deployment', () => {
    expect(deployment['spec']).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    });
    expect(at(deployment, 'spec', 'template', 'spec', 'enableServiceLinks')).toBeUndefined();
    expect(deployment['status']).toBeUndefined();
    expect(deployment.metadata?.generation).toBe(1);
  });

  it('counts generations of spec, not of status or labels', () => {
    const spec = deployment['spec'] as Rec;
    expect(updated('apps/deployments', deployment, { spec: { ...spec, replicas: 0 } }).draft.metadata?.generation).toBe(
      2,
    );
    expect(
      updated('apps/deployments', deployment, { metadata: { ...deployment.metadata, labels: { a: 'b' } } }).draft
        .metadata?.generation,
    ).toBe(1);
    const status = updated('apps/deployments', deployment, { spec: {}, status: { replicas: 1 } }, 'status').draft;
    expect([status.metadata?.generation, status['spec'], status['status']]).toEqual([1, spec, { replicas: 1 }]);
  });

  it.each<[ExtrasKey, object, string[]]>([
    [
      'apps/deployments',
      { spec: { replicas: -1, selector, template } },
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'apps/deployments',
      { spec: { selector: { matchLabels: { app: 'b' } }, template } },
      ['spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`'],
    ],
    [
      'apps/deployments',
      {
        spec: {
          selector,
          template,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } },
        },
      },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'apps/replicasets',
      { spec: { selector, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'batch/jobs',
      { spec: { template } },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'batch/cronjobs',
      {
        spec: {
          schedule: 'x',
          timeZone: 'Mars/Base',
          jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', ...template.spec } } } },
        },
      },
      [
        'spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]',
        'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
      ],
    ],
  ])('%s %#', (key, object, expected) => expect(complaints(key, object)).toEqual(expected));

  it('does not let a selector change', () => {
    const spec = deployment['spec'] as Rec;
    expect(
      updated('apps/deployments', deployment, { spec: { ...spec, selector: { matchLabels: { app: 'b' } } } }).errors,
    ).toContain('spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable');
  });

  it('lets a StatefulSet scale but not change its service', () => {
    const set = created('apps/statefulsets', { spec: { serviceName: 's', selector, template } });
    const spec = set['spec'] as Rec;
    expect(updated('apps/statefulsets', set, { spec: { ...spec, replicas: 5 } }).errors).toEqual([]);
    expect(updated('apps/statefulsets', set, { spec: { ...spec, serviceName: 't' } }).errors[0]).toContain(
      'spec: Forbidden: updates to statefulset spec for fields other than',
    );
  });

  it('selects the pods of a job by its uid', () => {
    const job = created('batch/jobs', {
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
    });
    expect(at(job, 'spec', 'selector')).toEqual({ matchLabels: { 'batch.kubernetes.io/controller-uid': 'uid' } });
    expect(at(job, 'spec', 'template', 'metadata', 'labels', 'job-name')).toBe('x');
    expect(texts(strategyOf('batch/jobs').validate?.(job))).toEqual([]);
  });

  it('gives a job without labels those of its template, with what is added to them, and leaves its own alone', () => {
    const spec = {
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
      },
    };
    const labels = {
      'batch.kubernetes.io/controller-uid': 'uid',
      'batch.kubernetes.io/job-name': 'x',
      'controller-uid': 'uid',
      'job-name': 'x',
    };
    expect(at(created('batch/jobs', { spec }), 'metadata', 'labels')).toEqual({ a: 'b', ...labels });
    expect(
      at(
        created('batch/jobs', { metadata: { name: 'x', uid: 'uid', labels: { own: 'c' } }, spec }),
        'metadata',
        'labels',
      ),
    ).toEqual({ own: 'c' });
    const bare = created('batch/jobs', { spec: { template: { spec: spec.template.spec } } });
    expect([at(bare, 'metadata', 'labels'), at(bare, 'spec', 'template', 'metadata', 'labels')]).toEqual([
      labels,
      labels,
    ]);
  });

  it.each([
    [
      'a label that is generated',
      { template: { metadata: { labels: { 'job-name': 'other' } } } },
      /^spec\.template\.metadata\.labels\[job-name\]: Invalid value: .*"job-name":"other".*: must be 'x'$/,
    ],
    [
      'a selector of its own, unasked',
      { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } } } },
      /^spec\.selector: Invalid value: .*: `selector` not auto-generated$/,
    ],
  ])('refuses a job with %s', (_what, { template, ...rest }, expected) => {
    const job = created('batch/jobs', {
      spec: {
        ...rest,
        template: { ...template, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    expect(texts(strategyOf('batch/jobs').validate?.(job))).toEqual([expect.stringMatching(expected)]);
  });
});

describe('services', () => {
  const spec = { ports: [{ name: 'http', port: 80 }], clusterIP: '10.0.0.7' };
  const service = created('/services', { spec });
  it('defaults', () =>
    expect(service['spec']).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      clusterIP: '10.0.0.7',
      clusterIPs: ['10.0.0.7'],
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
    }));
  it('finds what is wrong', () => {
    expect(
      complaints('/services', {
        spec: {
          ports: [
            { name: 'http', port: 80 },
            { name: 'http', port: 81 },
          ],
        },
      }),
    ).toEqual(['spec.ports[1].name: Duplicate value: "http"']);
    expect(complaints('/services', { spec: {} })).toEqual(['spec.ports: Required value']);
  });
  it('keeps the cluster IP of a client that left it out, and refuses another', () => {
    expect(updated('/services', service, { spec: { ports: spec.ports } }).draft['spec']).toEqual(service['spec']);
    expect(updated('/services', service, { spec: { ...spec, clusterIP: '10.0.0.8' } }).errors).toContain(
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.8"]: may not change once set',
    );
  });
});

describe('others', () => {
  it('writes stringData into data, whatever the key', () => {
    const secret = JSON.parse('{"stringData":{"a":"b","__proto__":"c"}}') as KubeObject & Rec;
    strategyOf('/secrets').setDefaults?.(secret);
    expect(JSON.stringify(secret)).toBe(
      '{"stringData":0,"type":"Opaque","data":{"a":"Yg==","__proto__":"Yw=="}}'.replace('"stringData":0,', ''),
    );
  });

  it('keeps an immutable ConfigMap', () => {
    const map = created('/configmaps', { immutable: true, data: { a: 'b' } });
    expect(updated('/configmaps', map, { data: { a: 'c' } }).errors).toEqual([
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
  });

  it('labels a namespace and changes its finalizers by finalize alone', () => {
    const namespace = created('/namespaces', {});
    expect([namespace.metadata?.labels, namespace['spec'], namespace['status']]).toEqual([
      { 'kubernetes.io/metadata.name': 'x' },
      { finalizers: ['kubernetes'] },
      { phase: 'Active' },
    ]);
    expect(updated('/namespaces', namespace, { spec: {} }).draft['spec']).toEqual(namespace['spec']);
    expect(updated('/namespaces', namespace, { spec: {} }, 'finalize').draft['spec']).toEqual({});
  });

  it('takes the requester of a certificate from authentication, and its approval from approval', () => {
    const csr = created('certificates.k8s.io/certificatesigningrequests', { spec: { username: 'root', request: 'x' } });
    expect(csr['spec']).toEqual({ username: 'alice', groups: ['dev'], request: 'x' });
    const status = { conditions: [{ type: 'Approved' }], certificate: 'forged' };
    const key = 'certificates.k8s.io/certificatesigningrequests';
    expect(updated(key, csr, { status }).draft['status']).toEqual({});
    expect(updated(key, csr, { status }, 'approval').draft['status']).toEqual({ conditions: status.conditions });
  });

  it('does not let a binding change its role', () => {
    const key = 'rbac.authorization.k8s.io/rolebindings';
    const binding = created(key, { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'User', name: 'u' }] });
    expect(texts(strategyOf(key).validate?.(binding))).toEqual([]);
    expect(updated(key, binding, { roleRef: { kind: 'Role', name: 's' } }).errors).toHaveLength(1);
  });

  it('converts an autoscaler to v1 and back without loss', () => {
    const conversion = kindExtras['autoscaling/v1/horizontalpodautoscalers']?.conversion;
    const cpu = {
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
    };
    const memory = {
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
    };
    const v2 = {
      apiVersion: 'autoscaling/v2',
      metadata: { name: 'h' },
      spec: { maxReplicas: 3, metrics: [memory, cpu], behavior: { scaleUp: { selectPolicy: 'Min' } } },
    };
    const v1 = conversion?.fromStorage(v2) as KubeObject & Rec;
    expect([v1.apiVersion, at(v1, 'spec', 'targetCPUUtilizationPercentage')]).toEqual(['autoscaling/v1', 50]);
    expect(conversion?.toStorage(v1)).toEqual(v2);
  });

  it('gives events the names of their group', () => {
    const conversion = kindExtras['events.k8s.io/events']?.conversion;
    const event = { apiVersion: 'v1', metadata: { name: 'e' }, involvedObject: { name: 'p' }, message: 'm', count: 2 };
    const other = conversion?.fromStorage(event);
    expect(other).toEqual({
      apiVersion: 'events.k8s.io/v1',
      metadata: { name: 'e' },
      regarding: { name: 'p' },
      note: 'm',
      deprecatedCount: 2,
    });
    expect(conversion?.toStorage(other ?? {})).toEqual(event);
  });
});

it('takes absent for empty, but not false for absent where Go has a pointer', () => {
  expect(same({ labels: {} }, {})).toBe(true);
  expect(same({ namespaceSelector: {} }, {})).toBe(false);
  expect(same({ hostNetwork: false, tolerations: [] }, { tolerations: null })).toBe(true);
  expect(same({ automountServiceAccountToken: false }, {})).toBe(false);
});
