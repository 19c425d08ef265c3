/**
 * What every kind has its own way of: the answer to a deletion, generations, and the owners that a write to status
 * makes. Each was put to kube-apiserver v1.36.
 */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

interface Answer {
  readonly code: number;
  readonly message?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly generation?: number;
    readonly managedFields?: readonly { readonly manager: string; readonly fieldsV1: object }[];
    readonly annotations?: object;
  };
}

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const ask = async (method: string, path: string, body?: object, type = 'application/json') => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const read = (await response.json()) as Answer;
    return { status: response.status, read, warning: response.headers.get('warning') };
  };
  return {
    post: (path: string, body: object) => ask('POST', path, body),
    merge: (path: string, body: object) => ask('PATCH', path, body, 'application/merge-patch+json'),
    put: (path: string, body: object) => ask('PUT', path, body),
    text: (path: string, accept = 'application/json') =>
      fetch(`${running.url}${path}`, { dispatcher, headers: { accept } }).then((response) => response.text()),
    read: (path: string, accept = 'application/json') =>
      fetch(`${running.url}${path}`, { dispatcher, headers: { accept } }).then((response) => response.json()),
    remove: (path: string, options: object = {}) => ask('DELETE', path, options),
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const CORE = '/api/v1/namespaces/default';
const named = (name: string, rest: object = {}) => ({ metadata: { name }, ...rest });
const PODS = { spec: { containers: [{ name: 'c', image: 'i' }] } };
const TEMPLATE = { metadata: { labels: { a: 'b' } }, ...PODS };
const WORKLOAD = { spec: { selector: { matchLabels: { a: 'b' } }, template: TEMPLATE } };
const CLAIM = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
const VOLUME = { spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } } };
const DEVICES = { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'c' } }] } };
const SLICE = {
  spec: {
    driver: 'a.b',
    nodeName: 'n',
    pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
    devices: [{ name: 'd' }],
  },
};

/** Path of the kind's objects, an object of it. */
type Sample = readonly [kind: string, path: string, body: object];

const OBJECTS: readonly Sample[] = [
  ['Pod', `${CORE}/pods`, PODS],
  ['PodTemplate', `${CORE}/podtemplates`, { template: TEMPLATE }],
  ['Service', `${CORE}/services`, { spec: { ports: [{ port: 1 }] } }],
  ['ServiceAccount', `${CORE}/serviceaccounts`, {}],
  ['ResourceQuota', `${CORE}/resourcequotas`, { spec: {} }],
  ['PersistentVolumeClaim', `${CORE}/persistentvolumeclaims`, CLAIM],
  ['PersistentVolume', '/api/v1/persistentvolumes', VOLUME],
  ['StorageClass', '/apis/storage.k8s.io/v1/storageclasses', { provisioner: 'a.b/c' }],
  ['CSIDriver', '/apis/storage.k8s.io/v1/csidrivers', { spec: {} }],
  ['CSINode', '/apis/storage.k8s.io/v1/csinodes', { spec: { drivers: [] } }],
  [
    'VolumeAttachment',
    '/apis/storage.k8s.io/v1/volumeattachments',
    { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'p' } } },
  ],
  [
    'VolumeAttributesClass',
    '/apis/storage.k8s.io/v1/volumeattributesclasses',
    { driverName: 'a.b', parameters: { a: 'b' } },
  ],
  ['DeviceClass', '/apis/resource.k8s.io/v1/deviceclasses', { spec: {} }],
  ['ResourceSlice', '/apis/resource.k8s.io/v1/resourceslices', SLICE],
  ['ResourceClaim', '/apis/resource.k8s.io/v1/namespaces/default/resourceclaims', { spec: DEVICES }],
  [
    'ResourceClaimTemplate',
    '/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates',
    { spec: { spec: DEVICES } },
  ],
];
const STATUSES: readonly Sample[] = [
  ['ConfigMap', `${CORE}/configmaps`, {}],
  ['Secret', `${CORE}/secrets`, {}],
  ['Endpoints', `${CORE}/endpoints`, {}],
  ['LimitRange', `${CORE}/limitranges`, { spec: { limits: [] } }],
  ['Deployment', '/apis/apps/v1/namespaces/default/deployments', WORKLOAD],
  ['ReplicaSet', '/apis/apps/v1/namespaces/default/replicasets', WORKLOAD],
  ['Lease', '/apis/coordination.k8s.io/v1/namespaces/default/leases', {}],
  ['Node', '/api/v1/nodes', {}],
  ['RuntimeClass', '/apis/node.k8s.io/v1/runtimeclasses', { handler: 'h' }],
  ['PriorityClass', '/apis/scheduling.k8s.io/v1/priorityclasses', { value: 1 }],
  ['ClusterRole', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { rules: [] }],
  ['CSIStorageCapacity', '/apis/storage.k8s.io/v1/namespaces/default/csistoragecapacities', { storageClassName: 'c' }],
];

describe('a deletion at once is answered (row 42)', () => {
  it('with the object that went, where its kind does so, and with a Status without a code elsewhere', async () => {
    await using test = await start();
    for (const [kind, path, body] of OBJECTS) {
      await test.post(path, named('a', body));
      for (const dryRun of ['All', undefined]) {
        const { status, read } = await test.remove(`${path}/a`, dryRun === undefined ? {} : { dryRun: [dryRun] });
        expect([status, read], kind).toMatchObject([200, { kind, metadata: { name: 'a' } }]);
      }
    }
    for (const [kind, path, body] of STATUSES) {
      await test.post(path, named('a', body));
      const { read } = await test.remove(`${path}/a`);
      expect(read, kind).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
        details: expect.objectContaining({ name: 'a' }) as object,
      });
    }
  });

  it('with a time where the kind has a grace period, though it was none', async () => {
    await using test = await start();
    await test.post(`${CORE}/pods`, named('a', PODS));
    const { read } = await test.remove(`${CORE}/pods/a`, { gracePeriodSeconds: 0 });
    expect(read).toMatchObject({
      kind: 'Pod',
      metadata: { generation: 2, deletionGracePeriodSeconds: 0, deletionTimestamp: expect.any(String) as string },
    });
  });
});

/** Generations at creation, after new labels, after new annotations, and after a new spec. */
const GENERATIONS: readonly (readonly [...Sample, change: object, generations: readonly (number | undefined)[]])[] = [
  ['Deployment', '/apis/apps/v1/namespaces/default/deployments', WORKLOAD, { spec: { replicas: 3 } }, [1, 1, 2, 3]],
  ['ReplicaSet', '/apis/apps/v1/namespaces/default/replicasets', WORKLOAD, { spec: { replicas: 3 } }, [1, 1, 1, 2]],
  [
    'EndpointSlice',
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
    { addressType: 'IPv4', endpoints: [] },
    { endpoints: [{ addresses: ['10.0.0.1'] }] },
    [1, 2, 2, 3],
  ],
  ['PriorityClass', '/apis/scheduling.k8s.io/v1/priorityclasses', { value: 1 }, { description: 'x' }, [1, 1, 1, 1]],
  [
    'CSIDriver',
    '/apis/storage.k8s.io/v1/csidrivers',
    { spec: {} },
    { spec: { podInfoOnMount: true } },
    [undefined, undefined, undefined, 1],
  ],
  ['ConfigMap', `${CORE}/configmaps`, {}, { data: { a: 'b' } }, [undefined, undefined, undefined, undefined]],
];

describe('metadata.generation (row 42)', () => {
  it.each(GENERATIONS)('of a %s', async (_kind, path, body, change, generations) => {
    await using test = await start();
    const answers = [
      await test.post(path, named('a', body)),
      await test.merge(`${path}/a`, { metadata: { labels: { x: 'y' } } }),
      await test.merge(`${path}/a`, { metadata: { annotations: { x: 'y' } } }),
      await test.merge(`${path}/a`, change),
    ];
    expect(answers.map(({ read }) => read.metadata?.generation)).toEqual(generations);
  });

  it('of the template of a DaemonSet is an annotation that no client changes', async () => {
    await using test = await start();
    const path = '/apis/apps/v1/namespaces/default/daemonsets';
    const name = 'deprecated.daemonset.template.generation';
    const annotation = async (asked: Promise<{ read: Answer }>) =>
      ((await asked).read.metadata?.annotations as Record<string, string> | undefined)?.[name];
    expect(await annotation(test.post(path, named('a', WORKLOAD)))).toBe('1');
    expect(await annotation(test.merge(`${path}/a`, { metadata: { annotations: { [name]: '7' } } }))).toBe('1');
    expect(await annotation(test.merge(`${path}/a`, { spec: { minReadySeconds: 1 } }))).toBe('1');
    expect(
      await annotation(test.merge(`${path}/a`, { spec: { template: { metadata: { labels: { c: 'd' } } } } })),
    ).toBe('2');
    expect(
      await annotation(
        test.put(`${path}/a`, named('a', { ...WORKLOAD, spec: { ...WORKLOAD.spec, minReadySeconds: 1 } })),
      ),
    ).toBe('3');
  });
});

describe('a write to status does not own the metadata that it may not set (row 37)', () => {
  it.each([
    [
      'deployments',
      '/apis/apps/v1/namespaces/default/deployments',
      WORKLOAD,
      { 'f:annotations': { '.': {}, 'f:n': {} } },
    ],
    ['resourceclaims', '/apis/resource.k8s.io/v1/namespaces/default/resourceclaims', { spec: DEVICES }, undefined],
    ['servicecidrs', '/apis/networking.k8s.io/v1/servicecidrs', { spec: { cidrs: ['10.200.0.0/24'] } }, undefined],
    [
      'replicasets',
      '/apis/apps/v1/namespaces/default/replicasets',
      WORKLOAD,
      { 'f:annotations': { '.': {}, 'f:n': {} }, 'f:labels': { '.': {}, 'f:l': {} } },
    ],
  ])('%s', async (_name, path, body, owned) => {
    await using test = await start();
    await test.post(path, named('a', body));
    const { read } = await test.merge(`${path}/a/status?fieldManager=status`, {
      metadata: { labels: { l: '1' }, annotations: { n: '1' } },
    });
    const entry = read.metadata?.managedFields?.find(({ manager }) => manager === 'status');
    expect(entry?.fieldsV1).toEqual(owned === undefined ? undefined : { 'f:metadata': owned });
  });
});

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

describe('lists (row 42)', () => {
  it('of any version are not cut: version 0 with a limit is the whole list', async () => {
    await using test = await start();
    for (const name of ['a', 'b', 'c']) await test.post(`${CORE}/configmaps`, named(name));
    const list = async (query: string) =>
      (await test.read(`${CORE}/configmaps?${query}`)) as {
        items: object[];
        metadata: { continue?: string; remainingItemCount?: number };
      };
    const whole = await list('limit=1&resourceVersion=0');
    expect([whole.items.length, whole.metadata.continue, whole.metadata.remainingItemCount]).toEqual([
      3,
      undefined,
      undefined,
    ]);
    const page = await list('limit=1');
    expect([page.items.length, page.metadata.remainingItemCount]).toEqual([1, 2]);
    expect((await list(`limit=1&continue=${page.metadata.continue ?? ''}`)).items).toHaveLength(1);
  });

  it('of flow schemas are shown in the order in which they are tried; rows without an object say so', async () => {
    await using test = await start();
    const path = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
    for (const [name, matchingPrecedence] of [
      ['a', 300],
      ['b', 100],
      ['c', 200],
      ['d', 100],
    ] as const) {
      await test.post(path, named(name, { spec: { matchingPrecedence, priorityLevelConfiguration: { name: 'p' } } }));
    }
    const { rows } = (await test.read(`${path}?includeObject=None`, TABLE)) as {
      rows: { cells: string[]; object: null }[];
    };
    expect(rows.map(({ cells: [name], object }) => [name, object])).toEqual([
      ['b', null],
      ['d', null],
      ['c', null],
      ['a', null],
    ]);
  });
});

describe('refusals (row 42)', () => {
  it('of another UID name the key in a replacement, as the store does that finds it; of finalizers are printed as Go prints a list', async () => {
    await using test = await start();
    await test.post(`${CORE}/configmaps`, named('a'));
    const replaced = await test.put(`${CORE}/configmaps/a`, { metadata: { name: 'a', uid: 'x' } });
    const patched = await test.merge(`${CORE}/configmaps/a`, { metadata: { uid: 'x' } });
    const failed = /Precondition failed: UID in precondition: x, UID in object meta: [0-9a-f-]{36}$/.source;
    expect(replaced.read.message).toMatch(
      new RegExp(
        `^Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`,
      ),
    );
    expect(patched.read.message).toBe('ConfigMap "a" is invalid: metadata.uid: Invalid value: "x": field is immutable');
    await test.merge(`${CORE}/configmaps/a`, { metadata: { finalizers: ['a.b/c'] } });
    await test.remove(`${CORE}/configmaps/a`);
    const refused = await test.merge(`${CORE}/configmaps/a`, { metadata: { finalizers: ['a.b/c', 'x.y/z', 'z.y/x'] } });
    expect(refused.read.message).toContain('found new finalizers []string{"x.y/z", "z.y/x"}');
  });
});

it('the version is printed over lines, and names the versions that it goes with (row 40)', async () => {
  await using test = await start();
  expect(await test.read('/version')).toMatchObject({
    major: '1',
    minor: '36',
    emulationMajor: '1',
    emulationMinor: '36',
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
  });
  expect(await test.text('/version')).toMatch(/^\{\n {2}"major": "1",\n/);
  expect(await test.text('/')).toMatch(/^\{\n {2}"paths": \[\n {4}"/);
});

it('what a request was warned of before it failed stands in the answer (row 42)', async () => {
  await using test = await start();
  const slice = named('a', { addressType: 'FQDN', endpoints: [] });
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
  const fqdn = '299 - "spec.addressType: FQDN endpoints are deprecated"';
  expect(await test.post(path, slice)).toMatchObject({ status: 201, warning: fqdn });
  expect(await test.post(path, slice)).toMatchObject({ status: 409, warning: fqdn });
  expect(await test.merge(`${path}/none`, {})).toMatchObject({ status: 404, warning: null });
  expect(await test.merge(`${CORE}/endpoints/none`, {})).toMatchObject({
    status: 404,
    warning: '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
  });
});
