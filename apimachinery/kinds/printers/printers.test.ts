import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../object.js';
import { kindExtras, type ExtrasKey } from '../index.js';
import { humanDuration } from '../lib/duration.js';

const NOW_ms = Date.parse('2026-01-01T01:00:00Z');
const metadata = { name: 'x', namespace: 'd', creationTimestamp: '2026-01-01T00:00:00Z' };

function shown(key: ExtrasKey, object: object): Record<string, unknown> {
  const printer = kindExtras[key]?.printer;
  const cells = printer?.row({ metadata, ...object } as KubeObject, NOW_ms) ?? [];
  return Object.fromEntries((printer?.columns ?? []).map((column, i) => [column.name, cells[i]]));
}

it.each<[number, string]>([
  [-5, '<invalid>'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [200, '3m20s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [12_000, '3h20m'],
  [100_000, '27h'],
  [200_000, '2d7h'],
  [8 * 86_400, '8d'],
  [730 * 86_400, '2y'],
  [800 * 86_400, '2y70d'],
  [3000 * 86_400, '8y'],
])('%i s is %s', (seconds, text) => expect(humanDuration(seconds * 1000)).toBe(text));

describe('pods', () => {
  const spec = { containers: [{ name: 'a' }, { name: 'b' }] };
  const running = { name: 'a', ready: true, restartCount: 0, state: { running: {} } };
  const waiting = (reason: string, restartCount = 0, lastState = {}): object => ({
    name: 'b',
    ready: false,
    restartCount,
    state: { waiting: { reason } },
    lastState,
  });
  const ended = (reason: string, exitCode = 0): object => ({
    name: 'b',
    ready: false,
    restartCount: 0,
    state: { terminated: { reason, exitCode } },
  });
  it.each<[string, object, object, string, string, string]>([
    [
      'running',
      {},
      { phase: 'Running', containerStatuses: [running, { ...running, name: 'b' }] },
      '2/2',
      'Running',
      '0',
    ],
    [
      'crashing',
      {},
      {
        phase: 'Running',
        containerStatuses: [
          running,
          waiting('CrashLoopBackOff', 3, { terminated: { finishedAt: '2026-01-01T00:55:00Z' } }),
        ],
      },
      '1/2',
      'CrashLoopBackOff',
      '3 (5m ago)',
    ],
    [
      'done',
      {},
      { phase: 'Succeeded', containerStatuses: [ended('Completed'), ended('Completed')] },
      '0/2',
      'Completed',
      '0',
    ],
    [
      'killed by a signal',
      {},
      { phase: 'Failed', containerStatuses: [{ state: { terminated: { signal: 9, exitCode: 137 } } }] },
      '0/2',
      'Signal:9',
      '0',
    ],
    [
      'initializing',
      { initContainers: [{ name: 'i' }, { name: 'j' }] },
      {
        phase: 'Pending',
        initContainerStatuses: [
          { name: 'i', state: { terminated: { exitCode: 0 } } },
          { name: 'j', state: { running: {} } },
        ],
      },
      '0/2',
      'Init:1/2',
      '0',
    ],
    [
      'failing to initialize',
      { initContainers: [{ name: 'i' }] },
      {
        phase: 'Pending',
        initContainerStatuses: [{ name: 'i', restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
      },
      '0/2',
      'Init:CrashLoopBackOff',
      '2',
    ],
    ['evicted', {}, { phase: 'Failed', reason: 'Evicted' }, '0/2', 'Evicted', '0'],
    [
      'gated',
      {},
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
      '0/2',
      'SchedulingGated',
      '0',
    ],
    [
      'one done, one running, ready',
      {},
      {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [ended('Completed'), running],
      },
      '1/2',
      'Running',
      '0',
    ],
  ])('%s', (_title, more, status, ready, text, restarts) => {
    expect(shown('/pods', { spec: { ...spec, ...more }, status })).toMatchObject({
      Ready: ready,
      Status: text,
      Restarts: restarts,
      Age: '60m',
      IP: '<none>',
      Node: '<none>',
    });
  });

  it('counts a sidecar', () => {
    const status = {
      phase: 'Running',
      initContainerStatuses: [{ name: 's', started: true, ready: true, restartCount: 1, state: { running: {} } }],
      containerStatuses: [running],
    };
    expect(
      shown('/pods', {
        spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }], containers: [{ name: 'a' }] },
        status,
      }),
    ).toMatchObject({ Ready: '2/2', Status: 'Running', Restarts: '1' });
  });

  it('shows deletion, but not of a pod that is done', () => {
    const deleting = { ...metadata, deletionTimestamp: '2026-01-01T00:59:00Z' };
    expect(shown('/pods', { metadata: deleting, spec, status: { phase: 'Running' } })).toMatchObject({
      Status: 'Terminating',
    });
    expect(shown('/pods', { metadata: deleting, spec, status: { phase: 'Succeeded' } })).toMatchObject({
      Status: 'Succeeded',
    });
  });
});

it.each<[ExtrasKey, object, object]>([
  [
    '/services',
    {
      spec: {
        type: 'NodePort',
        clusterIP: '10.0.0.1',
        ports: [
          { port: 80, nodePort: 30080, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
      },
    },
    {
      Type: 'NodePort',
      'Cluster-IP': '10.0.0.1',
      'External-IP': '<none>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Selector: '<none>',
    },
  ],
  [
    '/services',
    { spec: { type: 'LoadBalancer' } },
    { 'External-IP': '<pending>', 'Cluster-IP': '<none>', 'Port(s)': '<none>' },
  ],
  [
    'apps/deployments',
    {
      spec: {
        replicas: 3,
        selector: { matchLabels: { b: '2', a: '1' } },
        template: {
          spec: {
            containers: [
              { name: 'c', image: 'i' },
              { name: 'd', image: 'j' },
            ],
          },
        },
      },
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
    },
    { Ready: '2/3', 'Up-to-date': 3, Available: 2, Containers: 'c,d', Images: 'i,j', Selector: 'a=1,b=2' },
  ],
  [
    'batch/jobs',
    { spec: { completions: 2 }, status: { succeeded: 1, startTime: '2026-01-01T00:00:00Z' } },
    { Status: 'Running', Completions: '1/2', Duration: '60m' },
  ],
  [
    '/nodes',
    {
      metadata: { ...metadata, labels: { 'node-role.kubernetes.io/control-plane': '', 'kubernetes.io/role': 'edge' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.1.1.1' }],
      },
    },
    {
      Status: 'Ready,SchedulingDisabled',
      Roles: 'control-plane,edge',
      'Internal-IP': '10.1.1.1',
      'OS-Image': '<unknown>',
    },
  ],
  [
    '/endpoints',
    { subsets: [{ addresses: [{ ip: '1.1.1.1' }, { ip: '::1' }], ports: [{ port: 80 }, { port: 81 }] }] },
    { Endpoints: '1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more...' },
  ],
  [
    '/persistentvolumeclaims',
    {
      spec: { volumeName: 'v', storageClassName: 's' },
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
    },
    {
      Status: 'Bound',
      Volume: 'v',
      Capacity: '1Gi',
      'Access Modes': 'RWO,RWX',
      StorageClass: 's',
      VolumeMode: '<unset>',
    },
  ],
  [
    'autoscaling/horizontalpodautoscalers',
    {
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'w' },
        maxReplicas: 3,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } }],
      },
    },
    { Reference: 'Deployment/w', Targets: 'cpu: <unknown>/80%', MinPods: '<unset>', MaxPods: 3 },
  ],
  [
    'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
    { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Reject' } } } },
    { Type: 'Limited', NominalConcurrencyShares: 5, Queues: '<none>', HandSize: '<none>', QueueLengthLimit: '<none>' },
  ],
  [
    '/events',
    {
      involvedObject: { kind: 'Pod', name: 'p' },
      source: { component: 'c', host: 'h' },
      message: ' m ',
      firstTimestamp: '2026-01-01T00:59:00Z',
    },
    { 'Last Seen': '60s', Object: 'pod/p', Source: 'c, h', Message: 'm', Count: 1 },
  ],
])('%s', (key, object, expected) => expect(shown(key, object)).toMatchObject(expected));

it('a ServiceAccount has no column for Secrets (v1.36)', () => {
  expect(Object.keys(shown('/serviceaccounts', { secrets: [{ name: 's' }] }))).toEqual(['Name', 'Age']);
});

/** Name, type and format of columns as kube-apiserver 1.36 lists them, where the type is not that of the cell. */
it.each<[ExtrasKey, string]>([
  ['/configmaps', 'Name:string:name Data:string: Age:string:'],
  ['/secrets', 'Name:string:name Type:string: Data:string: Age:string:'],
  ['apps/controllerrevisions', 'Name:string:name Controller:string: Revision:string: Age:string:'],
  [
    'apps/deployments',
    'Name:string:name Ready:string: Up-to-date:string: Available:string: Age:string: Containers:string: Images:string: Selector:string:',
  ],
  [
    'autoscaling/horizontalpodautoscalers',
    'Name:string:name Reference:string: Targets:string: MinPods:string: MaxPods:string: Replicas:string: Age:string:',
  ],
  [
    'batch/cronjobs',
    'Name:string:name Schedule:string: Timezone:string: Suspend:boolean: Active:integer: Last Schedule:string: Age:string: Containers:string: Images:string: Selector:string:',
  ],
  ['networking.k8s.io/ipaddresses', 'Name:string:name ParentRef:string:'],
  ['resource.k8s.io/deviceclasses', 'Name:string:name Age:string:'],
  [
    'storage.k8s.io/storageclasses',
    'Name:string:name Provisioner:string: ReclaimPolicy:string: VolumeBindingMode:string: AllowVolumeExpansion:string: Age:string:',
  ],
  [
    'storage.k8s.io/volumeattachments',
    'Name:string:name Attacher:string:name PV:string: Node:string: Attached:boolean: Age:string:',
  ],
])('the columns of %s', (key, columns) => {
  expect(
    kindExtras[key]?.printer?.columns.map(({ name, type, format = '' }) => `${name}:${type}:${format}`).join(' '),
  ).toBe(columns);
});
