import { describe, expect, it } from 'vitest';
import type { StrategyContext } from '../../kind.js';
import type { KubeObject } from '../../object.js';
import { containersOf } from '../lib/containers.js';
import { at, type Rec } from '../lib/value.js';
import { pullPolicyFor } from '../lib/image.js';
import { podQosClass } from './qos.js';
import { podRequests } from './resources.js';
import { podStrategy } from './strategy.js';

const context = (subresource?: string): StrategyContext => ({
  user: { name: 'u', groups: [] },
  now_ms: 0,
  uuid: () => 'u',
  ...(subresource === undefined ? {} : { subresource }),
});

const pod = (spec: object, more: object = {}): KubeObject & Rec => {
  const draft = structuredClone({ metadata: { name: 'p', namespace: 'd', generation: 1 }, spec, ...more });
  podStrategy.setDefaults?.(draft);
  return draft;
};
const web = (more: object = {}): object => ({ name: 'web', image: 'nginx:1', ...more });
const complaints = (object: KubeObject): string[] =>
  (podStrategy.validate?.(object, context()) ?? []).map((e) => `${e.field}: ${e.detail}`);

describe('defaults', () => {
  it.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.27', 'IfNotPresent'],
    ['host:5000/nginx', 'Always'],
    ['host:5000/nginx:1', 'IfNotPresent'],
    ['nginx@sha256:abc', 'IfNotPresent'],
    ['nginx:latest@sha256:abc', 'Always'],
  ])('pulls %s %s', (image, policy) => expect(pullPolicyFor(image)).toBe(policy));

  it('fills what Kubernetes fills', () => {
    const spec = pod({
      containers: [
        web({
          ports: [{ containerPort: 80 }],
          resources: { limits: { cpu: '1' } },
          readinessProbe: { httpGet: { port: 80 } },
        }),
      ],
      volumes: [{ name: 'v' }],
    })['spec'];
    expect(spec).toEqual({
      containers: [
        {
          name: 'web',
          image: 'nginx:1',
          imagePullPolicy: 'IfNotPresent',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
          readinessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      enableServiceLinks: true,
    });
  });
});

describe('validation', () => {
  it.each<[string, object, string[]]>([
    ['good', { containers: [web()] }, []],
    ['no container', {}, ['spec.containers: Required value']],
    ['no image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
    [
      'a name twice, across roles',
      { containers: [web()], initContainers: [web()] },
      ['spec.initContainers[0].name: Duplicate value: "web"'],
    ],
    [
      'a mount of nothing',
      { containers: [web({ volumeMounts: [{ name: 'x', mountPath: '/x' }] })] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
    [
      'more than the limit',
      { containers: [web({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } })] },
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'a port out of range',
      { containers: [web({ ports: [{ containerPort: 70000 }] })] },
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'a probe on an init container',
      { containers: [web()], initContainers: [{ name: 'i', image: 'i:1', livenessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'a volume that clones (CVE-2024-10220)',
      { containers: [web()], volumes: [{ name: 'g', gitRepo: { repository: 'x' } }] },
      ['spec.volumes[0].gitRepo: Forbidden: gitRepo volumes are not supported'],
    ],
    [
      'a seconds-long toleration of no effect',
      { containers: [web()], tolerations: [{ operator: 'Exists', tolerationSeconds: 1 }] },
      ['spec.tolerations[0].effect: Invalid value: "": effect must be \'NoExecute\' when `tolerationSeconds` is set'],
    ],
  ])('%s', (_title, spec, expected) => expect(complaints(pod(spec))).toEqual(expected));

  it('forbids ephemeral containers at creation', () => {
    expect(complaints(pod({ containers: [web()], ephemeralContainers: [{ name: 'e', image: 'e:1' }] }))).toEqual([
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ]);
  });
});

describe('updates', () => {
  const old = pod(
    { containers: [web()], tolerations: [{ key: 'a', operator: 'Exists' }] },
    { status: { phase: 'Running', qosClass: 'BestEffort' } },
  );
  const update = (change: (spec: Rec) => void, subresource?: string): { errors: string[]; draft: KubeObject & Rec } => {
    const draft = structuredClone(old);
    change(draft['spec'] as Rec);
    podStrategy.prepareForUpdate?.(draft, old, context(subresource));
    return {
      draft,
      errors: (podStrategy.validateUpdate?.(draft, old, context(subresource)) ?? []).map(
        (e) => `${e.field}: ${e.detail}`,
      ),
    };
  };
  const first = (spec: Rec): Rec =>
    at(spec, 'containers') instanceof Array ? ((spec['containers'] as Rec[])[0] ?? {}) : {};

  it('takes an image, a toleration more, and false for absent', () => {
    const { errors, draft } = update((spec) => {
      first(spec)['image'] = 'nginx:2';
      spec['tolerations'] = [...(spec['tolerations'] as Rec[]), { key: 'b', operator: 'Exists' }];
      spec['hostNetwork'] = false;
    });
    expect(errors).toEqual([]);
    expect(draft.metadata?.generation).toBe(2);
  });

  it('refuses the rest in the words users know', () => {
    expect(
      update((spec) => {
        spec['nodeName'] = 'n';
      }).errors[0],
    ).toContain('spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`');
    expect(
      update((spec) => {
        spec['tolerations'] = [];
      }).errors[0],
    ).toBe('spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds');
    expect(
      update((spec) => {
        spec['containers'] = [];
      }).errors,
    ).toEqual(['spec.containers: Forbidden: pod updates may not add or remove containers']);
    expect(
      update((spec) => {
        spec['automountServiceAccountToken'] = false;
      }).errors,
    ).toHaveLength(1);
  });

  it('resizes cpu by the subresource only', () => {
    const resize = (spec: Rec): void => {
      first(spec)['resources'] = { requests: { cpu: '1' } };
    };
    expect(update(resize).errors).toHaveLength(1);
    const other = update((spec) => {
      first(spec)['image'] = 'x';
      spec['tolerations'] = [];
    }, 'resize');
    expect(other).toEqual({ errors: [], draft: old });
    expect(
      update((spec) => {
        spec['containers'] = [];
      }, 'resize').errors,
    ).toEqual(['spec.containers: Forbidden: containers may not be added or removed on resize']);
    expect(
      update((spec) => {
        first(spec)['name'] = 'x';
      }, 'resize').errors,
    ).toEqual(['spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize']);
  });

  it.each<[string, object, object, string[]]>([
    ['more of what there is', { requests: { cpu: '1' } }, { requests: { cpu: '2' } }, []],
    [
      'more kinds, of the same class',
      { requests: { cpu: '1' } },
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } },
      [],
    ],
    [
      'something where there was nothing',
      {},
      { requests: { cpu: '1' } },
      ['spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing'],
    ],
    [
      'Guaranteed out of Burstable',
      { requests: { cpu: '1', memory: '1Gi' } },
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } },
      ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
    ],
    [
      'Burstable out of Guaranteed',
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } },
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } },
      ['spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'],
    ],
    [
      'less kinds of it',
      { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } },
      { requests: { cpu: '1' } },
      [
        'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
        'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
      ],
    ],
    [
      'another resource',
      { requests: { cpu: '1' } },
      { requests: { cpu: '1', 'x.y/z': '1' } },
      ['spec: Forbidden: only cpu and memory resources are mutable'],
    ],
  ])('resizes to %s (KEP-1287)', (_, before, after, errors) => {
    const stored = pod({ containers: [{ ...web(), resources: before }] });
    (stored as Rec)['status'] = { qosClass: podQosClass(stored) };
    const draft = pod({ containers: [{ ...web(), resources: after }] }, { status: structuredClone(stored['status']) });
    podStrategy.prepareForUpdate?.(draft, stored, context('resize'));
    expect(
      (podStrategy.validateUpdate?.(draft, stored, context('resize')) ?? []).map((e) => `${e.field}: ${e.detail}`),
    ).toEqual(errors);
  });

  it('adds ephemeral containers by the subresource, and takes nothing else from it', () => {
    const { draft, errors } = update((spec) => {
      spec['nodeName'] = 'evil';
      spec['ephemeralContainers'] = [{ name: 'e', image: 'e:1' }];
    }, 'ephemeralcontainers');
    expect(errors).toEqual([]);
    expect(at(draft, 'spec', 'nodeName')).toBeUndefined();
    expect([...containersOf(draft['spec'])].map((slot) => slot.path)).toEqual([
      'spec.containers[0]',
      'spec.ephemeralContainers[0]',
    ]);
    expect(
      update((spec) => {
        spec['ephemeralContainers'] = [{ name: 'e' }];
      }).errors[0],
    ).toContain('spec: Forbidden: pod updates may not change fields other than');
  });

  it.each(['ephemeralcontainers', 'resize'])(
    'leaves metadata and status alone by %s: its right is not that to change pods',
    (subresource) => {
      const stored = pod({ containers: [web()] }, { status: { phase: 'Running', qosClass: 'BestEffort' } });
      const draft = structuredClone(stored) as Rec;
      Object.assign(draft['metadata'] as Rec, {
        labels: { l: 'x' },
        annotations: { a: 'x' },
        finalizers: ['a.b/c'],
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }],
      });
      draft['status'] = { phase: 'Failed' };
      podStrategy.prepareForUpdate?.(draft, stored, context(subresource));
      expect(draft).toEqual(stored);
    },
  );

  it('keeps spec when status is written, and status when spec is', () => {
    const draft = { ...structuredClone(old), spec: {}, status: { phase: 'Failed' } };
    podStrategy.prepareForUpdate?.(draft, old, context('status'));
    expect(draft.spec).toEqual(old['spec']);
    expect(draft.status).toEqual({ phase: 'Failed', qosClass: 'BestEffort' });
    const other = { ...structuredClone(old), status: { phase: 'Failed' } };
    podStrategy.prepareForUpdate?.(other, old, context());
    expect(other.status.phase).toBe('Running');
  });
});

describe('resources', () => {
  const asks = (cpu: string, more: object = {}): object => ({ ...more, resources: { requests: { cpu } } });
  it('takes the peak of init containers, sidecars and the rest, and adds the overhead', () => {
    const cpu = (spec: object): bigint | undefined => podRequests({ spec }).get('cpu')?.nano;
    expect(cpu({ containers: [asks('1'), asks('500m')] })).toBe(1_500_000_000n);
    expect(cpu({ containers: [asks('1')], initContainers: [asks('3')] })).toBe(3_000_000_000n);
    expect(cpu({ containers: [asks('1')], initContainers: [asks('1', { restartPolicy: 'Always' }), asks('3')] })).toBe(
      4_000_000_000n,
    );
    expect(cpu({ containers: [asks('1')], overhead: { cpu: '250m' } })).toBe(1_250_000_000n);
    expect(cpu({ containers: [asks('1')], resources: { requests: { cpu: '2' } } })).toBe(2_000_000_000n);
  });

  it.each<[object, string]>([
    [{}, 'BestEffort'],
    [{ requests: { cpu: '1' } }, 'Burstable'],
    [{ limits: { cpu: '1' }, requests: { cpu: '1' } }, 'Burstable'],
    [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m', memory: '1024Mi' } }, 'Guaranteed'],
    [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Mi' } }, 'Burstable'],
  ])('%j is %s', (resources, expected) =>
    expect(podQosClass({ spec: { containers: [{ resources }] } })).toBe(expected),
  );
});

it('gives a bound pod its grace period and lets the others go at once', () => {
  const grace = (spec: object, status: object = {}): number | undefined =>
    podStrategy.defaultGracePeriodSeconds?.({ spec, status } as KubeObject);
  expect(grace({ nodeName: 'n', terminationGracePeriodSeconds: 7 })).toBe(7);
  expect(grace({ nodeName: 'n' })).toBe(30);
  expect(grace({ terminationGracePeriodSeconds: 7 })).toBe(0);
  expect(grace({ nodeName: 'n' }, { phase: 'Succeeded' })).toBe(0);
});

it('starts Pending, whatever status the client sent', () => {
  const draft = pod({ containers: [web()], schedulingGates: [{ name: 'a/b' }] }, { status: { phase: 'Running' } });
  podStrategy.prepareForCreate?.(draft, context());
  expect(draft['status']).toMatchObject({
    phase: 'Pending',
    qosClass: 'BestEffort',
    conditions: [{ type: 'PodScheduled', reason: 'SchedulingGated', lastTransitionTime: '1970-01-01T00:00:00Z' }],
  });
});
